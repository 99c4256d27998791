"""The listeners (LDS): one per port. They are fixed; what changes with the catalogue is RDS and ECDS."""

from __future__ import annotations

from gateways.drivers.agents.identity import SPOOFED_HEADERS, SPOOFED_PREFIXES
from gateways.drivers.envoy import filters
from gateways.drivers.envoy.problems import local_replies
from gateways.drivers.envoy.resources import HTTP, LISTENER, Json, from_file, typed
from gateways.drivers.envoy.routes import CORS_FILTER, config_name
from gateways.engine.wire import ACCESS_LOG, LOG_FIELDS

FRONT = "gatehouse.front"
CALL = "gatehouse.call"
QUOTA = "gatehouse.quota"

_KEY_HEAD_CHARS = 19
"""Prefix and public id of a key; the secret begins behind them."""


def routes_file(port: int) -> str:
    """The file of a port's routes."""
    return f"rds-{port}.json"


def listener(port: int, address: str) -> Json:
    """The listener of one port on the node's `address`."""
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        **_connection(port),
        **_paths_and_headers(),
        access_log=[_access_log()],
        local_reply_config=local_replies(),
        http_filters=_chain(),
    )
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {
        "@type": LISTENER,
        "name": f"port-{port}",
        "address": {"socket_address": {"address": address, "port_value": port}},
        "per_connection_buffer_limit_bytes": 65_536,
        "filter_chains": [chain],
    }


def _connection(port: int) -> Json:
    return {
        "stat_prefix": f"port-{port}",
        "rds": {"route_config_name": config_name(port), "config_source": from_file(routes_file(port))},
        "server_name": "gatehouse",
        "server_header_transformation": "APPEND_IF_ABSENT",
        "request_headers_timeout": "15s",
        "stream_idle_timeout": "300s",
        "drain_timeout": "5s",
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "max_headers_count": 100,
            # `x_gatehouse_subscription` reads like ours to many servers behind.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
    }


def _paths_and_headers() -> Json:
    return {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "strip_any_host_port": True,
        "use_remote_address": True,
        "always_set_request_id_in_response": True,
    }


def _chain() -> list[Json]:
    router = typed(f"{HTTP}.router.v3.Router", suppress_envoy_headers=True)
    return [
        {"name": FRONT, "typed_config": _front()},
        {"name": CALL, "typed_config": _call()},
        {"name": CORS_FILTER, "typed_config": typed(f"{HTTP}.cors.v3.Cors")},
        filters.slot(filters.KEYS),
        filters.slot(filters.LIMITS),
        {"name": QUOTA, "typed_config": _quota()},
        filters.slot(filters.BUCKETS),
        filters.slot(filters.APPLICATIONS),
        {"name": "envoy.filters.http.router", "typed_config": router},
    ]


def _front() -> Json:
    """Take away every header that a caller could use to say who it is."""
    prefixes = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in SPOOFED_PREFIXES]
    names = [{"remove": name} for name in SPOOFED_HEADERS]
    return typed(
        f"{HTTP}.header_mutation.v3.HeaderMutation", mutations={"request_mutations": prefixes + names}
    )


def _quota() -> Json:
    """Refuse a subscription whose limit is the date at which its block ends. `problems` makes a 429 of it."""
    blocked = {"header": {"name": filters.LIMIT_HEADER, "string_match": {"suffix": filters.DATE_END}}}
    policy = {"permissions": [blocked], "principals": [{"any": True}]}
    return typed(f"{HTTP}.rbac.v3.RBAC", rules={"action": "DENY", "policies": {"quota": policy}})


def _call() -> Json:
    """Keep for the access log what is gone when it is written: the key's public head and the path as sent."""
    bearer = _KEY_HEAD_CHARS + len("Bearer ")
    return typed(
        f"{HTTP}.set_filter_state.v3.Config",
        on_request_headers=[
            _state("gatehouse.header_key", f"%REQ({filters.KEY_HEADER}):{_KEY_HEAD_CHARS}%"),
            _state("gatehouse.bearer_key", f"%REQ(authorization):{bearer}%"),
            _state("gatehouse.path", "%PATH(NQ:PATH)%"),
        ],
    )


def _state(name: str, text: str) -> Json:
    return {
        "object_key": name,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": text}, "omit_empty_values": True},
        "skip_if_empty": True,
    }


def _access_log() -> Json:
    line = "\t".join(LOG_FIELDS) + "\n"
    config = typed(
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        path=ACCESS_LOG,
        log_format={"text_format_source": {"inline_string": line}},
    )
    return {"name": "envoy.access_loggers.file", "typed_config": config}
