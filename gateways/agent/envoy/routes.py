"""The routes in a route configuration, and those of them that are not in force yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

type Json = dict[str, Any]

_ROUTE = "type.googleapis.com/envoy.config.route.v3.Route"

_CLIENTS = re.compile(r'"allowed_clients":\["[\w.-]+"(?:,"[\w.-]+")*\]', re.ASCII)
"""In canonical JSON. No text can look like it: a quotation mark inside of one is escaped."""
_VERSION = re.compile(r'"version_info":"[0-9a-f]*"')


def differ_in_clients_alone(text: str, held: str) -> bool:
    """Whether two files of routes differ in nothing but who may call: names of subscriptions, all of them plain.

    So it is with every approval. There is nothing in it that Envoy could refuse, and a trial takes a third of a second.
    """
    return _without_clients(text) == _without_clients(held)


def _without_clients(text: str) -> str:
    return _VERSION.sub("", _CLIENTS.sub("", text))


def routes_in(part: Any) -> Iterator[Json]:
    """Every route under `part`, in a list of routes as in a tree of them."""
    if isinstance(part, list):
        for row in part:
            yield from routes_in(row)
    elif isinstance(part, dict):
        if part.get("@type") == _ROUTE:
            yield part
            return
        for name, value in part.items():
            if name == "routes":
                yield from value
            else:
                yield from routes_in(value)


def without_held(configuration: Json, held: Json) -> Json:
    """A copy of `configuration` without the routes that stand in the trees of `held` at the same place, word by word.

    All that is not such a route is left as it is, so that nothing new is left out.
    """
    before = {host["name"]: host for host in held["virtual_hosts"]}
    hosts = [_without_held(host, before.get(host["name"], {})) for host in configuration["virtual_hosts"]]
    return {**configuration, "virtual_hosts": hosts}


def _without_held(host: Json, held: Json) -> Json:
    found, before = _search(host), _search(held)
    if found is None or before is None:
        return host
    claims, in_force = _claims(found), _claims(before)
    new = {path: claim for path, claim in claims.items() if in_force.get(path) != claim}
    # Envoy takes no empty map.
    rest = {"matcher": _with_claims(found, new)} if new else found["on_no_match"]
    return {**host, "matcher": {**host["matcher"], "on_no_match": rest}}


def _search(host: Json) -> Json | None:
    """The part of a tree that has the routes by base path, where there is one."""
    with suppress(KeyError, TypeError):
        found: Json = host["matcher"]["on_no_match"]["matcher"]
        if isinstance(_claims(found), dict) and "on_no_match" in found:
            return found
    return None


def _claims(search: Json) -> Mapping[str, Json]:
    claims: Mapping[str, Json] = search["matcher_tree"]["prefix_match_map"]["map"]
    return claims


def _with_claims(search: Json, claims: Mapping[str, Json]) -> Json:
    tree = search["matcher_tree"]
    return {
        **search,
        "matcher_tree": {**tree, "prefix_match_map": {**tree["prefix_match_map"], "map": claims}},
    }
