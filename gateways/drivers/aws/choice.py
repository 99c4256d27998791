"""Which type of API fits what an API needs: the comparison as data, and a recommendation by it.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vs-rest.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api.html, and for prices
https://aws.amazon.com/api-gateway/pricing/. "portal" is what Gatehouse adds, by its own Lambda authorizer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateways.drivers.aws.kinds import ApiType


class Level(StrEnum):
    """How a type does something."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


class Need(StrEnum):
    """What an API can need."""

    KEYS = "keys"
    PLANS = "plans"
    REVOCATION = "revocation"
    VALIDATION = "validation"
    TEMPLATES = "templates"
    SERVICES = "services"
    CANARY = "canary"
    CACHE = "cache"
    JWT = "jwt"
    CORS = "cors"
    MESSAGES = "messages"
    STREAMS = "streams"
    RESOURCE_POLICY = "resource_policy"
    WAF = "waf"
    LOW_PRICE = "low_price"
    LOW_LATENCY = "low_latency"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one type does about one need; `note` says how, or what it costs."""

    level: Level
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison."""

    label: str
    cells: Mapping[ApiType, Cell]


def _row(label: str, rest: Cell, http: Cell, websocket: Cell) -> Row:
    return Row(label, {ApiType.REST: rest, ApiType.HTTP: http, ApiType.WEBSOCKET: websocket})


_YES, _NO = Cell(Level.YES), Cell(Level.NO)


def _yes(note: str) -> Cell:
    return Cell(Level.YES, note)


def _partly(note: str) -> Cell:
    return Cell(Level.PARTLY, note)


_BY_AUTHORIZER = "By the portal's Lambda authorizer: one more invocation at each call."
_BY_CONNECTION = "By the portal's Lambda authorizer, when somebody connects."

COMPARISON: Mapping[Need, Row] = {
    Need.KEYS: _row(
        "API keys",
        _yes("AWS's own; 10,000 for an account and Region."),
        _yes(_BY_AUTHORIZER),
        _yes(_BY_CONNECTION),
    ),
    Need.PLANS: _row(
        "Plans with a rate of calls",
        _yes("Usage plans; best effort, by AWS's own words."),
        _partly("Each running copy of the authorizer counts for itself, and answers 403 in place of 429."),
        _partly("Connections are counted, not messages."),
    ),
    Need.REVOCATION: _row(
        "A revoked key is refused",
        _yes("After up to two minutes."),
        _yes("When Lambda has the new code: after seconds, and proven by its digest."),
        _partly("It cannot connect any more; open connections last two hours at most."),
    ),
    Need.VALIDATION: _row("Bodies and parameters are checked", _YES, _NO, _NO),
    Need.TEMPLATES: _row(
        "Calls and answers are rewritten by templates (VTL)",
        _YES,
        _NO,
        _partly("AWS does; Gatehouse does not set them."),
    ),
    Need.SERVICES: _row(
        "Calls go to SQS or Step Functions without a function",
        _YES,
        _partly("AWS does; Gatehouse does not set it up."),
        _partly("AWS does; Gatehouse does not set it up."),
    ),
    Need.CANARY: _row(
        "A part of the calls meets a new deployment",
        _YES,
        _partly("By weights of a Lambda alias alone."),
        _partly("By weights of a Lambda alias alone."),
    ),
    Need.CACHE: _row("Answers are kept", _YES, _NO, _NO),
    Need.JWT: _row(
        "Tokens (JWT) are checked",
        _partly("By a Cognito or Lambda authorizer."),
        _yes("By API Gateway itself; not together with keys on one operation."),
        _partly("By a Lambda authorizer."),
    ),
    Need.CORS: _row(
        "Web pages of other origins may call",
        _partly("Preflights; with a proxy integration the service itself must name the origin."),
        _YES,
        _yes("The service looks at the Origin when somebody connects."),
    ),
    Need.MESSAGES: _row("Messages both ways on one connection", _NO, _NO, _YES),
    Need.STREAMS: _row("Long answers come in pieces", _YES, _NO, _NO),
    Need.RESOURCE_POLICY: _row("Callers are held to networks or accounts by a policy", _YES, _NO, _NO),
    Need.WAF: _row("Web application firewall (AWS WAF)", _YES, _NO, _NO),
    Need.LOW_PRICE: _row(
        "A low price for many calls",
        _partly("The dearest by the call: some three times an HTTP API."),
        _yes("The cheapest by the call; with keys the authorizer's invocations come on top."),
        _yes("By the message and by minutes of connections."),
    ),
    Need.LOW_LATENCY: _row(
        "Little added time",
        _partly("More than an HTTP API."),
        _yes("The least; with keys the authorizer adds some milliseconds."),
        _YES,
    ),
}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The type that fits best. `lacks` is, for each type, what it does not do of what is needed, and `partly` what it
    does with a reservation. `is_full`: the recommended type does everything."""

    type: ApiType
    lacks: Mapping[ApiType, tuple[Need, ...]]
    partly: Mapping[ApiType, tuple[Need, ...]]

    @property
    def is_full(self) -> bool:
        """Whether nothing is lacking."""
        return not self.lacks[self.type]


def recommended(needs: Collection[Need]) -> Recommendation:
    """The type that lacks least of `needs`, then the one with the fewest reservations, then REST before HTTP.

    Who needs messages both ways gets a WebSocket API, whatever else that lacks, and nobody else does.
    """
    wanted = [need for need in Need if need in needs]
    lacks = {kind: _at(wanted, kind, Level.NO) for kind in ApiType}
    partly = {kind: _at(wanted, kind, Level.PARTLY) for kind in ApiType}
    kinds = [ApiType.WEBSOCKET] if Need.MESSAGES in needs else [ApiType.REST, ApiType.HTTP]
    best = min(kinds, key=lambda kind: (len(lacks[kind]), len(partly[kind])))
    return Recommendation(best, lacks, partly)


def _at(needs: list[Need], kind: ApiType, level: Level) -> tuple[Need, ...]:
    return tuple(need for need in needs if COMPARISON[need].cells[kind].level is level)
