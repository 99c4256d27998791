#!/usr/bin/env python3
"""What a call costs on a gateway of ours, with key, limit and log, against the same gateway bare.

    python -m embedded test -- .venv/bin/python benchmarks/gateway_path.py [quick|normal|full]

Bare has as many routes and upstreams as ours, found in the fastest way that the gateway knows, without key, limit and
log. The bare nginx runs twice, with the sizes of memory that it comes with and with ours, and the faster one counts:
what a call's memory costs depends on them and on the configuration around it, and must not flatter us. All run at once
on one core, with one worker; callers and upstream have the other core; rounds take turns. What is measured is the CPU
time of the gateway, so that callers need not be fast; calls per second on one core follow from it.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.load import Calls, call
from benchmarks.measured import cpu_seconds, family, percentile, pin, report, say, size
from gateways.agent.envoy.plane import envoy_binary
from gateways.agent.nginx.bootstrap import CALL_MEMORY, CALLER_MEMORY
from gateways.agent.nginx.plane import nginx_binary
from gateways.drivers import driver_class
from gateways.engine.diff import diff
from gateways.engine.document import (
    Consumer,
    Document,
    Grant,
    Item,
    Key,
    Limit,
    Route,
    Target,
    Upstream,
    value_digest,
)
from tests.gateways.documents import key_value
from tests.gateways.gateway_node import RunningNode, free_port, wait_for

GATEWAY_CORE, OTHER_CORE = 0, 1
GOALS = {"envoy": 0.75, "nginx": 0.85}
LABELS = {"envoy": "Envoy", "nginx": "nginx"}
KEYS_OF_EACH = 10
CALLED = 50
"""So many APIs are called in turn, spread over the catalogue."""


@dataclass(frozen=True, slots=True)
class Size:
    """`catalogues` are numbers of APIs, with KEYS_OF_EACH keys each."""

    catalogues: tuple[int, ...]
    rounds: int
    calls: int


SIZES = {
    "quick": Size((1,), 2, 4_000),
    "normal": Size((1, 1_000), 6, 16_000),
    "full": Size((1, 100, 1_000), 12, 40_000),
}


@dataclass
class OneWorker(RunningNode):
    """A node whose gateway has one worker, so that all of it runs on one core."""

    @property
    def environment(self) -> dict[str, str]:
        one = dict.fromkeys(("GATEHOUSE_ENVOY_CONCURRENCY", "GATEHOUSE_NGINX_CONCURRENCY"), "1")
        return {**super().environment, **one}


@dataclass
class Contender:
    """A gateway that runs, what to call there, and the microseconds of CPU per call in each round."""

    pids: list[int]
    calls: list[Calls]
    found: list[float] = field(default_factory=list)

    def measure(self, count: int) -> None:
        """One round."""
        before = cpu_seconds(self.pids)
        call(self.calls, count, OTHER_CORE)
        self.found.append((cpu_seconds(self.pids) - before) / count * 1e6)

    @property
    def microseconds(self) -> float:
        return statistics.median(self.found)


def compare(kind: str, apis: int, size: Size, upstream: int) -> None:
    """Measure one kind of gateway with a catalogue of `apis`, and report it."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        ours = stack.enter_context(our_gateway(kind, apis, Path(directory), upstream))
        bares = [stack.enter_context(bare(Path(directory), apis, upstream)) for bare in BARE[kind]]
        for contender in (ours, *bares):
            contender.measure(size.calls // 4)
            contender.found.clear()
        for _round in range(size.rounds):
            for contender in (*bares, ours):
                contender.measure(size.calls)
    _report(kind, apis, ours, min(bares, key=lambda bare: bare.microseconds))


def _report(kind: str, apis: int, ours: Contender, bare: Contender) -> None:
    ratio = bare.microseconds / ours.microseconds
    keys = f"{apis:,} APIs, {apis * KEYS_OF_EACH:,} keys" if apis > 1 else f"1 API, {KEYS_OF_EACH} keys"
    spread = f"{percentile(ours.found, 0):.1f} to {max(ours.found):.1f} us over {len(ours.found)} rounds"
    note = f"CPU per call: bare {bare.microseconds:.1f} us, ours {ours.microseconds:.1f} us ({spread})"
    name = f"{LABELS[kind]}, key + limit + log against bare, {keys}"
    report(name, ratio, "x", goal=f">= {GOALS[kind]}", note=note)
    report(f"{name}: calls/s per core", 1e6 / ours.microseconds, "calls/s", note="from CPU per call")


# ---- ours ----


@contextlib.contextmanager
def our_gateway(kind: str, apis: int, directory: Path, upstream: int) -> Iterator[Contender]:
    """A real agent with its gateway, to which a catalogue was pushed."""
    node = OneWorker(directory / "agent", kind)
    node.start()
    try:
        _push(kind, node, catalogue(apis, upstream))
        assert node.process is not None
        gateway = [pid for pid in family(node.process.pid) if pid != node.process.pid]
        pin(gateway, GATEWAY_CORE)
        pin([node.process.pid], OTHER_CORE)
        yield Contender(gateway, [_calls(node.production_port, n) for n in _spread(apis)])
    finally:
        node.stop()


def _push(kind: str, node: RunningNode, document: Document) -> None:
    driver = driver_class(kind)(node.connection())
    changes = diff(driver.observe(None), driver.adapt(document).document)
    driver.apply(changes, lambda _step, _detail: None)
    assert not driver.verify(changes).unconfirmed


def _spread(apis: int) -> range:
    return range(0, apis, max(1, apis // CALLED))


def _calls(port: int, api: int) -> Calls:
    return Calls(port, f"{_base_path(api)}/orders", key_value(f"{api * KEYS_OF_EACH}"))


def _base_path(api: int) -> str:
    return f"/shop/orders-{api}/v1"


def catalogue(apis: int, upstream: int) -> Document:
    """APIs with an upstream, a plan and KEYS_OF_EACH subscriptions each, as `gateways.desired` would give them."""
    return Document.of(item for api in range(apis) for item in _api(api, upstream))


def _api(api: int, upstream: int) -> Iterator[Item]:
    yield Upstream(f"bnd_{api}", f"shop/orders-{api}", (Target(f"http://127.0.0.1:{upstream}"),))
    yield Limit(f"plr_{api}", "bronze r1", 1_000_000, 1, 1_000_000)
    yield Consumer(f"app_{api}", f"logistics/tours-{api}")
    name, path = f"shop/orders-{api}", _base_path(api)
    yield Route(f"pub_{api}", name, "production", path, f"bnd_{api}", f"ver_{api}", f"rev_{api}")
    for number in range(api * KEYS_OF_EACH, (api + 1) * KEYS_OF_EACH):
        yield Grant(f"sub_{number}", f"tours to {api}", f"app_{api}", (f"pub_{api}",), f"plr_{api}")
        value = key_value(f"{number}")
        yield Key(f"cred_{number}", value[3:19], f"sub_{number}", value_digest(value), value)


# ---- bare ----


@contextlib.contextmanager
def bare_envoy(directory: Path, apis: int, upstream: int) -> Iterator[Contender]:
    """An Envoy with the routes and upstreams of as many APIs, and nothing else."""
    port = free_port()
    path = directory / "bare-envoy.json"
    path.write_text(json.dumps(_envoy_configuration(port, apis, upstream)))
    more = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    with _running([envoy_binary(""), "--config-path", str(path), *more], port) as pids:
        yield Contender(pids, [Calls(port, f"{_base_path(n)}/orders") for n in _spread(apis)])


def _envoy_configuration(port: int, apis: int, upstream: int) -> dict[str, object]:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": _typed("extensions.filters.http.router.v3.Router"),
    }
    manager = _typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="bare",
        route_config={"virtual_hosts": [{"name": "any", "domains": ["*"], "matcher": _routes(apis)}]},
        http_filters=[router],
    )
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    listener = {"name": "bare", "address": _address(port), "filter_chains": [chain]}
    clusters = [_cluster(api, upstream) for api in range(apis)]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _typed(message: str, **fields: object) -> dict[str, object]:
    return {"@type": f"type.googleapis.com/envoy.{message}", **fields}


def _routes(apis: int) -> dict[str, object]:
    """The routes as a tree of prefixes: a list of them would be tried one after the other."""
    path = _typed("type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":path")
    routes = {f"{_base_path(api)}/": _routed(api) for api in range(apis)}
    return {
        "matcher_tree": {
            "input": {"name": "path", "typed_config": path},
            "prefix_match_map": {"map": routes},
        }
    }


def _routed(api: int) -> dict[str, object]:
    """The base path is taken off, as ours takes it off."""
    prefix = f"{_base_path(api)}/"
    route = {"cluster": f"bnd_{api}", "prefix_rewrite": "/"}
    action = _typed("config.route.v3.Route", match={"prefix": prefix}, route=route)
    return {"action": {"name": "route", "typed_config": action}}


def _cluster(api: int, upstream: int) -> dict[str, object]:
    endpoint = {"endpoint": {"address": _address(upstream)}}
    assignment = {"cluster_name": f"bnd_{api}", "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": f"bnd_{api}", "type": "STATIC", "load_assignment": assignment}


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@contextlib.contextmanager
def bare_nginx(directory: Path, apis: int, upstream: int, memory: str = "") -> Iterator[Contender]:
    """An nginx with the routes and upstreams of as many APIs, and nothing else. `memory` sets its sizes of memory."""
    port = free_port()
    groups = "".join(
        f"upstream bnd_{api} {{ server 127.0.0.1:{upstream}; keepalive 64; }}" for api in range(apis)
    )
    routes = "".join(
        f"location {_base_path(api)}/ {{ proxy_pass http://bnd_{api}/; }}" for api in range(apis)
    )
    inside = f"""
        {memory}
        proxy_buffering off;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        {groups}
        server {{ listen 127.0.0.1:{port}; {routes} }}"""
    name = "bare-nginx-with-our-memory" if memory else "bare-nginx"
    with _nginx(directory / name, inside, port) as pids:
        yield Contender(pids, [Calls(port, f"{_base_path(n)}/orders") for n in _spread(apis)])


OUR_MEMORY = f"connection_pool_size {CALLER_MEMORY}; request_pool_size {CALL_MEMORY};"
BARE: dict[str, tuple[Callable[[Path, int, int], contextlib.AbstractContextManager[Contender]], ...]] = {
    "envoy": (bare_envoy,),
    "nginx": (bare_nginx, partial(bare_nginx, memory=OUR_MEMORY)),
}


@contextlib.contextmanager
def upstream_server(directory: Path) -> Iterator[int]:
    """An nginx that answers everything with a few bytes, on the core of the callers; its port."""
    port = free_port()
    inside = f"""
        server {{
            listen 127.0.0.1:{port};
            default_type application/json;
            return 200 '{{"orders": []}}';
        }}"""
    with _nginx(directory / "upstream", inside, port) as pids:
        pin(pids, OTHER_CORE)
        yield port


@contextlib.contextmanager
def _nginx(directory: Path, inside: str, port: int) -> Iterator[list[int]]:
    directory.mkdir()
    temporary = "".join(
        f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid nginx.pid; events {{ worker_connections 1024; }} "
        f"http {{ access_log off; keepalive_requests 1000000; {temporary} {inside} }}"
    )
    command = [nginx_binary(""), "-p", f"{directory}/", "-c", "nginx.conf", "-e", "stderr"]
    # The master listens before its worker is there.
    with _running(command, port, processes=2) as pids:
        yield pids


@contextlib.contextmanager
def _running(command: list[str], port: int, processes: int = 1) -> Iterator[list[int]]:
    """The processes of `command` once it listens and all are there, on the core of the gateways."""
    process = subprocess.Popen(command)
    try:
        wait_for(lambda: RunningNode.listens(port) and len(family(process.pid)) >= processes)
        pids = family(process.pid)
        pin(pids, GATEWAY_CORE)
        yield pids
    finally:
        process.terminate()
        process.wait(10)


def main() -> None:
    """Measure every kind with every catalogue."""
    chosen = SIZES[size()]
    with tempfile.TemporaryDirectory() as directory, upstream_server(Path(directory)) as upstream:
        for kind in LABELS:
            for apis in chosen.catalogues:
                say(f"gateway path: {kind}, {apis} APIs")
                compare(kind, apis, chosen, upstream)


if __name__ == "__main__":
    main()
