"""T38: the doors of agents open to a gateway's token alone, and take nothing that is malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from gateways.models import Gateway, GatewayNode
from tests import factories

pytestmark = pytest.mark.django_db

TOKEN = "agent-token-for-tests-" + "x" * 20
BEAT: dict[str, Any] = {
    "node": "edge-1",
    "agent_url": "http://127.0.0.1:9100",
    "kind": "memory",
    "software": "Envoy 1.40",
    "started_at": "2026-11-24T08:00:00+00:00",
    "version": 0,
    "digest": "",
    "serving": True,
}


@pytest.fixture
def edge() -> Gateway:
    return factories.make_gateway(token=TOKEN)


def beat(body: Any, token: str | None = TOKEN, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return Client(enforce_csrf_checks=True).post(
        "/agent/v1/heartbeat", content, content_type="application/json", headers=headers
    )


def state() -> tuple[Any, ...]:
    """All that an agent can change."""
    gateways = Gateway.objects.order_by("pk").values_list("slug", "version", "behind_since", "row_version")
    return tuple(gateways), tuple(GatewayNode.objects.values_list("name", "agent_url", "version"))


def test_a_heartbeat_registers_a_node(edge: Gateway) -> None:
    answer = beat(BEAT)
    assert answer.status_code == 200
    assert answer.json() == {"gateway": "edge", "config": "same"}
    node = GatewayNode.objects.get()
    assert (node.name, node.agent_url, node.software) == ("edge-1", "http://127.0.0.1:9100", "Envoy 1.40")
    assert node.state == GatewayNode.State.SERVING


@pytest.mark.parametrize("token", [None, "", "wrong" * 10, TOKEN + "x", TOKEN[:-1], "\x00" * 40, "x" * 5_000])
@pytest.mark.parametrize("door", ["heartbeat", "config"])
def test_without_the_token_nothing_opens_and_nothing_changes(
    edge: Gateway, token: str | None, door: str
) -> None:
    before = state()
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    client = Client()
    answer = (
        client.get("/agent/v1/config?node=edge-1", headers=headers)
        if door == "config"
        else client.post(
            "/agent/v1/heartbeat", json.dumps(BEAT), content_type="application/json", headers=headers
        )
    )
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert state() == before


def test_a_person_with_a_session_or_a_rest_token_is_nobody_here(
    edge: Gateway, ada: Any, client_of: Any
) -> None:
    _token, value = factories.make_api_token(user=ada)
    assert client_of(ada).get("/agent/v1/config?node=edge-1").status_code == 401
    assert beat(BEAT, token=value).status_code == 401


def test_the_token_of_another_gateway_speaks_for_that_one_only(edge: Gateway) -> None:
    factories.make_gateway("other", token="another-token-" + "y" * 30)
    beat(BEAT, token="another-token-" + "y" * 30)
    assert GatewayNode.objects.get().gateway.slug == "other"


MALFORMED: list[Any] = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b"[" * 10_000,
    {},
    *(
        {**BEAT, name: value}
        for name, value in (
            ("node", ""),
            ("node", "../../etc"),
            ("node", "a" * 81),
            ("node", 7),
            ("node", "edge\n"),
            ("agent_url", "file:///etc/passwd"),
            ("agent_url", "http://user:pass@host"),
            ("agent_url", "http://host/path"),
            ("agent_url", "http://host?x=1"),
            ("agent_url", "gopher://host"),
            ("agent_url", "http://host:99999"),
            ("agent_url", "http://ho st"),
            ("agent_url", None),
            ("kind", "envoy"),
            ("version", -1),
            ("version", "1"),
            ("version", True),
            ("version", 10**30),
            ("version", 1.5),
            ("digest", "zz"),
            ("digest", None),
            ("serving", "yes"),
            ("serving", None),
            ("software", ["x"]),
            ("software", "\x00"),
            ("software", "x" * 81),
            ("started_at", "yesterday"),
            ("started_at", "2026-11-24T08:00:00"),
            ("started_at", 5),
        )
    ),
]


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: str(body)[:40])
def test_what_is_malformed_is_refused_and_changes_nothing(edge: Gateway, body: Any) -> None:
    before = state()
    answer = beat(body)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert state() == before


def test_what_is_too_large_is_refused_unread(edge: Gateway) -> None:
    answer = beat({**BEAT, "padding": "x" * 20_000})
    assert answer.status_code == 413
    assert state()[1] == ()


def test_other_methods_are_refused(edge: Gateway) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert Client().get("/agent/v1/heartbeat", headers=headers).status_code == 405
    assert Client().post("/agent/v1/config", headers=headers).status_code == 405


def test_nothing_is_fetched_before_anything_was_pushed(edge: Gateway) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert Client().get("/agent/v1/config?node=edge-1", headers=headers).status_code == 204
    assert Client().get("/agent/v1/config?node=%2e%2e", headers=headers).status_code == 400


def test_a_retired_gateway_has_no_agents(edge: Gateway) -> None:
    from django.utils import timezone

    Gateway.objects.update(retired_at=timezone.now())
    assert beat(BEAT).status_code == 401
