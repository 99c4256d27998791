"""R4: a lost broker costs delay and nothing else. Writes succeed, nothing hangs, the sweep makes up for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.utils import timezone

from gateways.actions import ringing, sweep
from gateways.drivers.memory import forget_gateways
from gateways.enforcement import enforcement_of
from gateways.models import Gateway
from gateways.tasks import reconcile_gateway
from subscriptions.actions import issue_credential, revoke_credential
from subscriptions.models import Credential
from teams.models import User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def no_broker() -> Iterator[None]:
    """Celery of this process speaks to a port where nobody listens."""
    forget_gateways()
    before = current_app.conf.broker_url
    _point_at("redis://127.0.0.1:1/0")
    yield
    _point_at(before)
    forget_gateways()


def _point_at(url: str) -> None:
    current_app.pool.force_close_all()
    current_app.amqp._producer_pool = None
    current_app.conf.broker_url = current_app.conf.broker_write_url = url
    ringing.hear_again()


@pytest.fixture
def subscription(dana: User, logistics: Any) -> Any:
    version = factories.make_version()
    factories.make_publication(version, factories.make_gateway("edge"))
    return factories.make_subscription(
        factories.make_application(logistics), factories.make_plan(version.api)
    )


def state_of(credential: Credential) -> list[str]:
    found = Credential.objects.get(pk=credential.pk)
    return [segment.state.value for segment in enforcement_of(found).segments]


def work_off() -> None:
    """The sweep rings what is due; without a broker the test hears it in the worker's place."""
    for gateway_id in sweep():
        reconcile_gateway(gateway_id)


def test_decisions_without_a_broker_reach_the_gateway_by_the_sweep(
    no_broker: None, subscription: Any, dana: User
) -> None:
    credential, _value = issue_credential(subscription, actor=actor_of_user(dana), name="k")
    assert state_of(credential) == ["pushing"]
    work_off()
    assert state_of(credential) == ["live"]
    revoke_credential(credential, actor=actor_of_user(dana), reason="leaked")
    assert state_of(credential) == ["removing"]
    work_off()
    assert state_of(credential) == ["removed"]


def test_even_the_note_may_be_lost(no_broker: None, subscription: Any, dana: User) -> None:
    """The process dies between the commit and the note: only the rows of the decision are there."""
    credential, _value = issue_credential(subscription, actor=actor_of_user(dana), name="k")
    Gateway.objects.update(
        behind_since=None, rung_at=None, retry_at=None, compared_at=timezone.now() - timedelta(minutes=1)
    )
    work_off()
    assert state_of(credential) == ["live"]
