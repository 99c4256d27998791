"""`Idempotency-Key`: a repeated POST is answered again, and done once (R14)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import AuditEvent
from teams.actions.answers import forget_old_answers, hold_key
from teams.models import ApiToken, IdempotentAnswer, Membership, Team, TeamRole, User
from tests import factories


def create(client: APIClient, key: str, name: str = "Route planning"):
    return client.post("/api/v1/teams", {"name": name}, HTTP_IDEMPOTENCY_KEY=key)


@pytest.mark.django_db
def test_the_second_call_gets_the_first_answer_and_does_nothing(api_of, alice: User) -> None:
    client = api_of(alice)
    first, second = create(client, "a1"), create(client, "a1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first["ETag"] == second["ETag"]
    assert second["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert "RateLimit" in second
    assert Team.objects.filter(slug="route-planning").count() == 1
    assert AuditEvent.objects.filter(name="team.created").count() == 1


@pytest.mark.django_db
def test_the_same_key_with_another_body_or_token_is_422(api_of, alice: User) -> None:
    client = api_of(alice)
    create(client, "a1")
    assert create(client, "a1", "Something else").status_code == 422
    assert create(api_of(alice), "a1").status_code == 422


@pytest.mark.django_db
def test_keys_of_different_people_are_apart(api_of, alice: User, dana: User) -> None:
    assert create(api_of(alice), "a1", "One").status_code == 201
    answer = create(api_of(dana), "a1", "Two")
    assert answer.status_code == 201
    assert answer.json()["slug"] == "two"


@pytest.mark.django_db
def test_a_refused_call_may_be_corrected_under_its_key(api_of, alice: User) -> None:
    client = api_of(alice)
    assert create(client, "a1", "").status_code == 422
    assert create(client, "a1", "Good name").status_code == 201


@pytest.mark.django_db
def test_a_kept_answer_with_a_token_in_it_is_sealed(api_of, alice: User) -> None:
    expires = (timezone.now() + timedelta(days=1)).isoformat()
    body = {"name": "ci", "scopes": ["read"], "expires_at": expires}
    client = api_of(alice)
    first = client.post("/api/v1/tokens", body, HTTP_IDEMPOTENCY_KEY="t1")
    value = first.json()["value"]
    row = IdempotentAnswer.objects.get()
    assert value.encode() not in bytes(row.body)
    assert value not in str(row.headers) + row.fingerprint
    assert client.post("/api/v1/tokens", body, HTTP_IDEMPOTENCY_KEY="t1").json()["value"] == value
    assert ApiToken.objects.filter(name="ci").count() == 1


@pytest.mark.django_db
def test_what_was_answered_before_a_role_was_lost_is_not_shown_after(api_of, shop: Team, alice: User) -> None:
    other = factories.make_user()
    membership = factories.join(shop, other, TeamRole.OWNER)
    client, body = api_of(other), {"name": "deploy"}
    url = f"/api/v1/teams/{shop.slug}/service-accounts"
    assert client.post(url, body, HTTP_IDEMPOTENCY_KEY="s1").status_code == 201
    member_url = f"/api/v1/teams/{shop.slug}/members/{membership.public_id}"
    assert api_of(alice).patch(member_url, {"role": "viewer"}).status_code == 200
    assert client.post(url, body, HTTP_IDEMPOTENCY_KEY="s1").status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "ümlaut", "a\x07b"])
def test_a_key_that_is_no_key_is_400(api_of, alice: User, key: str) -> None:
    assert create(api_of(alice), key).status_code == 400


@pytest.mark.django_db
def test_answers_are_forgotten_after_a_day(api_of, alice: User) -> None:
    client = api_of(alice)
    create(client, "a1")
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert create(client, "a1", "Another").status_code == 201
    assert forget_old_answers() == 0
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert forget_old_answers() == 1


@pytest.mark.django_db(transaction=True)
def test_a_call_while_the_first_one_runs_is_409(api_of, alice: User) -> None:
    client, holding, done = api_of(alice), threading.Event(), threading.Event()

    def first_call() -> None:
        with transaction.atomic():
            assert hold_key(alice.public_id, "a1")
            holding.set()
            done.wait(20)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(first_call)
        assert holding.wait(20)
        refused = create(client, "a1")
        done.set()
        running.result()
    assert refused.status_code == 409
    assert create(client, "a1").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_eight_clients_with_one_key_make_one_team(alice: User) -> None:
    _token, value = factories.make_api_token(user=alice)

    def call(_n: int) -> int:
        try:
            client = APIClient()
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
            return create(client, "same").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(call, range(24)))
    assert set(codes) <= {201, 409}
    assert 201 in codes
    assert Team.objects.filter(slug="route-planning").count() == 1
    assert Membership.objects.filter(team__slug="route-planning").count() == 1
