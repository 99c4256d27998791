"""The rendered files: their golden copies, their phases, and that no text changes their shape (T16, T17)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.drivers.agents.adapt import adapt
from gateways.drivers.agents.limits import share
from gateways.drivers.envoy import filters
from gateways.drivers.envoy.translate import files, phases, transition
from gateways.engine.document import (
    Document,
    Grant,
    HealthCheck,
    Item,
    Limit,
    Route,
    Target,
    Upstream,
    ref,
)
from gateways.engine.driver import Listener
from tests.gateways import documents as make
from tests.gateways.route_tables import routes_of

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "envoy"
LISTENERS = (Listener("production", 8080), Listener("sandbox", 8090))


def rendered(document: Document, listeners: Sequence[Listener] = LISTENERS) -> dict[str, Any]:
    """The resources of every file, read back."""
    found = files(document, listeners, address="127.0.0.1", nodes=1)
    return {name: json.loads(text)["resources"] for name, text in found.items()}


def full_document() -> Document:
    return make.document(
        replace(
            make.upstream("1"),
            targets=(Target("https://api.example.test/v2", 70), Target("https://10.0.0.7:8443/v2", 30)),
            health=HealthCheck("/healthz"),
        ),
        make.upstream("2", "http://localhost:9201"),
        make.limit("1", calls=100, period_s=60, burst=20),
        make.limit("2", calls=100, period_s=60, burst=20),
        make.consumer("1"),
        make.route("1", cors_origins=("https://portal.example.test",)),
        make.route("2", "/shop/orders-1/v1/inner", at="2"),
        make.route("3", environment="sandbox", at="2", host="api.example.test"),
        make.grant("1", "1", "2"),
        make.grant("2", "3", plan="2"),
        make.key("1"),
        make.key("2"),
        make.block("2", 1_800_000_000),
    )


def test_the_files_are_those_of_the_golden_copies() -> None:
    """Set UPDATE_GOLDEN=1 to write them anew, and read the difference."""
    found = rendered(full_document())
    if os.environ.get("UPDATE_GOLDEN"):
        for name, resources in found.items():
            (GOLDEN / name).write_text(json.dumps(resources, indent=2, sort_keys=True) + "\n")
    assert {path.name: json.loads(path.read_text()) for path in GOLDEN.glob("*.json")} == found


def every(tree: Any, wanted: str) -> list[Any]:
    """All values under a key, anywhere in a tree."""
    if isinstance(tree, dict):
        here = [tree[wanted]] if wanted in tree else []
        return here + [found for value in tree.values() for found in every(value, wanted)]
    if isinstance(tree, list):
        return [found for value in tree for found in every(value, wanted)]
    return []


@pytest.mark.parametrize("document", [full_document(), make.document(make.upstream(), make.route())])
def test_every_protected_route_carries_a_client_that_no_key_has(document: Document) -> None:
    """An empty list of clients would let every valid key in."""
    found = rendered(document)
    lists = every(found["rds-8080.json"], "allowed_clients")
    assert lists
    assert all(clients[0] == filters.SENTINEL for clients in lists)
    credentials = every(found["ecds-keys.json"], "credentials")[0]
    assert all(filters.SENTINEL not in credential.values() for credential in credentials)


def test_a_named_host_also_carries_the_routes_of_any_host() -> None:
    document = make.document(make.upstream(), make.route("1"), make.route("2", host="api.example.test"))
    hosts = {
        host["domains"][0]: [route.get("name") for route in routes_of(host)]
        for host in rendered(document)["rds-8080.json"][0]["virtual_hosts"]
    }
    assert hosts == {
        "*": [None, "pub_1", None],
        "api.example.test": [None, "pub_1", "pub_2", None],
    }


def test_two_environments_share_a_port_by_host() -> None:
    listeners = (Listener("production", 80, "api.test"), Listener("sandbox", 80, "sandbox.test"))
    document = make.document(make.upstream(), make.route("1"), make.route("2", environment="sandbox"))
    hosts = rendered(document, listeners)["rds-80.json"][0]["virtual_hosts"]
    found = {host["domains"][0]: [r["name"] for r in routes_of(host) if "name" in r] for host in hosts}
    assert found == {"*": [], "api.test": ["pub_1"], "sandbox.test": ["pub_2"]}


def test_plans_with_equal_numbers_share_a_descriptor_and_never_a_bucket() -> None:
    [config] = every(rendered(full_document())["ecds-buckets.json"], "descriptors")
    assert len(config) == 1
    assert config[0]["entries"][1] == {"key": filters.SUBSCRIPTION_HEADER, "value": ""}


@settings(max_examples=100, deadline=None)
@given(
    calls=st.integers(1, 10_000),
    period=st.integers(1, 86_400),
    burst=st.integers(1, 10_000),
    nodes=st.integers(1, 40),
)
def test_the_shares_of_the_nodes_never_allow_less_than_the_plan(
    calls: int, period: int, burst: int, nodes: int
) -> None:
    one = share(Limit("l", "l", calls, period, burst), nodes)
    assert nodes * one[0] / one[1] >= calls / period
    assert nodes * one[2] >= burst
    # And not much more: one call per node and period at most.
    assert nodes * one[0] / one[1] <= (calls + nodes) / period


def clients(texts: dict[str, str]) -> set[str]:
    return {
        c for text in texts.values() for found in every(json.loads(text), "allowed_clients") for c in found
    }


def key_owners(texts: dict[str, str]) -> set[str]:
    credentials = every(json.loads(texts["ecds-keys.json"]), "credentials")[0]
    return {credential["client"] for credential in credentials}


def test_the_phases_add_before_they_take_away() -> None:
    old = make.catalogue(1)
    new = make.document(*(i for i in make.catalogue(2).items.values() if not i.id.endswith("0001")))
    found = phases(old, new, LISTENERS, address="127.0.0.1", nodes=1)
    routes = [phase for phase in found if "rds-8080.json" in phase]
    assert clients(routes[0]) == {filters.SENTINEL, "sub_0001", "sub_0002"}
    assert clients(routes[-1]) == {filters.SENTINEL, "sub_0002"}
    order = [[name for name in phase if name.startswith(("rds", "ecds-keys"))] for phase in found]
    assert order[:4] == [
        [],
        ["rds-8080.json", "rds-8090.json"],
        ["ecds-keys.json"],
        ["rds-8080.json", "rds-8090.json"],
    ]
    assert key_owners(found[2]) == {"sub_0002"}
    assert found[-1] == files(new, LISTENERS, address="127.0.0.1", nodes=1)


def test_an_addition_alone_passes_through_no_other_state() -> None:
    assert transition(make.catalogue(1), make.catalogue(2)) == make.catalogue(2)


def test_versions_name_the_content() -> None:
    one = files(make.catalogue(1), LISTENERS, address="127.0.0.1", nodes=1)
    other = files(make.catalogue(1, make.key("9", "0001")), LISTENERS, address="127.0.0.1", nodes=1)
    assert {name for name in one if one[name] != other[name]} == {"ecds-keys.json"}


# T16, T17: text is never structure

HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            '"}],"x":[{"',
            "%REQ(x-api-key)%",
            "%DYNAMIC_METADATA(a:b)%",
            "\r\nx-evil: 1",
            "\\1\\0",
            "(.*)",
            "/../",
            "${jndi:ldap://x}",
            "{{7*7}}",
            "\x00",
            "*",
            "http://169.254.169.254/",
            "\ud7ff\u2028",
            "%",
            "%%",
        ]
    ),
)


def skeleton(tree: Any) -> Any:
    """The shape of a tree: names, nesting and kinds of leaves, without the texts.

    Routes stand in a map by their base paths, which are texts like others.
    """
    if isinstance(tree, dict):
        shape = {name: skeleton(value) for name, value in tree.items()}
        return sorted(shape["map"].values(), key=str) if shape.keys() == {"map"} else shape
    if isinstance(tree, list):
        return [skeleton(value) for value in tree]
    return type(tree).__name__


PLACES: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "label": ("", lambda text: {"label": text}),
    "reason": ("blk_2", lambda text: {"reason": text}),
    "api_version": ("pub_1", lambda text: {"api_version": text, "revision": text}),
    "base_path": ("pub_2", lambda text: {"base_path": text}),
    "base_path_tail": ("pub_2", lambda text: {"base_path": f"/shop/{text}"}),
    "host": ("pub_3", lambda text: {"host": text or "!"}),
    "environment": ("pub_2", lambda text: {"environment": text}),
    "origin": ("pub_1", lambda text: {"cors_origins": (text,)}),
    "target": ("upb_2", lambda text: {"targets": (Target(text),)}),
    "target_path": ("upb_2", lambda text: {"targets": (Target(f"http://localhost:9201/{text}"),)}),
    "check": ("upb_1", lambda text: {"health": HealthCheck(f"/{text}")}),
    "id": ("crd_2", lambda text: {"id": text}),
}
FIELDS = tuple(PLACES)


def with_text(field: str, text: str) -> Document:
    """The full document with a hostile text in one place; a label is given to everything that has one."""
    place, fields = PLACES[field]
    items = full_document().items.values()
    return Document.of(
        replace(item, **fields(text)) if item.id == place or (not place and hasattr(item, "label")) else item
        for item in items
    )


def texts_of(tree: Any) -> set[str]:
    if isinstance(tree, dict):
        return {*tree, *(text for value in tree.values() for text in texts_of(value))}
    if isinstance(tree, list):
        return {text for value in tree for text in texts_of(value)}
    return {tree} if isinstance(tree, str) else set()


def changing(document: Document) -> dict[str, Any]:
    """The files that depend on a document: the listeners do not."""
    found = rendered(document)
    del found["lds.json"]
    return found


HARMLESS = {ref(item): item for item in full_document().items.values()}
OUR_TEXTS = texts_of(changing(full_document()))


def harmless(item: Item) -> Item:
    """The object of that name without the hostile text, but with no more parts than `adapt` left."""
    plain = HARMLESS.get(ref(item), item)
    match item:
        case Upstream():
            return replace(plain, health=plain.health if item.health else None)  # type: ignore[union-attr, call-arg]
        case Route():
            # As long as the hostile path, because routes stand in the order of their lengths.
            path = "/" + "a" * (len(item.base_path) - 1)
            origins = plain.cors_origins[: len(item.cors_origins)]  # type: ignore[union-attr]
            return replace(plain, base_path=path, cors_origins=origins)  # type: ignore[call-arg]
        case Grant():
            return replace(plain, routes=item.routes)  # type: ignore[call-arg]
    return plain


def check_hostile(field: str, text: str) -> None:
    """The tree is that of harmless texts; no text enters a format string or brings a control character."""
    taken = adapt(with_text(field, text), LISTENERS, 1).document
    found = changing(taken)
    expected = Document.of(harmless(item) for item in taken.items.values())
    assert skeleton(found) == skeleton(changing(expected))
    new = texts_of(found) - OUR_TEXTS
    assert all(leaf.isprintable() for leaf in new)
    # The path of a health check is the one place where a per cent sign is taken, and no format string.
    assert field == "check" or not any("%" in leaf for leaf in new)


@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(text=HOSTILE)
def test_no_text_changes_the_configuration_t16_t17(field: str, text: str) -> None:
    """T16, T17."""
    check_hostile(field, text)


@pytest.mark.long
@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=10_000, deadline=None)
@given(text=HOSTILE)
def test_ten_thousand_texts_change_no_configuration_t16_t17(field: str, text: str) -> None:
    """T16, T17 at full count."""
    check_hostile(field, text)
