"""Desired state: who and what is in it, read in few queries, with keys opened only on demand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apis.models import ApiVersion
from gateways.desired import desired_objects, snapshot
from gateways.engine.document import Document, Key, Kind, Ref, Route
from gateways.models import Gateway, Publication
from gateways.policies import cors_origins_of
from subscriptions.models import Block, Credential, Subscription
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(published: Publication) -> Subscription:
    return factories.make_subscription(plan_revision=factories.make_plan(published.api_version.api))


def kinds(document: Document) -> list[str]:
    return [str(name.kind) for name in document.items]


def test_everything_that_a_call_needs_is_in_it(
    edge: Gateway, published: Publication, subscription: Subscription
) -> None:
    credential, value = factories.make_credential(subscription)
    document = desired_objects(edge, with_values=True)
    assert kinds(document) == ["upstream", "limit", "consumer", "route", "grant", "key"]
    [route] = document.of_kind(Route)
    assert route.base_path == "/shop/orders/v1"
    assert route.environment == "production"
    [key] = document.of_kind(Key)
    assert key.value == value
    assert key.key_id == credential.key_id


def test_digests_need_no_key_and_are_the_same_without(edge: Gateway, subscription: Subscription) -> None:
    credential, value = factories.make_credential(subscription)
    Credential.objects.update(sealed=b"broken")
    document = desired_objects(edge)
    assert value not in str(document)
    credential.save()
    assert document.digests() == desired_objects(edge, with_values=True).digests()


def test_renaming_changes_nothing_on_gateways(edge: Gateway, subscription: Subscription) -> None:
    before = desired_objects(edge).digest()
    api = subscription.api_version.api
    api.name = "Something else"
    api.save()
    subscription.application.name = "Another name"
    subscription.application.save()
    assert desired_objects(edge).digest() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda: Publication.objects.update(state="withdrawn"),
        lambda: ApiVersion.objects.update(state="retired"),
        lambda: Subscription.objects.update(state="suspended", state_reason="x"),
        lambda: Subscription.objects.update(state="closed", state_reason="x"),
        lambda: Credential.objects.update(state="revoked"),
        lambda: Credential.objects.update(expires_at=timezone.now()),
        lambda: Subscription.objects.update(environment=factories.make_environment("sandbox")),
    ],
)
def test_what_ends_access_takes_the_key_out(
    change: Any, edge: Gateway, published: Publication, subscription: Subscription
) -> None:
    factories.make_credential(subscription)
    assert "key" in kinds(desired_objects(edge))
    change()
    assert "key" not in kinds(desired_objects(edge))


def test_a_deprecated_version_is_served_on(edge: Gateway, subscription: Subscription) -> None:
    factories.make_credential(subscription)
    ApiVersion.objects.update(state="deprecated", sunset_on=timezone.now().date())
    assert "key" in kinds(desired_objects(edge))


def test_a_block_stands_until_its_time(edge: Gateway, subscription: Subscription) -> None:
    block = Block.objects.create(
        subscription=subscription, reason="quota_day", until=timezone.now() + timedelta(hours=1)
    )
    assert Ref(Kind.BLOCK, block.public_id) in desired_objects(edge).items
    Block.objects.update(until=timezone.now())
    assert Ref(Kind.BLOCK, block.public_id) not in desired_objects(edge).items


def test_a_scope_narrows_the_answer(
    edge: Gateway, published: Publication, subscription: Subscription
) -> None:
    name = Ref(Kind.ROUTE, published.public_id)
    assert set(desired_objects(edge, frozenset({name})).items) == {name}


def test_the_portal_may_call_and_origins_are_sorted_once(settings: Any) -> None:
    settings.PORTAL_URL = "https://portal.example.com"
    origins = cors_origins_of(
        {"cors_origins": ["https://b.example", "https://a.example", "https://b.example"]}
    )
    assert origins == ("https://a.example", "https://b.example", "https://portal.example.com")


def test_queries_do_not_grow_with_the_catalogue(edge: Gateway) -> None:
    counts = []
    for _round in range(2):
        for _number in range(4):
            version = factories.make_version()
            factories.make_publication(version, edge)
            factories.make_credential(
                factories.make_subscription(plan_revision=factories.make_plan(version.api))
            )
        with CaptureQueriesContext(connection) as queries:
            desired_objects(edge, with_values=True)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


@pytest.mark.django_db(transaction=True)
def test_all_of_it_is_one_moment(edge: Gateway, subscription: Subscription) -> None:
    factories.make_credential(subscription)
    with snapshot():
        assert Credential.objects.count() == 1
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone() == ("repeatable read",)
    with transaction.atomic(), snapshot():
        assert Credential.objects.count() == 1, "inside a transaction it reads as that one does"
