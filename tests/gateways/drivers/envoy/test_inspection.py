"""The inverse of translate: what is read back is what was written, and nothing can be changed unseen."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.drivers.agents.adapt import adapt
from gateways.drivers.agents.inspection import Setup
from gateways.drivers.envoy.inspection import read, taken_apart
from gateways.drivers.envoy.inverse import mask, masked, unmasked
from gateways.drivers.envoy.resources import xds_file
from gateways.drivers.envoy.translate import files
from gateways.engine.document import Document, Grant, HealthCheck, Item, Key, Kind, Limit, Target
from gateways.engine.drift import Found, Sort, differences
from gateways.engine.driver import Listener
from tests.gateways import documents as make
from tests.gateways.route_tables import FORMS, change_routes, claims_of, leaf_of

LISTENERS = (
    Listener("production", 8080),
    Listener("sandbox", 8090),
    Listener("partners", 8090, "partners.example.test"),
)


def setup(nodes: int = 1) -> Setup:
    return Setup("envoy", LISTENERS, "127.0.0.1", nodes)


def written(document: Document, nodes: int = 1) -> dict[str, str]:
    return files(document, LISTENERS, address="127.0.0.1", nodes=nodes)


def without_values(document: Document) -> Document:
    return Document.of(replace(i, value="") if isinstance(i, Key) else i for i in document.items.values())


def found(there: dict[str, str], expected: Document) -> list[Found]:
    return differences(without_values(expected), read(there, without_values(expected), setup()))


NAMES = [str(number) for number in range(1, 5)]
names = st.sampled_from(NAMES)
targets = st.lists(
    st.builds(
        Target,
        st.sampled_from(
            ["http://127.0.0.1:9", "https://a.example.test", "https://[::1]:8443", "http://B.test:80/"]
        ),
        st.integers(1, 1000),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
checks = st.none() | st.builds(
    HealthCheck, st.just("/up"), st.integers(1, 60), st.integers(1, 9), st.integers(1, 3), st.integers(1, 5)
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """What Envoy can be given, of every kind, with all that its files can't tell apart."""
    items: list[Item] = []
    for name in NAMES:
        items += [
            make.upstream(
                name, timeout_ms=draw(st.integers(1, 90_000)), connect_timeout_ms=draw(st.integers(1, 9000))
            ),
            make.limit(name, draw(st.integers(1, 9)), draw(st.integers(1, 3)), draw(st.integers(1, 3))),
            make.consumer(name),
            make.route(
                name,
                environment=draw(st.sampled_from(["production", "sandbox", "partners"])),
                at=draw(names),
                host=draw(st.sampled_from(["", "", "api.example.test"])),
                cors_origins=draw(st.sampled_from([(), ("https://z.test", "https://a.test")])),
            ),
        ]
        items[-4] = replace(items[-4], targets=draw(targets), health=draw(checks))  # type: ignore[call-arg]
        grant = make.grant(
            name, *draw(st.lists(names, unique=True)), plan=draw(names), application=draw(names)
        )
        items.append(grant if draw(st.booleans()) else replace(grant, limit=""))  # type: ignore[call-arg]
        items += [make.key(f"{name}{number}", name) for number in range(draw(st.integers(0, 2)))]
        items += [
            make.block(name, draw(st.integers(1_900_000_000, 1_900_000_009)))
            for _ in range(draw(st.integers(0, 1)))
        ]
    chosen = draw(st.sets(st.integers(0, len(items) - 1), max_size=6))
    left = [item for number, item in enumerate(items) if number not in chosen]
    return adapt(Document.of(left), LISTENERS, 1).document


@settings(max_examples=40, deadline=None, derandomize=True)
@given(documents(), st.integers(1, 3))
def test_what_was_written_is_read_back_without_the_values_of_keys(document: Document, nodes: int) -> None:
    resources = {name: json.loads(text)["resources"] for name, text in written(document, nodes).items()}
    heads = mask(resources["ecds-keys.json"])
    seen, left = taken_apart(resources, masked(document), setup(nodes), heads)
    assert left == []
    assert unmasked(seen) == without_values(document)
    reading = read(written(document, nodes), without_values(document), setup(nodes))
    assert (reading.document, reading.oddities) == (without_values(document), ())
    assert all(key.value == "" for key in reading.document.of_kind(Key))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(documents())
def test_what_nobody_expects_is_read_as_far_as_it_shows_itself(document: Document) -> None:
    """Without a document to go by: who may call what with which key, and where it leads, stand in the files alone."""
    seen = read(written(document), Document(), setup()).document
    assert {key.value_digest: key.grant for key in seen.of_kind(Key)} == {
        key.value_digest: key.grant for key in document.of_kind(Key)
    }
    assert {(g.id, g.routes, g.consumer) for g in seen.of_kind(Grant)} == {
        (g.id, g.routes, g.consumer) for g in document.of_kind(Grant)
    }
    assert {r.id for r in seen.items if r.kind in (Kind.ROUTE, Kind.UPSTREAM)} == {
        r.id for r in document.items if r.kind in (Kind.ROUTE, Kind.UPSTREAM)
    }
    assert {(limit.calls, limit.period_s, limit.burst) for limit in seen.of_kind(Limit)} == {
        (limit.calls, limit.period_s, limit.burst) for limit in document.of_kind(Limit)
    }


def shop() -> Document:
    document = make.document(
        replace(
            make.upstream("1"),
            targets=(Target("https://api.example.test/v2", 70), Target("https://10.0.0.7:8443/v2", 30)),
            health=HealthCheck("/healthz"),
        ),
        make.upstream("2", "http://localhost:9201"),
        make.limit("1", calls=100, period_s=60, burst=20),
        make.limit("2", calls=10, period_s=60, burst=20),
        make.consumer("1"),
        make.route("1", cors_origins=("https://portal.example.test",)),
        make.route("2", "/shop/orders-1/v1/inner", at="2"),
        make.route("3", environment="sandbox", at="2", host="api.example.test"),
        make.grant("1", "1", "2"),
        make.grant("2", "3", plan="2"),
        make.key("1"),
        make.key("2"),
        make.block("2", 1_900_000_000),
    )
    return adapt(document, LISTENERS, 1).document


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a tree that holds no others."""
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, part in parts:
        yield from leaves(part, (*path, name))
    if not isinstance(tree, dict | list):
        yield path


def edited(text: str, path: tuple[Any, ...], how: str) -> str:
    """The file with one value changed, or taken away, or with a neighbour that was not there."""
    tree = json.loads(text)
    inside = tree
    for name in path[:-1]:
        inside = inside[name]
    if how == "delete":
        del inside[path[-1]]
    elif how == "add" and isinstance(inside, dict):
        inside["surplus"] = 1
    else:
        inside[path[-1]] = _another(inside[path[-1]])
    return xds_file(tree["resources"]) if "resources" in tree else json.dumps(tree)


def _another(value: Any) -> Any:
    return (
        not value if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else f"{value}x"
    )


def test_no_value_of_any_file_can_be_changed_added_or_taken_away_unseen() -> None:
    there = written(shop())
    ways = [
        (name, path, how)
        for name, text in there.items()
        for path in leaves(json.loads(text))
        if path[0] == "resources"
        for how in ("change", "delete", "add")
    ]
    assert len(ways) > 1000
    for name, path, how in random.Random(11).sample(ways, 200):
        assert found({**there, name: edited(there[name], path, how)}, shop()), f"{how} {name} {path}"


@pytest.mark.long
def test_no_value_at_all_can_be_changed_added_or_taken_away_unseen() -> None:
    there = written(shop())
    for name, text in there.items():
        for path in leaves(json.loads(text)):
            for how in ("change", "delete", "add"):
                if path[0] == "resources":
                    assert found({**there, name: edited(text, path, how)}, shop()), f"{how} {name} {path}"


def resources(there: dict[str, str], name: str) -> list[Any]:
    return list(json.loads(there[name])["resources"])


def changed(there: dict[str, str], name: str, change: Any) -> dict[str, str]:
    """The files, with `change` done to the resources of one, written as an Envoy takes them."""
    loaded = resources(there, name)
    change(loaded)
    return {**there, name: xds_file(loaded)}


def test_a_key_somebody_wrote_in_is_a_ghost_and_its_value_is_nowhere() -> None:
    value = make.key_value("77")
    there = changed(
        written(shop()),
        "ecds-keys.json",
        lambda loaded: loaded[0]["typed_config"]["credentials"].append({"key": value, "client": "sub_1"}),
    )
    [ghost] = found(there, shop())
    assert (ghost.kind, ghost.sort, ghost.urgent) == ("key", Sort.GHOST, True)
    assert value[3:19] in ghost.label
    assert value[19:] not in repr(ghost)


def test_a_weak_key_tells_nothing_of_itself() -> None:
    there = changed(
        written(shop()),
        "ecds-keys.json",
        lambda loaded: loaded[0]["typed_config"]["credentials"].append({"key": "letmein", "client": "sub_1"}),
    )
    [ghost] = found(there, shop())
    assert ghost.urgent
    assert "letmein" not in repr(ghost)


@pytest.mark.parametrize("form", FORMS)
def test_a_widened_subscription_is_urgent_and_named(form: str) -> None:
    def widen(routes: list[Any]) -> None:
        for entry in routes:
            if entry.get("name") == "pub_1":
                entry["typed_per_filter_config"]["gatehouse.keys"]["allowed_clients"].append("sub_2")

    def everywhere(loaded: list[Any]) -> None:
        for host in loaded[0]["virtual_hosts"]:
            change_routes(host, widen, form)

    [one] = found(changed(written(shop()), "rds-8080.json", everywhere), shop())
    assert (one.kind, one.id, one.sort, one.urgent) == ("grant", "sub_2", Sort.CHANGED, True)
    assert ("routes", "pub_3", "pub_1, pub_3") in one.fields


def in_routes(change: Any, form: str = "tree") -> Any:
    """A change to the routes of the first host."""
    return lambda loaded: change_routes(loaded[0]["virtual_hosts"][0], change, form)


def named(routes: list[Any], name: str) -> Any:
    return next(entry for entry in routes if entry.get("name") == name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", ["nobody listed", "no check", "switched off"])
def test_a_route_that_lets_everybody_in_is_urgent(how: str, form: str) -> None:
    def open_up(routes: list[Any]) -> None:
        per_filter = named(routes, "pub_1")["typed_per_filter_config"]
        if how == "nobody listed":
            per_filter["gatehouse.keys"]["allowed_clients"] = []
        elif how == "no check":
            del per_filter["gatehouse.keys"]
        else:
            per_filter["gatehouse.keys"] = {
                "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
                "disabled": True,
            }

    there = found(changed(written(shop()), "rds-8080.json", in_routes(open_up, form)), shop())
    assert any(one.kind == "route" and one.id == "pub_1" and one.urgent for one in there)


@pytest.mark.parametrize("form", FORMS)
def test_a_route_taken_away_is_missing_and_a_moved_one_is_read(form: str) -> None:
    def take(routes: list[Any]) -> None:
        routes.remove(named(routes, "pub_2"))

    def move(routes: list[Any]) -> None:
        named(routes, "pub_2")["match"]["path_separated_prefix"] = "/elsewhere"

    [gone] = found(changed(written(shop()), "rds-8080.json", in_routes(take, form)), shop())
    assert (gone.kind, gone.id, gone.sort, gone.urgent) == ("route", "pub_2", Sort.MISSING, True)
    [moved] = found(changed(written(shop()), "rds-8080.json", in_routes(move, form)), shop())
    assert (moved.kind, moved.id, moved.sort, moved.urgent) == ("route", "pub_2", Sort.CHANGED, False)
    assert ("base_path", "/shop/orders-1/v1/inner", "/elsewhere") in moved.fields


def test_a_list_of_the_same_routes_is_another_hand_and_no_more() -> None:
    there = changed(written(shop()), "rds-8080.json", in_routes(len, "list"))
    [one] = found(there, shop())
    assert (one.kind, one.id, one.sort, one.urgent) == ("file", "rds-8080.json", Sort.CHANGED, False)


INNER = "/shop/orders-1/v1/inner"


def _under_another_path(host: Any) -> None:
    claims = claims_of(host)
    claims["/elsewhere"] = claims.pop(INNER)


def _without_predicate(host: Any) -> None:
    leaf = leaf_of(host, INNER)
    claims_of(host)[INNER] = leaf["matcher"]["matcher_list"]["matchers"][0]["on_match"]


def _with_another_predicate(host: Any) -> None:
    [entry] = leaf_of(host, INNER)["matcher"]["matcher_list"]["matchers"]
    entry["predicate"]["single_predicate"]["value_match"]["safe_regex"]["regex"] = ".*"


def _only_the_route_moved(host: Any) -> None:
    [entry] = leaf_of(host, INNER)["matcher"]["matcher_list"]["matchers"]
    entry["on_match"]["action"]["typed_config"]["match"]["path_separated_prefix"] = "/elsewhere"


@pytest.mark.parametrize(
    "change", [_under_another_path, _without_predicate, _with_another_predicate, _only_the_route_moved]
)
def test_a_route_that_its_tree_does_not_lead_to_is_urgent_and_named(change: Any) -> None:
    there = changed(written(shop()), "rds-8080.json", lambda loaded: change(loaded[0]["virtual_hosts"][0]))
    rows = found(there, shop())
    assert {(one.kind, one.id, one.sort) for one in rows} == {("route", "pub_2", Sort.CHANGED)}
    assert any(one.urgent for one in rows)


def test_a_tree_without_its_guard_or_with_another_end_is_urgent() -> None:
    def unguarded(loaded: list[Any]) -> None:
        loaded[0]["virtual_hosts"][0]["matcher"]["matcher_list"]["matchers"] = []

    def open_end(loaded: list[Any]) -> None:
        search = loaded[0]["virtual_hosts"][0]["matcher"]["on_no_match"]["matcher"]
        entry = search["on_no_match"]["action"]["typed_config"]
        del entry["direct_response"]
        entry["route"] = {"cluster": "upb_1"}

    for change in (unguarded, open_end):
        rows = found(changed(written(shop()), "rds-8080.json", change), shop())
        assert rows
        assert all(one.kind == "route" and one.urgent for one in rows), change.__name__


def test_an_action_of_another_kind_in_a_tree_is_found() -> None:
    def strange(loaded: list[Any]) -> None:
        action = {
            "name": "by-hand",
            "typed_config": {"@type": "type.googleapis.com/some.Action", "cluster": "upb_1"},
        }
        claims_of(loaded[0]["virtual_hosts"][0])["/back"] = {"action": action}

    [one] = found(changed(written(shop()), "rds-8080.json", strange), shop())
    assert (one.kind, one.id, one.urgent) == ("routes", "rds-8080", True)


def test_changed_targets_of_an_upstream_are_read_and_wait() -> None:
    def move(loaded: list[Any]) -> None:
        cluster = next(c for c in loaded if c["name"] == "upb_2")
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"] = {
            "address": {"socket_address": {"address": "10.1.2.3", "port_value": 8080}},
            "hostname": "10.1.2.3:8080",
            "health_check_config": {"hostname": "10.1.2.3:8080"},
        }

    [one] = found(changed(written(shop()), "cds.json", move), shop())
    assert (one.kind, one.id, one.sort, one.urgent) == ("upstream", "upb_2", Sort.CHANGED, False)
    assert one.fields == (("targets", "http://localhost:9201 (100)", "http://10.1.2.3:8080 (100)"),)
    assert one.seen == replace(make.upstream("2"), targets=(Target("http://10.1.2.3:8080"),))


@pytest.mark.parametrize("form", [*FORMS, "list beside the tree"])
def test_a_foreign_route_is_urgent_only_where_it_leads_somewhere(form: str) -> None:
    def added(entry: Any) -> Any:
        if form in FORMS:
            return in_routes(lambda routes: routes.insert(0, entry), form)
        return lambda loaded: loaded[0]["virtual_hosts"][0].update(routes=[entry])

    answer = {"name": "ping", "match": {"path": "/ping"}, "direct_response": {"status": 200}}
    lead = {"match": {"prefix": "/back"}, "route": {"cluster": "upb_1"}}
    [harmless] = found(changed(written(shop()), "rds-8080.json", added(answer)), shop())
    assert (harmless.kind, harmless.sort, harmless.urgent) == ("route", Sort.FOREIGN, False)
    [door] = found(changed(written(shop()), "rds-8080.json", added(lead)), shop())
    assert (door.kind, door.sort, door.urgent) == ("route", Sort.FOREIGN, True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"resources": 1}', "\x00\ufffd", "[" * 100_000])
def test_a_broken_file_is_one_finding(text: str) -> None:
    there = {**written(shop()), "ecds-keys.json": text}
    [one] = found(there, shop())
    assert (one.kind, one.id, one.sort, one.urgent) == ("file", "ecds-keys.json", Sort.CHANGED, True)
    assert Kind.KEY in one.doubts


def test_missing_unknown_and_rewritten_files_are_found() -> None:
    there = written(shop())
    text = there.pop("rds-8090.json")
    [one] = found(there, shop())
    assert (one.id, one.sort, one.urgent) == ("rds-8090.json", Sort.MISSING, True)
    [one] = found({**there, "rds-8090.json": text, "notes.txt": "by hand"}, shop())
    assert (one.id, one.sort, one.urgent) == ("notes.txt", Sort.FOREIGN, False)
    [one] = found({**there, "rds-8090.json": json.dumps(json.loads(text), indent=1)}, shop())
    assert (one.id, one.sort, one.urgent, one.doubts) == ("rds-8090.json", Sort.CHANGED, False, frozenset())


def test_a_file_that_the_envoy_has_not_taken_up_is_found() -> None:
    reading = read(written(shop()), without_values(shop()), setup(), stale=["rds-8080.json"])
    [one] = differences(without_values(shop()), reading)
    assert (one.id, one.sort, one.urgent) == ("rds-8080.json", Sort.CHANGED, True)


def test_everything_gone_is_told_in_few_findings() -> None:
    everything = adapt(make.catalogue(300), LISTENERS, 1).document
    rows = found(written(Document()), everything)
    assert len(rows) < 20
    assert any(one.id == "many-missing" and one.kind == "key" and one.urgent for one in rows)


@pytest.mark.parametrize("name", ["ecds-keys.json", "ecds-limits.json", "rds-8080.json"])
def test_rows_in_another_order_are_another_hand_and_no_more(name: str) -> None:
    def turn(loaded: list[Any]) -> None:
        if "typed_config" in loaded[0]:
            loaded[0]["typed_config"]["credentials"].reverse()
        else:
            in_routes(clients)(loaded)

    def clients(routes: list[Any]) -> None:
        named(routes, "pub_1")["typed_per_filter_config"]["gatehouse.keys"]["allowed_clients"].reverse()

    [one] = found(changed(written(shop()), name, turn), shop())
    assert (one.kind, one.id, one.sort, one.urgent) == ("file", name, Sort.CHANGED, False)
