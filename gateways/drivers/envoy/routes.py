"""Publications as routes (RDS): one route configuration per port."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from gateways.drivers.agents.names import address
from gateways.drivers.agents.places import longest_first, routes_by_host
from gateways.drivers.envoy import filters, tree
from gateways.drivers.envoy.resources import HTTP, ROUTES, Json, seconds, typed
from gateways.engine.document import Document, Grant, Route, Upstream, canonical_json
from gateways.engine.driver import Listener
from gateways.engine.wire import HOP_HEADER, HOP_VARIABLE

CORS_FILTER = "envoy.filters.http.cors"
_CORS_HEADERS = (
    "authorization, x-api-key, content-type, accept, accept-language, idempotency-key, if-match, *"
)
_CORS_EXPOSED = "x-request-id, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
_DOT_SEGMENT = r"[^?#]*/\.\.?(;|%3[bB]).*"


def config_name(port: int) -> str:
    """The name of a port's route configuration."""
    return f"port-{port}"


def route_configuration_text(
    port: int, listeners: Sequence[Listener], document: Document, allowed: Mapping[str, Sequence[str]]
) -> str:
    """All routes of one port, by host, in canonical JSON; `allowed` are the subscriptions to each."""
    upstreams = {upstream.id: upstream for upstream in document.of_kind(Upstream)}
    hosts = routes_by_host(listeners, list(document.of_kind(Route)))
    virtual = []
    for host in sorted(hosts):
        claims: dict[str, list[str]] = {}
        for route in longest_first(hosts[host]):
            text = _claim_text(route, upstreams[route.upstream], tuple(allowed.get(route.id, ())))
            claims.setdefault(route.base_path, []).append(text)
        virtual.append(_virtual_host_text(host, claims))
    head = canonical_json({"@type": ROUTES, "name": config_name(port)})
    return f'{head[:-1]},"virtual_hosts":[{",".join(virtual)}]}}'


@lru_cache(maxsize=20_000)
def _claim_text(route: Route, upstream: Upstream, clients: tuple[str, ...]) -> str:
    """A route in its tree, in canonical JSON: kept because most routes are the same from push to push."""
    return canonical_json(tree.claim(route_entry(route, upstream, clients)))


def allowed_clients(grants: Iterable[Grant]) -> dict[str, list[str]]:
    """The subscriptions that may call each route."""
    allowed: dict[str, list[str]] = {}
    for grant in grants:
        for route in grant.routes:
            allowed.setdefault(route, []).append(grant.id)
    return allowed


def route_entry(route: Route, upstream: Upstream, clients: Sequence[str]) -> Json:
    """One publication. It is protected by construction: the sentinel is always on its list of clients."""
    return {
        "name": route.id,
        **(_PROOF if upstream.hop else {}),
        "match": {"path_separated_prefix": route.base_path},
        "route": {
            "cluster": upstream.id,
            "timeout": seconds(upstream.timeout_ms),
            "auto_host_rewrite": True,
            "regex_rewrite": _take_off(route.base_path, address(upstream.targets[0].url).prefix),
            "retry_policy": _RETRY,
        },
        "request_headers_to_remove": [filters.LIMIT_HEADER, filters.KEY_HEADER],
        "typed_per_filter_config": _per_filter(route, clients),
    }


_PROOF: Json = {
    # The node's own: the agent starts Envoy with it, so that it stands in no file of routes.
    "request_headers_to_add": [
        {
            "header": {"key": HOP_HEADER, "value": f"%ENVIRONMENT({HOP_VARIABLE})%"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    ]
}
_RETRY = {
    # Only what never reached the upstream is tried again: a call is not sent twice.
    "retry_on": "connect-failure,refused-stream",
    "num_retries": 1,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
        }
    ],
    "host_selection_retry_max_attempts": 3,
}


def _per_filter(route: Route, clients: Sequence[str]) -> Json:
    config: Json = {
        filters.KEYS: typed(
            f"{HTTP}.api_key_auth.v3.ApiKeyAuthPerRoute",
            allowed_clients=[filters.SENTINEL, *sorted(clients)],
            forwarding=filters.key_forwarding(),
        )
    }
    if route.cors_origins:
        config[CORS_FILTER] = _cors(route.cors_origins)
    return config


def _cors(origins: Sequence[str]) -> Json:
    return typed(
        f"{HTTP}.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in sorted(origins)],
        allow_methods="GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        allow_headers=_CORS_HEADERS,
        expose_headers=_CORS_EXPOSED,
        max_age="600",
        allow_credentials=False,
    )


def _take_off(base_path: str, prefix: str) -> Json:
    """Rewrite `base_path` to the target's own prefix. A plain prefix rewrite would double the slash."""
    substitution = f"{prefix}/".replace("\\", "\\\\")
    return {"pattern": {"regex": f"^{re.escape(base_path)}/?"}, "substitution": substitution}


def _virtual_host_text(host: str, claims: Mapping[str, Sequence[str]]) -> str:
    matcher = tree.tree_text([_refused_dot_segments()], claims, _unknown_path())
    domains, name = canonical_json([host or "*"]), canonical_json(host or "any")
    return f'{{"domains":{domains},"matcher":{matcher},"name":{name}}}'


def _refused_dot_segments() -> Json:
    """`/..;/` is a plain segment to Envoy and a step upwards to some servers behind it."""
    answer = {"status": 400, "body": {"inline_string": "The path holds a dot segment with a parameter."}}
    return _direct({"safe_regex": {"regex": _DOT_SEGMENT}}, answer)


def _unknown_path() -> Json:
    return _direct({"prefix": "/"}, {"status": 404})


def _direct(match: Json, answer: Json) -> Json:
    """An answer of the gateway's own, without a key and without a name, so that no feed line comes of it."""
    disabled = typed("envoy.config.route.v3.FilterConfig", disabled=True)
    return {
        "match": match,
        "direct_response": answer,
        "typed_per_filter_config": dict.fromkeys(filters.CHAIN, disabled),
    }
