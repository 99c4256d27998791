"""The files of a node, read and held against what is expected there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from gateways.drivers.agents.inspection import Files, Setup, doubts_of
from gateways.drivers.envoy import filters, translate
from gateways.drivers.envoy.clusters import cluster
from gateways.drivers.envoy.inverse import (
    NOWHERE,
    UNREADABLE,
    Resources,
    document_of,
    mask,
    masked,
    unmasked,
    with_lists,
)
from gateways.drivers.envoy.residue import residue
from gateways.drivers.envoy.resources import Json, xds_file
from gateways.engine.document import (
    Document,
    Grant,
    Kind,
    Limit,
    Ref,
    Route,
    Target,
    Upstream,
    canonical_json,
)
from gateways.engine.drift import Oddity, Reading, Sort, digest_of, name_of


def read(files: Files, expected: Document, setup: Setup, *, stale: Sequence[str] = ()) -> Reading:
    """The document that `files` realise, and all in them that is none of our objects.

    A file that is missing or can't be read is one oddity; what it should hold is then taken for granted, so
    that not every object of it is told about too.
    """
    hidden = masked(expected)
    wanted = _rendered(hidden, setup)
    loaded = {name: _loaded(files.get(name)) for name in wanted}
    own_hand = {name: files[name] == xds_file(found) for name, found in loaded.items() if found is not None}
    heads = mask(loaded[filters.FILE_OF[filters.KEYS]] or [])
    resources = {name: wanted[name] if found is None else found for name, found in loaded.items()}
    differing = {n for n in wanted if canonical_json(resources[n]) != canonical_json(wanted[n])}
    document, left = taken_apart(resources, hidden, setup, heads) if differing else (hidden, [])
    same = document == hidden and not left
    own_hand = {name: own_hand.get(name, True) and name not in differing for name in wanted}
    oddities = [
        *_lost(files, loaded),
        *left,
        *(_unknown_file(name, files[name]) for name in sorted(files.keys() - wanted.keys())),
        *_by_another_hand(files, own_hand, [n for n in wanted if same or n not in differing], stale),
    ]
    return Reading("", unmasked(document), tuple(oddities))


def taken_apart(
    resources: Resources, expected: Document, setup: Setup, heads: Mapping[str, str]
) -> tuple[Document, list[Oddity]]:
    """The document that `resources` realise, and what of them it does not say. Keys come with masks."""
    found = with_lists(resources)
    document = document_of(found, expected, setup.listeners, nodes=setup.nodes, heads=heads)
    moved = list(document.of_kind(Route)) != list(expected.of_kind(Route))
    again = with_lists(_again(document, expected, setup, resources))
    return document, residue(again, found, document, nodes=setup.nodes, moved=moved)


def _rendered(document: Document, setup: Setup) -> dict[str, list[Json]]:
    files = translate.files(document, setup.listeners, address=setup.address, nodes=setup.nodes)
    return {name: json.loads(text)["resources"] for name, text in files.items()}


def _again(
    document: Document, expected: Document, setup: Setup, found: Mapping[str, list[Json]]
) -> dict[str, list[Json]]:
    """What `document` is rendered to, in the places where it stands. A route may lead to a cluster that is gone."""
    gone = {route.upstream for route in document.of_kind(Route)} - {u.id for u in document.of_kind(Upstream)}
    stubs = [_stub(name, expected) for name in sorted(gone)]
    again = _rendered(Document.of([*document.items.values(), *stubs]), setup)
    again[translate.CLUSTERS_FILE] = [cluster(upstream) for upstream in document.of_kind(Upstream)]
    lost = {limit for limit in expected.of_kind(Limit) if Ref(Kind.LIMIT, limit.id) not in document.items}
    named = Document.of([*_with_grants(document, lambda g: g.limit != NOWHERE).items.values(), *lost])
    limited = filters.limits(named, setup.nodes)
    tables = {
        filters.LIMITS: limited,
        filters.APPLICATIONS: filters.applications(
            _with_grants(document, lambda grant: grant.consumer != NOWHERE)
        ),
    }
    again |= {filters.FILE_OF[name]: [json.loads(table)] for name, table in tables.items()}
    # The room for buckets follows the number of subscriptions that are expected, not of those that came by hand.
    buckets = filters.extension(filters.BUCKETS, _with_room(document, expected, setup.nodes))
    again[filters.FILE_OF[filters.BUCKETS]] = [buckets]
    return {name: again[name] for name in found}


def _with_grants(document: Document, wanted: Callable[[Grant], bool]) -> Document:
    return Document.of(i for i in document.items.values() if not isinstance(i, Grant) or wanted(i))


def _with_room(document: Document, expected: Document, nodes: int) -> Json:
    room = filters.buckets(expected, nodes)["max_dynamic_descriptors"]
    return {**filters.buckets(document, nodes), "max_dynamic_descriptors": room}


def _stub(name: str, expected: Document) -> Upstream:
    known = expected.items.get(Ref(Kind.UPSTREAM, name))
    return known if isinstance(known, Upstream) else Upstream(name, "", (Target("http://gone.invalid"),))


def _loaded(text: str | None) -> list[Json] | None:
    """The resources in an xDS file; None when it is none."""
    try:
        found = json.loads(text or "")["resources"]
        return found if isinstance(found, list) and all(isinstance(one, dict) for one in found) else None
    except (*UNREADABLE, RecursionError):
        return None


def _lost(files: Files, loaded: Mapping[str, list[Json] | None]) -> list[Oddity]:
    return [
        Oddity(
            "file",
            name,
            Sort.CHANGED if name in files else Sort.MISSING,
            digest_of(files.get(name)),
            (("content", "", "can't be read"),) if name in files else (),
            doubts_of("envoy", name),
            urgent=True,
        )
        for name, found in loaded.items()
        if found is None
    ]


def _unknown_file(name: str, text: str) -> Oddity:
    return Oddity("file", name_of(name), Sort.FOREIGN, digest_of(text), (("size", "", f"{len(text)}"),))


def _by_another_hand(
    files: Files, own_hand: Mapping[str, bool], as_wanted: Sequence[str], stale: Sequence[str]
) -> list[Oddity]:
    """Files that say the right thing and were not written by a push, or that the Envoy has not taken up."""
    odd = []
    for name in as_wanted:
        if not own_hand[name]:
            words = ("writing", "", "by another hand, with the same meaning")
            odd.append(Oddity("file", name, Sort.CHANGED, digest_of(files[name]), (words,)))
        elif name in stale:
            words = ("in force", "this file", "another version of it")
            odd.append(
                Oddity("file", name, Sort.CHANGED, "stale", (words,), doubts_of("envoy", name), urgent=True)
            )
    return odd
