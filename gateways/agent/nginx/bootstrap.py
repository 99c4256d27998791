"""What nginx is started with: all that belongs to this node and not to what is published on it."""

from __future__ import annotations

import os
import pwd
import resource
from dataclasses import dataclass, field

from gateways.engine.directives import Directive, Expression, block, directive, render
from gateways.engine.wire import FILES_DIRECTORY, SPOOFED_PREFIXES

CONFIGURATION = "nginx.conf"
SERVED = "served.conf"
SHUTDOWN_S = 10
"""A worker with an old configuration ends the calls that it still carries after this long."""

KEEPALIVE_MIN_MS = 200
"""A caller that calls again within this time never meets a connection that is just being closed."""

_MAP_BUCKETS = 262_144
CALL_MEMORY = "16k"
"""All that a call needs, in one piece. It is also the piece in which nginx keeps its configuration, so that calls live
in the gaps that reading it has left. With nginx's own 4k a call takes three pieces, which musl's allocator gets from
the kernel and gives back anew with almost every call: a quarter of the whole CPU time of a call."""

CALLER_MEMORY = "4k"
"""Room for the head of a call beside the connection, kept as long as it is, instead of got anew with each call."""

_CONNECTIONS = 16_384


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """`features` are the names of directives that this nginx knows and an older or smaller one does not."""

    processes: int
    status: str
    resolver: str
    ca_file: str
    features: frozenset[str]
    hop: str = field(repr=False)


OPTIONAL = ("keepalive_min_timeout", "more_clear_input_headers")
"""Directives that are newer than Debian's nginx, or come with a module: written where they are known."""


def nginx_conf(options: NodeOptions) -> str:
    """The main configuration; the pushed files and `SERVED` are included from beside it."""
    return render(
        [
            *_process(options),
            block(
                "http",
                inside=[
                    *_http(options),
                    directive("include", f"{FILES_DIRECTORY['nginx']}/*.conf"),
                    _status(options),
                ],
            ),
        ]
    )


def served_conf(digest: str) -> str:
    """The file by which a worker knows, and says, which configuration it read."""
    return render([directive("set", Expression("$gatehouse_served"), digest or "nothing")])


def _process(options: NodeOptions) -> list[Directive]:
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = min(_CONNECTIONS, files) if files > 0 else _CONNECTIONS
    found = [
        directive("daemon", "off"),
        directive("worker_processes", options.processes),
        directive("worker_rlimit_nofile", max(connections, 1024)),
        directive("worker_shutdown_timeout", f"{SHUTDOWN_S}s"),
        directive("pid", "nginx.pid"),
        directive("error_log", "stderr", "warn"),
        directive("pcre_jit", "on"),
        block("events", inside=[directive("worker_connections", connections)]),
    ]
    if os.geteuid() == 0:
        # The directory is its owner's alone, and nginx opens its log again as whoever it runs as.
        found.append(directive("user", pwd.getpwuid(0).pw_name))
    return found


def _http(options: NodeOptions) -> list[Directive]:
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    found = [
        directive("error_log", "stderr", "crit"),
        *(directive(f"{name}_temp_path", f"tmp/{name}") for name in temporary),
        directive("access_log", "off"),
        directive("map_hash_max_size", _MAP_BUCKETS),
        directive("map_hash_bucket_size", 512),
        directive("variables_hash_max_size", 8192),
        directive("server_names_hash_bucket_size", 512),
        directive("server_names_hash_max_size", 8192),
        directive("proxy_headers_hash_max_size", 1024),
        directive("proxy_headers_hash_bucket_size", 128),
        directive("uninitialized_variable_warn", "off"),
        directive("resolver", options.resolver, "valid=5s"),
        directive("resolver_timeout", "5s"),
        directive("proxy_ssl_trusted_certificate", options.ca_file),
        directive("connection_pool_size", CALLER_MEMORY),
        directive("request_pool_size", CALL_MEMORY),
        directive("keepalive_timeout", "300s"),
        directive("keepalive_requests", 1_000_000),
        block(
            "map",
            Expression("$server_port"),
            Expression("$gatehouse_hop"),
            inside=[directive("default", options.hop)],
        ),
    ]
    if "keepalive_min_timeout" in options.features:
        found.append(directive("keepalive_min_timeout", f"{KEEPALIVE_MIN_MS}ms"))
    if "more_clear_input_headers" in options.features:
        found.append(directive("more_clear_input_headers", *(f"{head}*" for head in SPOOFED_PREFIXES)))
    return found


def _status(options: NodeOptions) -> Directive:
    """What this worker serves, for the agent alone."""
    answer = Expression("$gatehouse_served $pid")
    return block(
        "server",
        inside=[
            directive("listen", options.status),
            directive("keepalive_timeout", 0),
            block(
                "location",
                "=",
                "/served",
                inside=[directive("include", SERVED), directive("return", 200, answer)],
            ),
        ],
    )
