"""What drivers and agents agree on: file names, the log line, how a version is named.

They are two programs that import nothing of each other, so their agreement stands here and in `pushes`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from gateways.engine.document import Kind

ACCESS_LOG = "usage/access.log"
"""Where the gateway writes its access log, relative to the directory it runs in."""

XDS_DIRECTORY = "xds"
FILES_DIRECTORY: Mapping[str, str] = {"envoy": XDS_DIRECTORY, "nginx": "conf", "ai_runtime": "snapshot"}
"""Where the swapped files live, by kind of gateway, relative to the directory the gateway runs in."""

FILE_SUFFIX: Mapping[str, str] = {"envoy": ".json", "nginx": ".conf", "ai_runtime": ".json"}

SYSTEM_CA_SECRET = "gatehouse.system_ca"  # noqa: S105 - the name of an Envoy resource
"""Name of the secret under which the agent's bootstrap gives the node's own certificate authorities."""

SPOOFED_PREFIXES = ("x-gatehouse-", "x-consumer-", "x-envoy-", "x-authenticated-", "x-credential-")
"""How the names of headers begin that say who calls: a gateway takes away those that a caller sent."""

LOG_FIELDS = (
    "%START_TIME(%s.%3f)%",
    "%ROUTE_NAME%",
    "%REQ(x-gatehouse-subscription)%",
    "%FILTER_STATE(gatehouse.header_key:PLAIN)%",
    "%FILTER_STATE(gatehouse.bearer_key:PLAIN)%",
    "%REQ(:METHOD):20%",
    "%RESPONSE_CODE%",
    "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
    "%DURATION%",
    "%BYTES_RECEIVED%",
    "%BYTES_SENT%",
    "%REQ(x-request-id)%",
    "%RESPONSE_FLAGS%",
    "%RESPONSE_CODE_DETAILS%",
    "%FILTER_STATE(gatehouse.path:PLAIN):1024%",
)
"""What Envoy writes per call, tabs between. The path stands last, as the only field a caller fills freely."""

NGINX_LOG_FIELDS = (
    "$msec",
    "$gatehouse_route",
    "$gatehouse_subscription",
    "$gatehouse_key_id",
    "-",
    "$request_method",
    "$status",
    "$request_time",
    "$upstream_header_time",
    "-",
    "$content_length",
    "$body_bytes_sent",
    "$request_id",
    "$gatehouse_failure",
    "$gatehouse_refusal",
    "$gatehouse_path",
)
"""What nginx writes per call, in the same places: the time is that of the end, times are seconds, a key is named by
its public id, a failure is one of those of `gateways.agent.feed`."""

HOP_HEADER = "x-gatehouse-hop"
HOP_VARIABLE = "GATEHOUSE_HOP"
"""The header in which a gateway shows an AI runtime that it is one, and the variable from which Envoy takes it."""


def hop_secret(token: str) -> str:
    """What a gateway shows to AI runtimes: made of the token that its agent and the portal share, so that neither has
    to be told it."""
    return hmac.digest(token.encode(), b"gatehouse ai hop 1", "sha256").hex()


_ENVOY_FILES: Mapping[Kind, tuple[str, ...]] = {
    Kind.UPSTREAM: ("cds",),
    Kind.LIMIT: ("ecds-limits", "ecds-buckets"),
    Kind.CONSUMER: ("ecds-applications",),
    Kind.ROUTE: ("lds", "rds"),
    Kind.GRANT: ("lds", "rds", "ecds-limits", "ecds-applications"),
    Kind.KEY: ("lds", "ecds-keys"),
    Kind.BLOCK: ("ecds-limits",),
}
_NGINX_FILES: Mapping[Kind, tuple[str, ...]] = {
    Kind.UPSTREAM: ("upstreams", "gateway"),
    Kind.LIMIT: ("limits", "gateway"),
    Kind.CONSUMER: ("subscriptions", "gateway"),
    Kind.ROUTE: ("routes", "gateway"),
    Kind.GRANT: ("subscriptions", "routes", "gateway"),
    Kind.KEY: ("keys", "gateway"),
    Kind.BLOCK: ("blocks", "gateway"),
}
AI_FILES: Mapping[Kind, str] = {
    Kind.LIMIT: "limits.json",
    Kind.CONSUMER: "consumers.json",
    Kind.ROUTE: "routes.json",
    Kind.GRANT: "grants.json",
    Kind.KEY: "keys.json",
    Kind.BLOCK: "blocks.json",
    Kind.PROVIDER: "providers.json",
    Kind.PROVIDER_KEY: "provider-keys.json",
    Kind.MODEL: "models.json",
    Kind.MODEL_ROUTE: "model-routes.json",
    Kind.PROMPT: "prompts.json",
    Kind.ENDPOINT: "endpoints.json",
    Kind.CALLER: "callers.json",
    Kind.BUDGET: "budgets.json",
    Kind.HOP: "hops.json",
}
"""The snapshot of an AI runtime: one file for each kind of object."""
AI_LISTENERS_FILE = "listeners.json"

_AI_HEADS = {kind: (name.removesuffix(".json"), "listeners") for kind, name in AI_FILES.items()}
REALISED_IN: Mapping[str, Mapping[Kind, tuple[str, ...]]] = {
    "envoy": _ENVOY_FILES,
    "nginx": _NGINX_FILES,
    "ai_runtime": _AI_HEADS,
}
"""The files, by kind of gateway and the head of their names, without which an object of a kind is not in force."""


def subscription_of(name: str) -> str:
    """The name under which Envoy counts and versions the file `name`.

    `rds-8080.json` holds the route configuration `port-8080`, `ecds-keys.json` the filter `gatehouse.keys`.
    """
    head, _, rest = name.removesuffix(".json").partition("-")
    match head:
        case "cds":
            return "cluster_manager.cds"
        case "lds":
            return "listener_manager.lds"
        case "rds":
            return f"http.port-{rest}.rds.port-{rest}"
        case _:
            return f"extension_config_discovery.http_filter.gatehouse.{rest}"


def version_of(text: str) -> str:
    """The `version_info` of an xDS file in canonical JSON, which ends with it."""
    return text.rpartition('"version_info":"')[2].removesuffix('"}')


def content_digest(text: str) -> str:
    """SHA-256 (hex) of a file's content."""
    return hashlib.sha256(text.encode()).hexdigest()
