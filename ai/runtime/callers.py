"""Who calls: told by a gateway in front that proves itself, or found by the key where the runtime stands alone.

A call through a gateway comes under `/-/{publication}/` with the gateway's secret in `x-gatehouse-hop`; only then is
anything believed that its headers say of the caller. Any other call is checked by its own key.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ai.runtime.asgi import Request
from ai.runtime.errors import Code, Refused
from ai.runtime.rates import Rates
from ai.runtime.snapshot import Endpoint, Snapshot, Subscription
from ai.runtime.work import Caller

HOP_PREFIX = "/-/"
HOP_HEADER = "x-gatehouse-hop"
SUBSCRIPTION_HEADER = "x-gatehouse-subscription"
MOST_KEY_CHARACTERS = 200
MOST_BASE_PATH_CHARACTERS = 300
"""As the portal allows; what stands behind them in a path is not looked at, however many slashes are there."""


@dataclass(frozen=True, slots=True)
class Found:
    """The caller, and what of the path is left for the API."""

    caller: Caller
    path: str


def find(request: Request, snapshot: Snapshot, rates: Rates, environments: Mapping[str, str]) -> Found:
    """Who makes a call, of which API, on a port that serves `environments` by host. Raises Refused."""
    if request.path.startswith(HOP_PREFIX):
        return _through_gateway(request, snapshot, environments)
    return _alone(request, snapshot, rates, environments)


# ---- behind a gateway ----


def _through_gateway(request: Request, snapshot: Snapshot, environments: Mapping[str, str]) -> Found:
    """The gateway has checked key, subscription, rate and quota; that it is one is checked here."""
    secret = request.headers.get(HOP_HEADER, "")
    if not secret or _digest(secret) not in snapshot.hops:
        raise Refused(
            401, Code.INVALID_KEY, "This address is for gateways. Call the API at the gateway's address."
        )
    name, _, rest = request.path.removeprefix(HOP_PREFIX).partition("/")
    endpoint = snapshot.endpoints.get(name)
    subscription = snapshot.subscriptions.get(request.headers.get(SUBSCRIPTION_HEADER, ""))
    if endpoint is None or endpoint.environment not in environments.values():
        raise Refused(404, Code.NOT_FOUND, "The runtime does not serve this API yet. Try again in a moment.")
    if subscription is None or endpoint.id not in subscription.endpoints:
        text = "The runtime does not know this subscription yet. Try again in a moment."
        raise Refused(403, Code.NOT_SUBSCRIBED, text)
    return Found(Caller(endpoint, subscription, "", subscription.team), rest)


# ---- alone ----


def _alone(request: Request, snapshot: Snapshot, rates: Rates, environments: Mapping[str, str]) -> Found:
    endpoint, rest = _endpoint_at(request, snapshot, environments)
    key = snapshot.keys.get(_digest(given_key(request)))
    if key is None:
        raise Refused(
            401, Code.INVALID_KEY, "The key is missing or not known. Send it as Authorization: Bearer KEY."
        )
    subscription = snapshot.subscriptions.get(key.subscription)
    if subscription is None or endpoint.id not in subscription.endpoints:
        raise Refused(
            403, Code.NOT_SUBSCRIBED, "The key is good, but not for this API. Ask for a subscription."
        )
    _check_block(subscription)
    rates.take_call(subscription)
    return Found(Caller(endpoint, subscription, key.key_id, subscription.team), rest)


def given_key(request: Request, *, most: int = MOST_KEY_CHARACTERS) -> str:
    """The key of a call: `X-API-Key`, or `Authorization: Bearer`. Longer than `most` characters is no key."""
    bearer = request.headers.get("authorization", "")
    found = bearer[7:] if bearer[:7].lower() == "bearer " else ""
    found = request.headers.get("x-api-key") or found
    return found.strip() if len(found) <= most else ""


def _endpoint_at(
    request: Request, snapshot: Snapshot, environments: Mapping[str, str]
) -> tuple[Endpoint, str]:
    """The endpoint with the longest base path that the path begins with, in whole segments; host first."""
    host = request.headers.get("host", "").partition(":")[0].lower()
    environment = environments.get(host, environments.get(""))
    found = [
        endpoint
        for base in _beginnings(request.path)
        for endpoint in snapshot.by_base_path.get(base, ())
        if endpoint.environment == environment and endpoint.host in {"", host}
    ]
    if not found:
        raise Refused(
            404, Code.NOT_FOUND, "There is no API at this path. The catalogue shows the address of each."
        )
    best = max(found, key=lambda endpoint: (bool(endpoint.host), len(endpoint.base_path)))
    return best, request.path[len(best.base_path) :].removeprefix("/")


def _beginnings(path: str) -> Iterator[str]:
    """The base paths that a path may be below: itself, and whatever stands before one of its slashes."""
    yield path
    end = path.rfind("/", 0, MOST_BASE_PATH_CHARACTERS + 1)
    while end >= 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def _check_block(subscription: Subscription) -> None:
    left = subscription.blocked_until - time.time()
    if left > 0:
        text = "The quota of this subscription is used up. It begins anew when Retry-After is over."
        raise Refused(429, Code.QUOTA, text, retry_after=max(1, round(left)))


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
