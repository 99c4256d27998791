"""Envoy's route tables, changed as somebody does it by hand: in the tree that lies there, or written as a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateways.drivers.envoy.resources import TYPE
from gateways.drivers.envoy.tree import claim, guard, listed

FORMS = ("tree", "list")
ROUTE = f"{TYPE}envoy.config.route.v3.Route"


def routes_of(host: Any) -> list[Any]:
    """The routes of a virtual host, in the order of a list."""
    found: list[Any] = listed(host)["routes"]
    return found


def change_routes(host: Any, change: Callable[[list[Any]], None], form: str = "tree") -> None:
    """Do `change` to the routes of a virtual host, and write them back in that form."""
    routes = routes_of(host)
    change(routes)
    host.pop("matcher", None)
    host |= {"routes": routes} if form == "list" else {"matcher": tree_of(routes)}


def tree_of(routes: list[Any]) -> Any:
    """A tree of routes that Envoy takes. A route by another match than ours stands under its own path."""
    *first, otherwise = routes
    leaves: dict[str, Any] = {}
    for route in first:
        match = route["match"]
        if "path_separated_prefix" in match:
            leaf = leaves.setdefault(
                match["path_separated_prefix"], {"matcher": {"matcher_list": {"matchers": []}}}
            )
            leaf["matcher"]["matcher_list"]["matchers"].append(claim(route))
        elif "safe_regex" not in match:
            leaves[match.get("prefix") or match["path"]] = _action(route)
    last = _action(otherwise)
    path = guard({"match": {"safe_regex": {"regex": ""}}})["predicate"]["single_predicate"]["input"]
    search = {"matcher_tree": {"input": path, "prefix_match_map": {"map": leaves}}, "on_no_match": last}
    return {
        "matcher_list": {"matchers": [guard(route) for route in first if "safe_regex" in route["match"]]},
        "on_no_match": {"matcher": search} if leaves else last,
    }


def leaf_of(host: Any, path: str) -> Any:
    """The place in the tree under which the routes of a base path stand."""
    return claims_of(host)[path]


def claims_of(host: Any) -> Any:
    """The places in the tree of a virtual host, by base path."""
    return host["matcher"]["on_no_match"]["matcher"]["matcher_tree"]["prefix_match_map"]["map"]


def _action(route: Any) -> Any:
    return {"action": {"name": "route", "typed_config": {"@type": ROUTE, **route}}}
