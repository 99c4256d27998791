"""AWS's own token buckets: per account and Region, fixed.

API Gateway: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html ("fixed" control-plane limits; all
operations of REST, HTTP and WebSocket APIs stand on one page and one total). Lambda:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html. The table is not the client's: what the client
believes is held against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from tests.aws.fake.refusals import Refused

type Rate = tuple[float, int]
"""Calls per second, and burst."""

GATEWAY_TOTAL: Rate = (10, 40)
GATEWAY: Mapping[str, Rate] = {
    "CreateApiKey": (5, 5),
    "DeleteApiKey": (5, 5),
    "CreateRestApi": (1 / 3, 1),
    "CreateRestApi edge": (1 / 30, 1),
    "DeleteRestApi": (1 / 30, 1),
    "PutRestApi": (1, 1),
    "CreateDeployment": (1 / 5, 1),
    "UpdateUsagePlan": (1 / 20, 1),
    "CreateResource": (5, 5),
    "DeleteResource": (5, 5),
    "GetResources": (5 / 2, 5),
    "CreateDomainName": (1 / 30, 1),
    "UpdateDomainName": (1 / 30, 1),
    "DeleteDomainName": (1 / 30, 1),
    "UpdateAccount": (1 / 20, 1),
    "CreateVpcLink": (1 / 15, 1),
    "DeleteVpcLink": (1 / 30, 1),
}
LAMBDA_TOTAL: Rate = (15, 15)
LAMBDA: Mapping[str, Rate] = {"GetFunction": (100, 100), "GetPolicy": (15, 15)}


@dataclass(slots=True)
class Bucket:
    """Full at first."""

    rate: float
    burst: int
    tokens: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until a token is there."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (1 - self.tokens) / self.rate) if self.tokens < 1 - 1e-9 else 0.0


@dataclass(slots=True)
class Rates:
    """The buckets of all accounts. `is_on` False lets everything through."""

    buckets: dict[tuple[str, str, str], Bucket] = field(default_factory=dict)
    is_on: bool = True
    throttled: int = 0

    def count(
        self, share: tuple[str, str], service: str, operation: str, params: Mapping[str, Any], now: float
    ) -> None:
        """Take a token of each limit. Raises Refused as AWS throttles."""
        if not self.is_on:
            return
        found = [self._bucket(share, name, rate, now) for name, rate in _rates_of(service, operation, params)]
        wait = max((bucket.wait(now) for bucket in found), default=0.0)
        if wait:
            self.throttled += 1
            raise _throttled(service, wait)
        for bucket in found:
            bucket.tokens -= 1

    def _bucket(self, share: tuple[str, str], name: str, rate: Rate, now: float) -> Bucket:
        return self.buckets.setdefault((*share, name), Bucket(rate[0], rate[1], rate[1], now))


def _rates_of(service: str, operation: str, params: Mapping[str, Any]) -> list[tuple[str, Rate]]:
    if service in {"apigateway", "apigatewayv2"}:
        name = _gateway_name(operation, params)
        own = [(name, GATEWAY[name])] if name in GATEWAY else []
        return [*own, ("apigateway", GATEWAY_TOTAL)]
    if service == "lambda" and operation in LAMBDA:
        return [(f"lambda {operation}", LAMBDA[operation])]
    if service == "lambda" and operation != "Invoke":
        return [("lambda", LAMBDA_TOTAL)]
    return []


def _gateway_name(operation: str, params: Mapping[str, Any]) -> str:
    """Edge is AWS's default."""
    if operation == "CreateRestApi":
        is_edge = (params.get("endpointConfiguration", {}).get("types") or ["EDGE"]) == ["EDGE"]
    elif operation == "ImportRestApi":
        is_edge = params.get("parameters", {}).get("endpointConfigurationTypes", "EDGE") == "EDGE"
    else:
        return operation
    return "CreateRestApi edge" if is_edge else "CreateRestApi"


def _throttled(service: str, wait: float) -> Refused:
    """API Gateway says in a header for how long; Lambda says [S] "Rate Exceeded."."""
    if service == "lambda":
        return Refused("TooManyRequestsException", "Rate Exceeded.", 429)
    return Refused("TooManyRequestsException", "Too Many Requests", 429, retryAfterSeconds=ceil(wait))
