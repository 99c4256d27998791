"""What gateways do while a key is rotated: both keys are let in, then one, and `removed` is said when read back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from gateways.desired import desired_objects
from gateways.drivers.memory import Decision
from gateways.enforcement import enforcement_of
from gateways.engine.document import Grant, Key, Limit
from gateways.models import Deployment, Gateway, Publication
from subscriptions.actions import abort_rotation, end_rotations, finish_rotation, start_rotation
from subscriptions.models import Credential, Rotation
from teams.models import User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db

Push = Callable[[Gateway], Deployment | None]
Call = Callable[..., Decision]


class Rotating:
    """A key in rotation with the values of both keys."""

    def __init__(self, published: Publication, dana: User, application_team: object) -> None:
        self.actor = actor_of_user(dana)
        plan = factories.make_plan(published.api_version.api)
        application = factories.make_application(application_team)  # type: ignore[arg-type]
        old, self.old_value = factories.make_credential(factories.make_subscription(application, plan))
        self.rotation, self.new_value = start_rotation(old, actor=self.actor, overlap=timedelta(days=1))

    def said(self) -> dict[str, list[str]]:
        """What the portal says that the gateway does with each key."""
        rotation = Rotation.objects.get(pk=self.rotation.pk)
        return {part: _states(pk) for part, pk in (("old", rotation.old_id), ("new", rotation.new_id))}


def _states(pk: int) -> list[str]:
    credential = Credential.objects.select_related("subscription").get(pk=pk)
    return [segment.state.value for segment in enforcement_of(credential).segments]


@pytest.fixture
def rotating(published: Publication, dana: User, logistics: object) -> Rotating:
    return Rotating(published, dana, logistics)


@pytest.fixture
def statuses(edge: Gateway, call: Call, rotating: Rotating) -> Callable[[], tuple[int, int]]:
    """How the gateway answers the old and the new key."""

    def ask() -> tuple[int, int]:
        old, new = (
            call(edge, "/shop/orders/v1/orders", value) for value in (rotating.old_value, rotating.new_value)
        )
        return old.status, new.status

    return ask


def test_both_keys_are_let_in_and_share_one_limit(
    edge: Gateway, push: Push, rotating: Rotating, statuses: Callable[[], tuple[int, int]]
) -> None:
    push(edge)
    assert statuses() == (200, 200)
    assert rotating.said() == {"old": ["live"], "new": ["live"]}
    document = desired_objects(edge)
    [grant], [limit] = document.of_kind(Grant), document.of_kind(Limit)
    assert grant.limit == limit.id
    assert {key.grant for key in document.of_kind(Key)} == {grant.id}


@pytest.mark.parametrize("how", ["finished", "ended in time"])
def test_the_old_key_is_called_removed_only_when_it_is_gone(
    edge: Gateway, push: Push, rotating: Rotating, statuses: Callable[[], tuple[int, int]], how: str
) -> None:
    push(edge)
    if how == "finished":
        finish_rotation(rotating.rotation, actor=rotating.actor)
    else:
        end_rotations(now=rotating.rotation.ends_at)
    assert rotating.said() == {"old": ["removing"], "new": ["live"]}
    assert statuses() == (200, 200), "and that is the truth"
    push(edge)
    assert rotating.said() == {"old": ["removed"], "new": ["live"]}
    assert statuses() == (401, 200)


def test_aborted_the_old_key_never_stopped(
    edge: Gateway, push: Push, rotating: Rotating, statuses: Callable[[], tuple[int, int]]
) -> None:
    push(edge)
    abort_rotation(rotating.rotation, actor=rotating.actor)
    assert rotating.said() == {"old": ["live"], "new": ["removing"]}
    push(edge)
    assert rotating.said() == {"old": ["live"], "new": ["removed"]}
    assert statuses() == (200, 401)
