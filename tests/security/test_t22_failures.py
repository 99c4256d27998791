"""T22: when something breaks with a secret in its hands, neither log nor mail nor result nor page tells it.

Each case makes a secret by the way people make it, and lets the step after that break. Looked at are the log as it
is written, Django's error mail to ADMINS with every local variable, the answer, and what Celery keeps.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app
from celery.backends.base import DisabledBackend
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils.log import AdminEmailHandler
from rest_framework.test import APIClient

from gateways import tokens as gateway_tokens
from gateways.drivers.memory import MemoryDriver
from gateways.models import Deployment, Gateway
from gateways.tasks import reconcile_gateway
from subscriptions import keys
from subscriptions.models import Subscription
from teams import tokens
from teams.actions import invite_member
from teams.invitations import secret_of
from teams.models import Team, User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db

type Call = Callable[[Client, APIClient], HttpResponse]


class Broken(Exception):
    """What a case raises."""


@pytest.fixture
def told(settings: Any) -> Iterator[Callable[[], str]]:
    """All that is said of a failure: the log, and the mail to ADMINS with the locals of every frame."""
    settings.ADMINS = ["operators@example.test"]
    log, root = io.StringIO(), logging.getLogger()
    written = logging.StreamHandler(log)
    written.setFormatter(next(handler.formatter for handler in root.handlers if handler.formatter))
    mailed = AdminEmailHandler(include_html=True)
    mailed.setLevel(logging.ERROR)
    for handler in (written, mailed):
        root.addHandler(handler)
    yield (
        lambda: (
            log.getvalue()
            + "".join(
                f"{one.subject}{one.body}{one.alternatives}"
                for one in mail.outbox  # type: ignore[attr-defined]
            )
        )
    )
    for handler in (written, mailed):
        root.removeHandler(handler)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every secret made in a test, as its maker returns it."""
    secrets: list[str] = []

    def noting(make: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            found = make(*arguments)
            secrets.append(found if isinstance(found, str) else found.value)
            return found

        return wrapped

    monkeypatch.setattr("subscriptions.actions.credentials.make_key", noting(keys.make_key))
    monkeypatch.setattr("teams.actions.tokens.make_token", noting(tokens.make_token))
    monkeypatch.setattr("gateways.actions.gateways.make_token", noting(gateway_tokens.make_token))
    return secrets


@pytest.fixture
def subscription(dana: User, logistics: Team) -> Subscription:
    return factories.make_subscription(factories.make_application(logistics))


def page(name: str, body: dict[str, Any], *arguments: str) -> Call:
    return lambda browser, _rest: browser.post((name, arguments), body)  # type: ignore[arg-type, return-value]


def rest(url: str, body: dict[str, Any]) -> Call:
    return lambda _browser, client: client.post(url, body)


TOKEN = {"name": "deploy", "scopes": ["read"], "lifetime": "30"}
REST_TOKEN = {"name": "deploy", "scopes": ["read"], "expires_at": "2027-03-01T00:00:00Z"}
GATEWAY = {"slug": "new-edge", "name": "New edge", "kind": "memory"}
CASES: dict[str, tuple[str, str, Call]] = {
    # what breaks, who acts, what they do
    "a key, its event": ("subscriptions.actions.credentials.record_event", "dana",
                         page("credential-issue", {"name": "k", "after": "0"}, "{subscription}")),
    "a key, its page": ("subscriptions.views.credentials.render", "dana",
                        page("credential-issue", {"name": "k", "after": "0"}, "{subscription}")),
    "a key over REST": ("subscriptions.rest.views.etag", "dana",
                        rest("/api/v1/subscriptions/{subscription}/credentials", {"name": "k"})),
    "a token, its event": ("teams.actions.tokens.record_event", "dana", page("token-create", TOKEN)),
    "a token, its page": ("teams.views.tokens.render", "dana", page("token-create", TOKEN)),
    "a token over REST": ("teams.rest.views.new_token_answer", "dana", rest("/api/v1/tokens", REST_TOKEN)),
    "the token of the reference": ("portal.rest_docs.render", "dana", page("rest-docs", {})),
    "an agent's token, its event": ("gateways.actions.gateways.record_event", "ada", page("gateway-create", GATEWAY)),
    "an agent's token, its page": ("gateways.views.gateways.render", "ada", page("gateway-create", GATEWAY)),
    "an agent's token over REST": ("gateways.rest.views.etag", "ada", rest("/api/v1/gateways", GATEWAY)),
    "an agent's next token": ("gateways.actions.gateways.record_event", "ada", page("gateway-token", {}, "edge")),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_secret_in_the_hands_of_what_breaks_is_told_nowhere(
    case: str, told: Any, made: list[str], subscription: Subscription, ada: User, dana: User, client_of: Any,
    api_of: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    breaks, name, call = CASES[case]
    person = {"ada": ada, "dana": dana}[name]
    factories.make_gateway("edge")
    browser, client = client_of(person), api_of(person)
    browser.raise_request_exception = client.raise_request_exception = False
    monkeypatch.setattr(breaks, _break)
    answer = call(_Filled(browser, subscription), _Filled(client, subscription))  # type: ignore[arg-type]
    assert answer.status_code == 500
    said = told()
    assert "Broken" in said, "the failure itself is told"
    [secret] = made[-1:]
    for place in (said, answer.content.decode()):
        assert secret[19:62] not in place


class _Filled:
    """A client that puts the subscription's id into addresses, which it takes as routes or as texts."""

    def __init__(self, client: Any, subscription: Subscription) -> None:
        self.client, self.id = client, subscription.public_id

    def post(self, where: Any, body: Any) -> Any:
        if isinstance(where, str):
            return self.client.post(where.format(subscription=self.id), body)
        name, arguments = where
        return self.client.post(
            reverse(name, args=[one.format(subscription=self.id) for one in arguments]), body
        )


def _break(*arguments: Any, **values: Any) -> Any:
    raise Broken("The step after the secret was made.")


def test_an_invitation_link_is_told_nowhere_when_its_page_or_its_mail_breaks(
    told: Any, shop: Team, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitation = invite_member(shop, actor=actor_of_user(alice), email="guest@example.test", role="viewer")
    secret = secret_of(invitation)
    monkeypatch.setattr("teams.views.members.render", _break)
    url = reverse("invitation", args=[invitation.public_id, secret])
    assert Client(raise_request_exception=False).get(url).status_code == 500
    assert "Broken" in told()
    assert secret not in told()


def test_a_push_that_breaks_tells_no_key_in_log_result_or_deployment(
    told: Any, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway's own words may quote what it was sent."""
    credential, value = factories.make_credential(subscription)
    edge = factories.make_gateway("edge", token="agent-token-" + "Zq7" * 12)
    factories.make_publication(subscription.api_version, edge)
    Gateway.objects.filter(pk=edge.pk).update(behind_since=edge.created_at, rung_at=edge.created_at)

    def apply(self: Any, changes: Any, progress: Any) -> None:
        raise Broken(f"rejected: duplicate key {value} for Bearer agent-token-{'Zq7' * 12}")

    monkeypatch.setattr(MemoryDriver, "apply", apply)
    result = reconcile_gateway.apply(args=[edge.pk])
    rows = str(list(Deployment.objects.values())) + str(list(Deployment.objects.values("steps__detail")))
    assert result.failed()
    assert current_app.conf.task_ignore_result
    assert isinstance(current_app.backend, DisabledBackend), "results are kept nowhere"
    for place in (told(), rows):
        assert value[19:62] not in place
        assert "Zq7" * 12 not in place
    assert Deployment.objects.exists()
    assert credential.key_id
