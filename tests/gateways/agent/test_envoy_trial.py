"""What of a push Envoy is asked to try: all that is not in force, and nothing that is."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import Any

import pytest

from gateways.agent.envoy.bootstrap import composed, to_try
from gateways.drivers.envoy.translate import Files, files
from gateways.engine.document import Document, Key, Route
from gateways.engine.driver import Listener
from tests.gateways import documents as make

LISTENERS = (Listener("production", 8080), Listener("sandbox", 8090))
KEYS_AND_ALL = {"gatehouse.keys", "gatehouse.limits", "gatehouse.buckets", "gatehouse.applications"}


def of_upstreams(*names: str) -> Document:
    """An API of its own for each upstream."""
    upstreams = [make.upstream(name) for name in names]
    return Document.of([*upstreams, *(make.route(name, at=name) for name in names)])


def rendered(document: Document) -> Files:
    return files(document, LISTENERS, address="127.0.0.1", nodes=1)


def tried(wanted: Files, in_force: Files) -> Set[str]:
    """The files that Envoy is asked to try."""
    return to_try({name for name, text in wanted.items() if in_force.get(name) != text}, in_force)


def trial(wanted: Files, in_force: Files | None = None) -> dict[str, Any]:
    """The resources that are tried."""
    found = composed(wanted, tried(wanted, in_force or {}), node="n", ca_file="")["static_resources"]
    assert isinstance(found, dict)
    return found


def manager(resources: dict[str, Any]) -> dict[str, Any]:
    """The connection manager of the first listener."""
    found = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    assert isinstance(found, dict)
    return found


def fetched(resources: dict[str, Any]) -> set[str]:
    """The filters that are tried of those that Envoy fetches one by one."""
    return {one["name"] for one in manager(resources)["http_filters"]} & KEYS_AND_ALL


def test_all_of_a_first_push_is_tried() -> None:
    found = trial(rendered(of_upstreams("1", "2")))
    assert len(found["clusters"]) == 2
    assert fetched(found) == KEYS_AND_ALL
    assert manager(found)["route_config"]["validate_clusters"] is True


def test_a_revoked_key_waits_for_no_trial() -> None:
    before = make.catalogue(2)
    gone = next(before.of_kind(Key))
    after = Document.of(item for item in before.items.values() if item is not gone)
    assert tried(rendered(after), rendered(before)) == set()


def test_of_a_new_plan_the_buckets_are_tried_and_nothing_else() -> None:
    before = make.catalogue(2)
    after = Document.of([*before.items.values(), make.limit("9", calls=7)])
    found = trial(rendered(after), rendered(before))
    assert fetched(found) == {"gatehouse.buckets"}
    assert found["clusters"] == []
    assert manager(found)["route_config"]["virtual_hosts"] == []


def test_a_changed_route_is_tried_without_the_clusters_in_force() -> None:
    before = make.catalogue(2)
    moved = replace(next(before.of_kind(Route)), base_path="/elsewhere/v1")
    after = Document({**before.items, next(n for n in before.items if n.id == moved.id): moved})
    configuration = manager(trial(rendered(after), rendered(before)))["route_config"]
    assert "/elsewhere/v1" in str(configuration["virtual_hosts"])
    assert configuration["validate_clusters"] is False


@pytest.mark.parametrize("changed", ["cds.json", "rds-8080.json"])
def test_a_route_to_a_cluster_that_is_not_there_does_not_pass(changed: str) -> None:
    """Also where only one side changes, and Envoy is not asked to look at both."""
    whole, less = rendered(of_upstreams("1", "2")), rendered(of_upstreams("1"))
    in_force = whole if changed == "cds.json" else less
    wanted = {**in_force, changed: (less if changed == "cds.json" else whole)[changed]}
    with pytest.raises(ValueError, match="names the cluster upb_"):
        trial(wanted, in_force)
