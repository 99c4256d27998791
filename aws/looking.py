"""Looking at an account: what its quotas are used up to, in one Region. Reads alone, each page counted as a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aws.client.calls import Calls
from aws.client.limits import QUOTAS
from aws.policies.statements import Feature


@dataclass(frozen=True, slots=True)
class Used:
    """So much of a quota. `limit` None: AWS sets none, or none that the portal knows. `unit` is "bytes" or ""."""

    region: str
    name: str
    label: str
    used: int
    limit: int | None
    raisable: bool
    unit: str = ""

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def read_quotas(calls: Calls, features: list[str]) -> Iterator[Used]:
    """Each quota that the features eat. Raises AwsError as the calls do, with what was read before already given."""
    for feature, read in READERS.items():
        if feature in features:
            yield from read(calls)


def _rest(calls: Calls) -> Iterator[Used]:
    apis = list(calls.pages("apigateway", "GetRestApis", "items"))
    regional = [api for api in apis if "EDGE" not in api.get("endpointConfiguration", {}).get("types", [])]
    yield _of("regional_apis", calls, len(regional))
    yield _of("usage_plans", calls, sum(1 for _ in calls.pages("apigateway", "GetUsagePlans", "items")))
    yield _of("api_keys", calls, sum(1 for _ in calls.pages("apigateway", "GetApiKeys", "items")))


def _http(calls: Calls) -> Iterator[Used]:
    apis = sum(1 for _ in calls.pages("apigatewayv2", "GetApis", "Items"))
    yield Used(calls.account.region, "http_apis", "HTTP and WebSocket APIs", apis, None, raisable=True)


def _functions(calls: Calls) -> Iterator[Used]:
    """Lambda tells its own limits: those that were raised are told as raised."""
    said = calls.call("lambda", "GetAccountSettings")
    limit, usage = said["AccountLimit"], said["AccountUsage"]
    all_at_once = limit["ConcurrentExecutions"]
    reserved = all_at_once - limit.get("UnreservedConcurrentExecutions", all_at_once)
    yield _of("concurrency", calls, reserved, limit=all_at_once, label="Concurrency that functions reserve")
    yield _of("code_bytes", calls, usage["TotalCodeSize"], limit=limit["TotalCodeSize"], unit="bytes")
    count = usage["FunctionCount"]
    yield Used(calls.account.region, "functions", "Functions", count, None, raisable=False)


def _of(
    name: str, calls: Calls, used: int, *, limit: int | None = None, label: str = "", unit: str = ""
) -> Used:
    quota = QUOTAS[name]
    most = quota.number if limit is None else limit
    return Used(calls.account.region, name, label or quota.label, used, most, quota.can_be_raised, unit)


READERS: Mapping[str, Callable[[Calls], Iterator[Used]]] = {
    Feature.REST: _rest,
    Feature.HTTP: _http,
    Feature.FUNCTIONS: _functions,
}
