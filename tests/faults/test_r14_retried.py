"""R14: POSTs whose connection is cut are repeated with the same Idempotency-Key, and each makes one object."""

from __future__ import annotations

import random
import socket

import pytest

from subscriptions.models import Application
from tests import factories
from tests.faults.kinds import one_gateway
from tests.faults.parts import until
from tests.faults.rest import Client
from tests.faults.scene import Scene


def client_of(scene: Scene) -> Client:
    _token, value = factories.make_api_token(user=scene.caller_user)
    return Client(scene.portal.url, value)


def cut(scene: Scene, data: bytes, chance: random.Random) -> None:
    """Send all of it or a part, and go away without reading."""
    with socket.create_connection(("127.0.0.1", scene.portal.port)) as connection:
        connection.sendall(data[: chance.choice([len(data), len(data), len(data) // 2])])


def cut_and_repeat(scene: Scene, count: int) -> None:
    client, chance = client_of(scene), random.Random(14)
    for number in range(count):
        body = {"team": scene.logistics.slug, "name": f"Program {number}"}
        key = f"cut-{scene.name}-{number}"
        for _ in range(chance.randrange(3)):
            cut(scene, client.raw("applications", body, key), chance)
        answer = until(lambda body=body, key=key: _done(client, body, key), "an answer")
        repeated = client.attempt("applications", body, key)
        assert repeated is not None
        assert repeated.json()["id"] == answer["id"]
        assert repeated.headers["idempotency-replayed"] == "true"
        other = client.attempt("applications", {**body, "name": "Another"}, key)
        assert other is not None
        assert other.status_code == 422
    made = Application.objects.filter(team=scene.logistics, name__startswith="Program ")
    assert made.count() == count


def _done(client: Client, body: dict[str, str], key: str) -> dict[str, str] | None:
    response = client.attempt("applications", body, key)
    if response is None or response.status_code == 409:
        return None
    assert response.status_code == 201, response.text
    return dict(response.json())


@one_gateway
def test_r14_cut_posts_make_one_object_each(scene: Scene) -> None:
    cut_and_repeat(scene, 15)


@pytest.mark.long
@pytest.mark.timeout(1800)
@one_gateway
def test_r14_a_thousand(scene: Scene) -> None:
    cut_and_repeat(scene, 1_000)
