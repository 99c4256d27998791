"""Gateways are registered by administrators and by the command that operators run again and again."""

from __future__ import annotations

import io

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command

from audit.models import ActionRefused, AuditEvent
from gateways.actions import ListenerValues, change_gateway, create_gateway, retire_gateway, set_token
from gateways.actions.gateways import clean_public_url
from gateways.models import Gateway, Publication
from gateways.queries import gateway_of_token
from gateways.tokens import open_token
from teams.models import User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db

TOKEN = "a" * 40


def register(*extra: str) -> str:
    out = io.StringIO()
    call_command("register_gateway", "edge", *extra, stdout=out)
    return out.getvalue()


def test_an_administrator_registers_a_gateway_and_sees_its_token_once(ada: User) -> None:
    production = factories.make_environment()
    gateway, token = create_gateway(
        actor=actor_of_user(ada),
        slug="edge",
        name="Edge",
        kind="memory",
        listeners=[ListenerValues(production, 8080, "https://api.example.com/")],
    )
    assert gateway.listeners.get().public_url == "https://api.example.com"
    assert open_token(gateway) == token
    assert gateway_of_token(f"Bearer {token}") == gateway
    event = AuditEvent.objects.get(name="gateway.created")
    assert token not in str(event.after)


def test_others_register_nothing(alice: User, erin: User) -> None:
    for user in (alice, erin):
        with pytest.raises(PermissionDenied):
            create_gateway(actor=actor_of_user(user), slug="edge", name="Edge", kind="memory")


def test_the_command_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.make_environment()
    monkeypatch.setenv("GATEHOUSE_AGENT_TOKEN", TOKEN)
    listener = "--listener=production:8080:http://localhost:8080"
    register("--kind=memory", listener)
    register("--kind=memory", listener, "--name=Edge of the world")
    gateway = Gateway.objects.get()
    assert gateway.name == "Edge of the world"
    assert gateway_of_token(f"Bearer {TOKEN}") == gateway
    assert gateway.listeners.count() == 1
    monkeypatch.setenv("GATEHOUSE_AGENT_TOKEN", "b" * 40)
    register("--kind=memory")
    assert gateway_of_token(f"Bearer {TOKEN}") is None
    assert gateway_of_token("Bearer " + "b" * 40) == gateway


def test_the_command_says_what_is_wrong() -> None:
    with pytest.raises(CommandError, match="no environment 'moon'"):
        register("--kind=memory", "--listener=moon:80:http://x")
    with pytest.raises(CommandError, match="ENVIRONMENT:PORT:PUBLIC_URL"):
        register("--listener=production")


def test_a_listener_in_use_stays(ada: User) -> None:
    edge = factories.make_gateway()
    factories.make_publication(factories.make_version(), edge)
    with pytest.raises(ActionRefused, match="Unpublish"):
        change_gateway(edge, actor=actor_of_user(ada), listeners=[])
    with pytest.raises(ActionRefused, match="Unpublish"):
        retire_gateway(edge, actor=actor_of_user(ada))
    Publication.objects.update(state="withdrawn")
    retire_gateway(edge, actor=actor_of_user(ada))
    edge.refresh_from_db()
    assert edge.retired_at is not None
    assert gateway_of_token("Bearer agent-token-for-tests-" + "x" * 20) is None


def test_a_new_token_ends_the_old_one(ada: User) -> None:
    edge = factories.make_gateway(token=TOKEN)
    value = set_token(edge, actor=actor_of_user(ada))
    assert gateway_of_token(f"Bearer {TOKEN}") is None
    assert gateway_of_token(f"bearer {value}") == edge


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic " + TOKEN, "Bearer short", "Bearer ä" + TOKEN, TOKEN]
)
def test_anything_but_a_token_is_nobody(header: str | None) -> None:
    factories.make_gateway(token=TOKEN)
    assert gateway_of_token(header) is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "https://",
        "https://a/b",
        "https://u:p@a",
        "https://a?b",
        "x",
        "https://a;b",
        "http://a:99999",
    ],
)
def test_a_public_address_is_an_origin(url: str) -> None:
    with pytest.raises(ValidationError):
        clean_public_url(url)


def test_two_listeners_may_exchange_their_ports(ada: User) -> None:
    edge = factories.make_gateway("edge")
    sandbox = factories.make_environment("sandbox")
    production = factories.make_environment()
    actor = actor_of_user(ada)
    first = [
        ListenerValues(production, 8080, "http://a.test"),
        ListenerValues(sandbox, 8090, "http://a.test"),
    ]
    change_gateway(edge, actor=actor, listeners=first)
    kept = set(edge.listeners.values_list("public_id", flat=True))
    turned = [
        ListenerValues(production, 8090, "http://a.test"),
        ListenerValues(sandbox, 8080, "http://a.test"),
    ]
    change_gateway(edge, actor=actor, listeners=turned)
    assert edge.listeners.get(environment=production).port == 8090
    assert set(edge.listeners.values_list("public_id", flat=True)) == kept


def test_the_host_of_a_listener_stays_while_something_is_published_there(ada: User) -> None:
    edge = factories.make_gateway("edge")
    factories.make_publication(factories.make_version(), edge)
    listener = edge.listeners.get(environment__slug="production")
    other = ListenerValues(listener.environment, listener.port, listener.public_url, host="api.example.com")
    with pytest.raises(ActionRefused, match="under another host"):
        change_gateway(edge, actor=actor_of_user(ada), listeners=[other])
