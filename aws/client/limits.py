"""The fixed rates and the quotas of AWS that the portal lives within.

Rates: what the account as a whole may call in a Region, whoever calls. They cannot be raised.
Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html (control plane, "fixed"),
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html ("API requests").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GATEWAY_LIMITS = "https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"
EXECUTION_LIMITS = "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"
HTTP_API_LIMITS = "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"
LAMBDA_LIMITS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"


@dataclass(frozen=True, slots=True)
class Rate:
    """`calls` in `period_s` seconds on average, and `burst` at once."""

    calls: int
    period_s: float
    burst: int = 1

    @property
    def per_second(self) -> float:
        return self.calls / self.period_s


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate under the name that the page of waits shows. `is_total`: it counts all operations of a service."""

    name: str
    rate: Rate
    is_total: bool = False

    def __str__(self) -> str:
        return f"{self.name}, {self.rate.calls} per {self.rate.period_s:g} s"


@dataclass(frozen=True, slots=True)
class Quota:
    """How many of something may be there. `per` is what they are counted in; `can_be_raised` by asking AWS."""

    name: str
    label: str
    number: int
    per: str
    can_be_raised: bool
    source: str


GATEWAY_TOTAL = Limit("API Gateway: all operations", Rate(10, 1, 40), is_total=True)
LAMBDA_TOTAL = Limit("Lambda: all operations", Rate(15, 1, 15), is_total=True)

_GATEWAY_RATES: Mapping[str, Rate] = {
    "CreateApiKey": Rate(5, 1, 5),
    "DeleteApiKey": Rate(5, 1, 5),
    "CreateRestApi": Rate(1, 3),
    "CreateRestApi (edge)": Rate(1, 30),
    "DeleteRestApi": Rate(1, 30),
    "PutRestApi": Rate(1, 1),
    "CreateDeployment": Rate(1, 5),
    "UpdateUsagePlan": Rate(1, 20),
    "CreateResource": Rate(5, 1, 5),
    "DeleteResource": Rate(5, 1, 5),
    "GetResources": Rate(5, 2, 5),
    "CreateDomainName": Rate(1, 30),
    "UpdateDomainName": Rate(1, 30),
    "DeleteDomainName": Rate(1, 30),
    "UpdateAccount": Rate(1, 20),
    "CreateDocumentationVersion": Rate(1, 20),
    "ImportDocumentationParts": Rate(1, 30),
}
_GATEWAY_V2_RATES: Mapping[str, Rate] = {
    "CreateDeployment": Rate(1, 5),
    "CreateDomainName": Rate(1, 30),
    "UpdateDomainName": Rate(1, 30),
    "DeleteDomainName": Rate(1, 30),
    "CreateVpcLink": Rate(1, 15),
    "DeleteVpcLink": Rate(1, 30),
}
"""The page has one table for all types of APIs and one row per operation: what both versions of the service know is
counted together. Whether AWS counts a deployment of an HTTP API with those of REST APIs is not verified."""

_LAMBDA_OUTSIDE: Mapping[str, Rate] = {"GetFunction": Rate(100, 1, 100), "GetPolicy": Rate(15, 1, 15)}
_LAMBDA_UNLIMITED = frozenset({"Invoke", "InvokeWithResponseStream", "InvokeAsync"})


def limits_of(service: str, operation: str, params: Mapping[str, Any] | None = None) -> tuple[Limit, ...]:
    """The limits that a call eats, the narrowest first; empty where AWS documents none."""
    if service == "apigateway":
        return _own(_GATEWAY_RATES, _rest_operation(operation, params or {}), GATEWAY_TOTAL)
    if service == "apigatewayv2":
        return _own(_GATEWAY_V2_RATES, operation, GATEWAY_TOTAL)
    if service == "lambda":
        return _lambda_limits(operation)
    return ()


def _own(rates: Mapping[str, Rate], operation: str, total: Limit) -> tuple[Limit, ...]:
    return (Limit(operation, rates[operation]), total) if operation in rates else (total,)


def _rest_operation(operation: str, params: Mapping[str, Any]) -> str:
    """CreateRestApi and ImportRestApi eat one limit, and another for an edge-optimised API, which is AWS's default."""
    if operation == "CreateRestApi":
        types = (params.get("endpointConfiguration") or {}).get("types") or ["EDGE"]
    elif operation == "ImportRestApi":
        types = [(params.get("parameters") or {}).get("endpointConfigurationTypes", "EDGE")]
    else:
        return operation
    return "CreateRestApi (edge)" if "EDGE" in types else "CreateRestApi"


def _lambda_limits(operation: str) -> tuple[Limit, ...]:
    if operation in _LAMBDA_UNLIMITED:
        return ()
    if operation in _LAMBDA_OUTSIDE:
        return (Limit(f"Lambda: {operation}", _LAMBDA_OUTSIDE[operation]),)
    return (LAMBDA_TOTAL,)


QUOTAS: Mapping[str, Quota] = {
    quota.name: quota
    for quota in (
        Quota("regional_apis", "Regional REST APIs", 600, "account", False, GATEWAY_LIMITS),
        Quota("edge_apis", "Edge-optimised REST APIs", 120, "account", False, GATEWAY_LIMITS),
        Quota("private_apis", "Private REST APIs", 600, "account", False, GATEWAY_LIMITS),
        Quota("api_keys", "API keys", 10_000, "account", False, GATEWAY_LIMITS),
        Quota("usage_plans", "Usage plans", 300, "account", True, GATEWAY_LIMITS),
        Quota("plans_per_key", "Usage plans of one API key", 10, "key", True, GATEWAY_LIMITS),
        Quota("domain_names", "Custom domain names", 120, "account", True, GATEWAY_LIMITS),
        Quota("vpc_links", "VPC links", 20, "account", True, GATEWAY_LIMITS),
        Quota("client_certificates", "Client certificates", 60, "account", True, GATEWAY_LIMITS),
        Quota("account_rate", "Calls per second of all APIs", 10_000, "account", True, GATEWAY_LIMITS),
        Quota("account_burst", "Burst of all APIs", 5_000, "account", False, GATEWAY_LIMITS),
        Quota("resources", "Resources", 300, "api", True, EXECUTION_LIMITS),
        Quota("stages", "Stages", 10, "api", True, EXECUTION_LIMITS),
        Quota("authorizers", "Authorizers", 10, "api", True, EXECUTION_LIMITS),
        Quota("model_bytes", "Bytes of a model", 400 * 1024, "api", False, EXECUTION_LIMITS),
        Quota(
            "definition_bytes",
            "Bytes of an API's definition",
            6 * 1024 * 1024,
            "api",
            False,
            EXECUTION_LIMITS,
        ),
        Quota("policy_chars", "Characters of a resource policy", 8_192, "api", False, EXECUTION_LIMITS),
        Quota("stage_variables", "Stage variables", 100, "stage", False, EXECUTION_LIMITS),
        Quota(
            "method_throttles",
            "Methods with a limit of their own in a plan",
            20,
            "stage",
            True,
            EXECUTION_LIMITS,
        ),
        Quota(
            "log_format_bytes", "Bytes of an access-log format", 3 * 1024, "stage", False, EXECUTION_LIMITS
        ),
        Quota("template_bytes", "Bytes of a mapping template", 300 * 1024, "method", False, EXECUTION_LIMITS),
        Quota("integration_ms", "Milliseconds of an integration", 29_000, "method", True, EXECUTION_LIMITS),
        Quota("tags", "Tags", 50, "resource", False, GATEWAY_LIMITS),
        Quota("http_routes", "Routes of an HTTP API", 300, "api", True, HTTP_API_LIMITS),
        Quota("http_integrations", "Integrations of an HTTP API", 300, "api", False, HTTP_API_LIMITS),
        Quota("http_authorizers", "Authorizers of an HTTP API", 10, "api", True, HTTP_API_LIMITS),
        Quota(
            "http_integration_ms",
            "Milliseconds of an HTTP API's integration",
            30_000,
            "api",
            False,
            HTTP_API_LIMITS,
        ),
        Quota("concurrency", "Calls at the same time", 1_000, "account", True, LAMBDA_LIMITS),
        Quota(
            "unreserved_concurrency",
            "Concurrency that no function may reserve",
            100,
            "account",
            False,
            LAMBDA_LIMITS,
        ),
        Quota("code_bytes", "Bytes of all code", 75 * 1024**3, "account", True, LAMBDA_LIMITS),
        Quota("zip_bytes", "Bytes of a zip that is sent", 50 * 1024 * 1024, "function", False, LAMBDA_LIMITS),
        Quota("unzipped_bytes", "Bytes of a zip unpacked", 262_144_000, "function", False, LAMBDA_LIMITS),
        Quota("environment_bytes", "Bytes of the environment", 4 * 1024, "function", False, LAMBDA_LIMITS),
        Quota(
            "function_policy_bytes",
            "Bytes of a function's policy",
            20 * 1024,
            "function",
            False,
            LAMBDA_LIMITS,
        ),
        Quota("layers", "Layers", 5, "function", False, LAMBDA_LIMITS),
    )
}
