"""Publications as locations: one server per host of a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from gateways.drivers.agents.names import address
from gateways.drivers.agents.places import longest_first, routes_by_host
from gateways.drivers.nginx import answers
from gateways.drivers.nginx.calls import logged
from gateways.drivers.nginx.limits import named_shape
from gateways.drivers.nginx.upstreams import passed_to
from gateways.engine.directives import Directive, Expression, block, directive, written
from gateways.engine.document import Document, Route, Upstream
from gateways.engine.driver import Listener


def file_name(port: int) -> str:
    """The file of a port's routes."""
    return f"routes-{port}.conf"


def servers(
    port: int, listeners: Sequence[Listener], document: Document, shapes: Mapping[str, Sequence[str]], at: str
) -> list[Directive]:
    """All servers of one port on the node's address `at`, by host."""
    upstreams = {upstream.id: upstream for upstream in document.of_kind(Upstream)}
    hosts = routes_by_host(listeners, list(document.of_kind(Route)))
    found = []
    for host in sorted(hosts):
        inside = [directive("listen", _listen(at, port), *([] if host else ["default_server"]))]
        inside += [directive("server_name", host)] if host else []
        inside += [logged(), *answers.pages()]
        for route in longest_first(hosts[host]):
            inside.append(_written(route, upstreams[route.upstream], tuple(shapes.get(route.id, ()))))
        found.append(block("server", inside=[*inside, *answers.locations()]))
    return found


def _listen(at: str, port: int) -> str:
    return f"[{at}]:{port}" if ":" in at else f"{at}:{port}"


@lru_cache(maxsize=20_000)
def _written(route: Route, upstream: Upstream, shapes: tuple[str, ...]) -> Directive:
    """The locations of a route inside of a server, kept because most are the same from push to push."""
    return written(_locations(route, upstream, shapes), depth=1)


def _locations(route: Route, upstream: Upstream, shapes: Sequence[str]) -> list[Directive]:
    """Two that do the same: the path itself and all below it, and nothing that merely begins like it."""
    inside = _inside(route, upstream, shapes)
    about = f"route/{route.id}"
    return [
        block("location", "=", route.base_path, inside=inside, about=about),
        block("location", f"{route.base_path}/", inside=inside, about=about),
    ]


def _inside(route: Route, upstream: Upstream, shapes: Sequence[str]) -> list[Directive]:
    authority = address(upstream.targets[0].url).authority
    return [
        directive("set", Expression("$gatehouse_route"), route.id),
        directive("set", Expression("$gatehouse_host"), authority),
        block("if", Expression("($gatehouse_refusal)"), inside=[directive("return", answers.REFUSE)]),
        *(_limited(shape) for shape in shapes),
        *passed_to(upstream),
    ]


def _limited(name: str) -> Directive:
    """nginx counts the call that is under way beside the burst."""
    burst = named_shape(name).burst - 1
    return directive("limit_req", f"zone={name}", *([f"burst={burst}"] if burst else []), "nodelay")
