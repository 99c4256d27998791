"""The routes of one virtual host as a tree, in which Envoy finds one of a thousand as fast as one of ten.

Envoy tries a list of routes one by one. In a `matcher` it goes down a tree instead (`prefix_match_map`), letter by
letter, to the longest base path with which the path of a call begins:

    guards      predicates that are looked at first, each with its own answer
    claims      base path -> the routes there, each behind a predicate that asks for whole segments
    otherwise   the answer to every other path

A route asks the same as its predicate, and the predicate is needed all the same. Where a predicate says no, Envoy goes
on with the next shorter base path: `/shop/orders/v1x` begins with `/shop/orders/v1` and belongs to `/shop/orders`.
Where only the route said no, Envoy would look no further and answer without a route: with every filter of the chain
on, so with 401 where 404 is due. Predicates see a path with its query, routes see it without.

That Envoy goes on with a shorter one is its pull request 38986; versions before it do not.

Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from gateways.drivers.envoy.resources import TYPE, Json, typed
from gateways.engine.document import canonical_json

MATCHER = "matcher"
"""The field of a virtual host that holds its tree."""
PLACED = "placed"
"""Not of Envoy: where `listed` says how a route stands in its tree, if that is not how we place it."""

_ROUTE, _ROUTES = "envoy.config.route.v3.Route", "envoy.config.route.v3.RouteList"
_PATH = {
    "name": "path",
    "typed_config": typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":path"),
}
_STRANGE = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What taking strange JSON apart raises."""


# ---- writing ----


def guard(route: Json) -> Json:
    """A route by a regular expression, with its predicate.

    The expression has to say the same of a path with its query as of the path alone.
    """
    return _behind(route["match"]["safe_regex"]["regex"], route)


def claim(route: Json) -> Json:
    """A route by `path_separated_prefix`, with its predicate."""
    return _behind(f"{re.escape(route['match']['path_separated_prefix'])}([/?#].*)?", route)


def tree_text(guards: Sequence[Json], claims: Mapping[str, Sequence[str]], otherwise: Json) -> str:
    """The tree in canonical JSON.

    `guards` are routes for `guard`, in order; `otherwise` is the route of every other path. `claims` has the texts of
    `claim` by base path, in canonical JSON: they are put together, not written again.
    """
    first = canonical_json({"matchers": [guard(route) for route in guards]})
    return (
        f'{{"matcher_list":{first},"on_no_match":{_claims_text(claims, canonical_json(_action(otherwise)))}}}'
    )


def _claims_text(claims: Mapping[str, Sequence[str]], otherwise: str) -> str:
    """Envoy takes no empty map."""
    if not claims:
        return otherwise
    leaves = ",".join(f"{canonical_json(path)}:{_leaf_text(claims[path])}" for path in sorted(claims))
    search = f'{{"input":{canonical_json(_PATH)},"prefix_match_map":{{"map":{{{leaves}}}}}}}'
    return f'{{"matcher":{{"matcher_tree":{search},"on_no_match":{otherwise}}}}}'


def _leaf_text(claims: Sequence[str]) -> str:
    return f'{{"matcher":{{"matcher_list":{{"matchers":[{",".join(claims)}]}}}}}}'


def _behind(regex: str, route: Json) -> Json:
    matched = {"safe_regex": {"google_re2": {}, "regex": regex}}
    return {
        "on_match": _action(route),
        "predicate": {"single_predicate": {"input": _PATH, "value_match": matched}},
    }


def _action(route: Json) -> Json:
    return {"action": {"name": "route", "typed_config": typed(_ROUTE, **route)}}


# ---- reading ----

type _Usual = Callable[[Sequence[Json]], Any]
"""How routes stand in the part of a tree in which they were found. Raises one of _STRANGE where they would not."""


def listed(virtual_host: Json) -> Json:
    """`virtual_host` with the routes of its tree in `routes`, in the order that a list of them would need.

    A route that stands otherwise than we place it says so in PLACED; all else of a tree that is not as in ours stays
    in MATCHER. So two virtual hosts differ in this form wherever they differ.
    """
    tree = virtual_host.get(MATCHER)
    if not isinstance(tree, dict):
        return virtual_host
    frame, parts = _taken_apart(tree)
    left = {} if frame in _FRAMES else {"frame": frame}
    routes = [*_rows(virtual_host.get("routes"))]
    for place, part, usual in parts:
        found = [*_routes_in(part)]
        if _is_usual(part, found, usual):
            routes += found
        elif found:
            routes += [{**route, PLACED: {place: _without_routes(part)}} for route in found]
        else:
            left[place] = part
    host = {name: value for name, value in virtual_host.items() if name != MATCHER} | {"routes": routes}
    return {**host, MATCHER: left} if left else host


def _taken_apart(tree: Json) -> tuple[Json, list[tuple[str, Any, _Usual]]]:
    """The tree without the parts in which routes stand, and these parts, in the order of a list."""
    guards, frame = _cut(tree, "matcher_list", "matchers")
    claims, without = _cut(frame, "on_no_match", "matcher", "matcher_tree", "prefix_match_map", "map")
    if isinstance(claims, dict) and claims:
        frame = without
        otherwise, frame = _cut(frame, "on_no_match", "matcher", "on_no_match")
    else:
        claims = {}
        otherwise, frame = _cut(frame, "on_no_match")
    return frame, [
        ("guards", guards, _guards),
        *(
            (path, claims[path], _claims_of(path))
            for path in sorted(claims, key=lambda p: _rank(p, claims[p]))
        ),
        ("otherwise", otherwise, _otherwise),
    ]


def _rank(place: str, part: Any) -> tuple[int, str]:
    """Longest first. What stands in a place of others counts as what it is: a tree has no order of its own."""
    route: Json = next(_routes_in(part), {})
    match = route.get("match")
    path = match.get("path_separated_prefix") if isinstance(match, dict) else None
    own = path if isinstance(path, str) else place
    return -len(own), own


_FRAMES: Sequence[Json] = (
    {"matcher_list": {"matchers": None}, "on_no_match": None},
    {
        "matcher_list": {"matchers": None},
        "on_no_match": {
            "matcher": {
                "matcher_tree": {"input": _PATH, "prefix_match_map": {"map": None}},
                "on_no_match": None,
            }
        },
    },
)


def _cut(tree: Any, name: str, *names: str) -> tuple[Any, Any]:
    """What stands under that path of names, and the tree with nothing there; None if there is no such place."""
    if not isinstance(tree, dict) or name not in tree:
        return None, tree
    if not names:
        return tree[name], {**tree, name: None}
    part, rest = _cut(tree[name], *names)
    return part, {**tree, name: rest}


def _guards(routes: Sequence[Json]) -> list[Json]:
    return [guard(route) for route in routes]


def _claims_of(path: str) -> _Usual:
    def usual(routes: Sequence[Json]) -> Json:
        if any(route["match"]["path_separated_prefix"] != path for route in routes):
            raise ValueError(path)
        return {"matcher": {"matcher_list": {"matchers": [claim(route) for route in routes]}}}

    return usual


def _otherwise(routes: Sequence[Json]) -> Json:
    [route] = routes
    return _action(route)


def _is_usual(part: Any, routes: Sequence[Json], usual: _Usual) -> bool:
    with suppress(*_STRANGE):
        return bool(usual(routes) == part)
    return False


def _routes_in(part: Any) -> Iterator[Json]:
    """Every route to which an action leads."""
    if isinstance(part, list):
        for row in part:
            yield from _routes_in(row)
    elif isinstance(part, dict):
        kind = part.get("@type")
        if kind == f"{TYPE}{_ROUTE}":
            yield {name: value for name, value in part.items() if name != "@type"}
        elif kind == f"{TYPE}{_ROUTES}":
            yield from _rows(part.get("routes"))
        else:
            for value in part.values():
                yield from _routes_in(value)


def _without_routes(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_routes(row) for row in part]
    if not isinstance(part, dict):
        return part
    if part.get("@type") in (f"{TYPE}{_ROUTE}", f"{TYPE}{_ROUTES}"):
        return part["@type"].removeprefix(TYPE)
    return {name: _without_routes(value) for name, value in part.items()}


def _rows(value: object) -> Sequence[Json]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
