"""Whether a key that rotates out is still used: said on the page, over REST, and an hour before its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import AuditEvent
from gateways.models import Gateway, Publication
from subscriptions.actions import extend_rotation, finish_rotation, start_rotation
from subscriptions.models import Credential, Rotation
from teams.models import Notice, User
from teams.queries import actor_of_user
from tests.usage.feeds import line
from usage.actions import ingest_batch, warn_of_rotations

HOUR = timedelta(hours=1)


@pytest.fixture
def rotation(key: Credential, dana: User) -> Rotation:
    """Began a day ago and ends in half an hour."""
    rotation = start_rotation(key, actor=actor_of_user(dana), overlap=HOUR)[0]
    began = timezone.now() - timedelta(days=1)
    Rotation.objects.update(created_at=began, ends_at=began + timedelta(hours=24.5), warn_at=began)
    rotation.refresh_from_db()
    return rotation


def use(
    gateway: Gateway, publication: Publication, key: Credential, *, ago: timedelta, calls: int = 1
) -> None:
    at = (timezone.now() - ago).timestamp() * 1000
    ingest_batch(gateway, node="n1", segment=f"s-{ago}", offset=0, body=line(publication, key, ts=at) * calls)


def warned() -> list[str]:
    return list(Notice.objects.filter(name="rotation.near_end").values_list("user__email", flat=True))


def test_the_team_is_warned_once_of_a_key_that_is_still_used(
    edge: Gateway, orders: Publication, key: Credential, rotation: Rotation
) -> None:
    use(edge, orders, key, ago=timedelta(minutes=3))
    assert warn_of_rotations(now=timezone.now()) == 1
    assert warn_of_rotations(now=timezone.now()) == 0
    assert warned() == ["dana@example.test"]
    notice = Notice.objects.get(name="rotation.near_end")
    assert notice.mail_wanted
    assert str(rotation.new) in notice.body
    assert AuditEvent.objects.filter(name="rotation.warned", actor_kind="system").count() == 1


def test_nobody_is_warned_of_a_key_that_is_silent_until_it_is_used_after_all(
    edge: Gateway, orders: Publication, key: Credential, rotation: Rotation
) -> None:
    use(edge, orders, key, ago=timedelta(hours=25))
    assert warn_of_rotations(now=timezone.now()) == 0
    use(edge, orders, rotation.new, ago=timedelta(minutes=1))
    assert warn_of_rotations(now=timezone.now()) == 0, "that is what the new key is for"
    use(edge, orders, key, ago=timedelta(minutes=2))
    assert warn_of_rotations(now=timezone.now()) == 1


def test_a_warning_comes_near_the_end_and_again_after_an_extension(
    edge: Gateway, orders: Publication, key: Credential, rotation: Rotation, dana: User
) -> None:
    use(edge, orders, key, ago=timedelta(minutes=3))
    assert warn_of_rotations(now=timezone.now()) == 1
    later = rotation.ends_at + 4 * HOUR
    extend_rotation(rotation, actor=actor_of_user(dana), ends_at=later)
    assert warn_of_rotations(now=later - HOUR - timedelta(seconds=1)) == 0
    assert warn_of_rotations(now=later - HOUR) == 1
    finish_rotation(rotation, actor=actor_of_user(dana))
    assert warn_of_rotations(now=later - HOUR) == 0


def test_a_short_overlap_is_warned_of_halfway(key: Credential, dana: User) -> None:
    rotation, _value = start_rotation(key, actor=actor_of_user(dana), overlap=HOUR)
    assert rotation.warn_at is not None
    assert timedelta(minutes=29) < rotation.ends_at - rotation.warn_at < timedelta(minutes=31)


def test_the_line_of_a_key_says_when_it_was_last_seen_and_todays_calls(
    client_of: Callable[[User | None], Client],
    edge: Gateway,
    orders: Publication,
    key: Credential,
    dana: User,
    alice: User,
    charlie: User,
) -> None:
    address = reverse("usage-key", args=[key.public_id])
    assert "not used so far" in client_of(dana).get(address).content.decode()
    use(edge, orders, key, ago=timedelta(0), calls=1_204)
    page = client_of(dana).get(address).content.decode()
    assert "1,204 calls today (UTC)" in page
    assert "last seen" in page
    assert "every 10s" in page
    assert "every 10s" not in client_of(dana).get(f"{address}?still=yes").content.decode()
    assert client_of(alice).get(address).status_code == 200
    assert client_of(charlie).get(address).status_code == 404
    assert client_of(None).get(address).status_code == 302


def test_the_same_over_rest(
    api_of: Callable[..., APIClient],
    edge: Gateway,
    orders: Publication,
    key: Credential,
    dana: User,
    charlie: User,
) -> None:
    address = f"/api/v1/credentials/{key.public_id}/usage"
    assert api_of(dana).get(address).json()["last_seen"] is None
    use(edge, orders, key, ago=timedelta(0), calls=212)
    answer = api_of(dana).get(address).json()
    assert (answer["calls_today"], answer["day"]) == (212, timezone.now().date().isoformat())
    assert answer["last_seen"] is not None
    assert api_of(charlie).get(address).status_code == 404
    assert api_of(None).get(address).status_code == 401
