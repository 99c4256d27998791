"""Trying things out on an AI runtime: a provider that is being entered, a prompt that is being written or tested.

The runtime does what a published call would have it do; who may is said by a ticket (`ai.tickets`) that is made of the
token of its gateway.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from django.utils.translation import gettext as _

from ai.models import AiModel, Provider, ProviderKey
from ai.tickets import make_ticket, ticket_key
from audit.models import ActionRefused
from gateways.ai_desired import model_of, provider_key_of, provider_of
from gateways.engine.document import ProviderKey as KeyItem
from gateways.engine.document import to_plain
from gateways.models import Gateway, GatewayListener
from gateways.tokens import open_token

TICKET_S = 900
"""How long a browser may use a ticket."""
TRY_S = 30.0
RUN_S = 180.0
EDITOR, TRY = "/-/editor", "/-/try"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where the runtime is, and what lets the bearer use it."""

    url: str
    ticket: str


@dataclass(frozen=True, slots=True)
class Tried:
    """How a vendor answered: `message` is its own text."""

    ok: bool
    status: int
    code: str
    message: str
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run of a prompt came to; `problem` is empty where it went well. `cost` is a decimal number or None."""

    output: Any = None
    tokens: int = 0
    cost: str | None = None
    currency: str = ""
    model: str = ""
    latency_ms: float = 0.0
    problem: str = ""


def ticket_for(
    team: str, models: Collection[str], *, labels: Mapping[str, str] | None = None, inline: bool = False
) -> Ticket:
    """A ticket for some models (public ids) on the account of `team`. Raises ActionRefused without a runtime.

    `inline` lets its bearer bring provider and key along: for the portal's own servers alone.
    """
    listener = _listener()
    holds = {"team": team, "models": sorted(models), "labels": dict(labels or {}), "inline": inline}
    key = ticket_key(open_token(listener.gateway))
    return Ticket(listener.public_url.rstrip("/"), make_ticket(key, holds, until=time.time() + TICKET_S))


def try_provider(provider: Provider, key: ProviderKey | None, remote: str) -> Tried:
    """Ask the model `remote` of a provider for a word. Raises ActionRefused where no runtime can be asked."""
    found = AiModel.objects.filter(provider=provider, remote=remote).select_related("provider").first()
    model = found or AiModel(provider=provider, remote=remote, mode=AiModel.Mode.CHAT)
    body = {
        "provider": to_plain(provider_of(provider)),
        "key": _with_value(provider_key_of(key, with_value=True)) if key else _NO_KEY,
        "model": {**to_plain(model_of(model)), "prices": []} if found else _plain_model(model),
    }
    ticket = ticket_for(provider.audit_team_id, [], inline=True)
    answer = _asked(ticket, TRY, body, TRY_S)
    plain = answer.json()
    if answer.status_code != httpx.codes.OK:
        raise ActionRefused(str(plain.get("detail") or _("The AI runtime refuses the trial.")))
    return Tried(**{name: plain[name] for name in ("ok", "status", "code", "message", "latency_ms")})


def run_prompt(ticket: Ticket, prompt: Mapping[str, Any], values: Mapping[str, Any], model: str) -> Ran:
    """Run a prompt (in the form of a draft) once with the model of public id `model`."""
    began = time.perf_counter()
    answer = _asked(ticket, EDITOR, {"prompt": prompt, "values": values, "model": model}, RUN_S)
    latency = (time.perf_counter() - began) * 1000
    plain = answer.json()
    if answer.status_code != httpx.codes.OK:
        return Ran(problem=str(plain.get("detail") or answer.status_code), latency_ms=latency)
    cost = plain["cost"]
    return Ran(
        output=plain["output"],
        tokens=plain["usage"]["total_tokens"],
        cost=cost["amount"],
        currency=cost["currency"] or "",
        model=plain["model"]["served"],
        latency_ms=latency,
    )


_NO_KEY = {"id": "", "label": "", "weight": 1, "value": ""}


def _with_value(key: KeyItem) -> dict[str, Any]:
    return {**to_plain(key), "value": key.value}


def _plain_model(model: AiModel) -> dict[str, Any]:
    """A model that is not in the catalogue."""
    return {
        "id": "",
        "name": model.name,
        "remote": model.remote,
        "mode": model.mode,
        "context": 0,
        "max_output": 0,
        "capabilities": [],
    }


def _listener() -> GatewayListener:
    """The runtime to ask: of several, one of production."""
    found = GatewayListener.objects.filter(
        gateway__kind=Gateway.Kind.AI_RUNTIME, gateway__retired_at=None
    ).select_related("gateway")
    listener = found.order_by("-environment__position", "pk").first()
    if listener is None:
        raise ActionRefused(
            _("There is no AI runtime yet. Ask an administrator to add a gateway of this kind."),
            code="no_ai_runtime",
        )
    return listener


def _asked(ticket: Ticket, path: str, body: Mapping[str, Any], seconds: float) -> httpx.Response:
    headers = {"Authorization": f"Bearer {ticket.ticket}", "Accept": "application/json"}
    try:
        with httpx.Client(timeout=seconds, trust_env=False) as client:
            return client.post(f"{ticket.url}{path}", json=body, headers=headers)
    except httpx.HTTPError as error:
        raise ActionRefused(
            _("The AI runtime at %(url)s does not answer (%(why)s).")
            % {"url": ticket.url, "why": type(error).__name__},
            code="ai_runtime_unreachable",
        ) from error
