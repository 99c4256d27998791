"""What of a push Envoy is asked to try: all that is not in force, and nothing that is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateways.agent.envoy.bootstrap import composed, to_try
from gateways.agent.envoy.plane import EnvoyPlane
from gateways.agent.envoy.routes import differ_in_clients_alone, routes_in
from gateways.agent.plane import Refused
from gateways.agent.settings import read_settings
from gateways.agent.store import Store
from gateways.drivers.envoy.resources import xds_file
from gateways.drivers.envoy.translate import Files, files
from gateways.drivers.envoy.tree import listed
from gateways.engine.document import Document, Key, Route
from gateways.engine.driver import Listener
from gateways.engine.pushes import Push
from gateways.engine.wire import content_digest
from tests.gateways import documents as make
from tests.gateways.gateway_node import TOKEN

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
    before = in_force or {}
    configuration = composed(wanted, tried(wanted, before), in_force=before, node="n", ca_file="")
    found = configuration["static_resources"]
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
    found = trial(rendered(after), rendered(before))
    configuration = manager(found)["route_config"]
    assert [route["name"] for route in routes_in(configuration) if "name" in route] == [moved.id]
    assert "/elsewhere/v1" in str(configuration["virtual_hosts"])
    assert configuration["validate_clusters"] is False
    assert found["clusters"] == []


def test_of_a_new_api_its_own_route_and_cluster_are_tried() -> None:
    found = trial(rendered(of_upstreams("1", "2", "3")), rendered(of_upstreams("1", "2")))
    assert [cluster["name"] for cluster in found["clusters"]] == ["upb_3"]
    assert [r["name"] for r in routes_in(manager(found)["route_config"]) if "name" in r] == ["pub_3"]


def test_of_a_table_that_only_loses_routes_its_frame_is_tried() -> None:
    found = trial(rendered(of_upstreams("1")), rendered(of_upstreams("1", "2")))
    [host] = manager(found)["route_config"]["virtual_hosts"]
    assert [*host["matcher"]["on_no_match"]] == ["action"]
    assert len([*routes_in(host)]) == 2


def test_routes_in_a_list_are_all_tried() -> None:
    """No push of ours writes one; what is not of the form that is known is left as it is."""
    before = rendered(of_upstreams("1", "2"))
    table = json.loads(before["rds-8080.json"])["resources"]
    table[0]["virtual_hosts"] = [listed(host) for host in table[0]["virtual_hosts"]]
    found = trial({**before, "rds-8080.json": xds_file(table)}, before)
    assert {r.get("name") for r in routes_in(manager(found)["route_config"])} == {None, "pub_1", "pub_2"}


BAD = {
    "regex": ('"regex":"^/shop/orders\\\\-3', '"regex":"^(/shop/orders\\\\-3'),
    "match": ('"path_separated_prefix":"/shop/orders-3/v1"', '"path_separated_prefix":"/shop/orders-3/v1/"'),
    "predicate": ('"regex":"/shop/orders\\\\-3', '"regex":"(/shop/orders\\\\-3'),
    "field": ('"cluster":"upb_1"', '"cluster":"upb_1","by_hand":true'),
}


@pytest.mark.envoy
@pytest.mark.parametrize("what", BAD)
def test_a_bad_route_among_those_in_force_is_refused_and_named(what: str, tmp_path: Path) -> None:
    """By a real Envoy, which sees that one alone."""
    before = of_upstreams("1", "2")
    held = rendered(before)
    wanted = rendered(Document.of([*before.items.values(), make.route("3", at="1")]))
    good, bad = BAD[what]
    start, mark, end = wanted["rds-8080.json"].partition('"/shop/orders-3/v1":')
    broken = {**wanted, "rds-8080.json": start + mark + end.replace(good, bad, 1)}
    assert broken != wanted
    asyncio.run(tried_by(wanted, held, tmp_path))
    with pytest.raises(Refused, match=r"\(in pub_3\)"):
        asyncio.run(tried_by(broken, held, tmp_path))


async def tried_by(wanted: Files, held: Files, state: Path) -> None:
    """A trial as an agent makes it."""
    settings = read_settings({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_AGENT_STATE": str(state)})
    (state / "usage").mkdir(exist_ok=True)
    plane = EnvoyPlane(settings, Store(state), ca_file="", before_start=lambda: None)
    try:
        await plane.trial(pushed(wanted), pushed(held))
    finally:
        await plane.admin.close()


def pushed(found: Files) -> Push:
    blobs = {content_digest(text): text for text in found.values()}
    names = tuple((name, content_digest(text)) for name, text in found.items())
    return Push("envoy", 1, "", {}, {}, (names,), blobs)


@pytest.mark.parametrize("changed", ["cds.json", "rds-8080.json"])
def test_a_route_to_a_cluster_that_is_not_there_does_not_pass(changed: str) -> None:
    """Also where only one side changes, and Envoy is not asked to look at both."""
    whole, less = rendered(of_upstreams("1", "2")), rendered(of_upstreams("1"))
    in_force = whole if changed == "cds.json" else less
    wanted = {**in_force, changed: (less if changed == "cds.json" else whole)[changed]}
    with pytest.raises(ValueError, match="names the cluster upb_"):
        trial(wanted, in_force)


class TestWhoMayCall:
    """An approval changes who may call a route, and nothing that Envoy could refuse."""

    before = rendered(make.catalogue(2))

    def test_waits_for_no_trial(self) -> None:
        after = rendered(make.catalogue(2, make.grant("9", "0001"), make.key("9")))
        assert after["rds-8080.json"] != self.before["rds-8080.json"]
        assert differ_in_clients_alone(after["rds-8080.json"], self.before["rds-8080.json"])

    def test_a_route_that_changes_as_well_is_tried(self) -> None:
        document = make.catalogue(2, make.grant("9", "0001"))
        moved = replace(next(document.of_kind(Route)), cors_origins=("https://shop.example",))
        after = rendered(
            Document({**document.items, next(n for n in document.items if n.id == moved.id): moved})
        )
        assert not differ_in_clients_alone(after["rds-8080.json"], self.before["rds-8080.json"])

    @pytest.mark.parametrize("client", ["", 'a\\"b', "a b", "x]", "é", "é\n"])
    def test_what_is_no_plain_name_is_tried(self, client: str) -> None:
        text = self.before["rds-8080.json"]
        changed = text.replace(
            '"allowed_clients":["-nobody-"', f'"allowed_clients":["{client}","-nobody-"', 1
        )
        assert changed != text
        assert not differ_in_clients_alone(changed, text)
