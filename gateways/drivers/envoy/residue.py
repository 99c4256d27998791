"""What is left of an Envoy's resources when all that the inverse could read is taken away.

The document that `inverse` has read is rendered again; wherever that is not what lies on the disk, there is
something that no object of ours says. So nothing in a file can be changed without being found: either the
document differs from the expected one, or something is left here. Each remainder is told about the object of
which it is a part, or under the name that it has in the file. Pure functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.drivers.agents.inspection import doubts_of
from gateways.drivers.envoy import filters
from gateways.drivers.envoy.inverse import Resources
from gateways.drivers.envoy.routes import CORS_FILTER
from gateways.drivers.envoy.tree import MATCHER, PLACED
from gateways.engine.document import Document, Kind, Limit, Ref, canonical_json
from gateways.engine.drift import MOST_FIELDS, Oddity, Sort, digest_of, name_of, shown

type Path = tuple[str, ...]

_NONE = object()
_LEADS_SOMEWHERE = ("cluster", "rds", "route_config", "scoped_routes", "config_discovery")
"""Words in the name of a field by which a call can get to an upstream."""
_DEPTH: Mapping[str, int] = {"listener": 1, "cluster": 1, "filter": 4, "limit": 4, "route": 5}
"""How long the path to such a thing as a whole is; what lies deeper is a part of it."""
_KEEPS_KEYS = frozenset({"http_filters", "rds", "route_config", "typed_per_filter_config"})
"""Fields in which the check of keys is kept, or by-passed."""


@dataclass(frozen=True, slots=True)
class Delta:
    """One place at which two trees differ. `before` is what we would write, `after` what is there."""

    path: Path
    before: Any
    after: Any

    @property
    def sort(self) -> Sort:
        if self.before is _NONE:
            return Sort.FOREIGN
        return Sort.MISSING if self.after is _NONE else Sort.CHANGED


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whom a remainder is told about. `ours` means an object that somebody decided on."""

    kind: str
    id: str
    ours: bool = False


def residue(
    again: Resources, found: Resources, document: Document, *, nodes: int, moved: bool
) -> list[Oddity]:
    """Everything of `found` that `again`, the rendered `document`, does not say.

    `moved` says that routes have other paths than expected: then they also stand in another order.
    """
    owned: dict[_Owner, list[tuple[str, Delta]]] = defaultdict(list)
    plans = _plans(document, nodes)
    for file in again:
        for delta in deltas(again[file], found[file]):
            if moved and delta.path[-2:] == ("routes", "order"):
                continue
            for owner in _owners(file, delta.path, document, plans):
                owned[owner].append((file, delta))
    return [_oddity(owner, parts) for owner, parts in owned.items()]


def deltas(before: Any, after: Any, path: Path = ()) -> Iterator[Delta]:
    """Every place at which `after` is not `before`; rows of lists are found again by their names."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            yield from _parts(before.get(name, _NONE), after.get(name, _NONE), (*path, str(name)))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _rows(before, after, path)
    elif type(before) is not type(after) or before != after:
        yield Delta(path, before, after)


def _parts(before: Any, after: Any, path: Path) -> Iterator[Delta]:
    if before is _NONE or after is _NONE:
        yield Delta(path, before, after)
    else:
        yield from deltas(before, after, path)


def _rows(before: list[Any], after: list[Any], path: Path) -> Iterator[Delta]:
    if path[-1:] == ("allowed_clients",) and _same_names(before, after):
        return
    old, new = _by_name(before), _by_name(after)
    if old is None or new is None:
        if len(before) == len(after):
            for number, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from deltas(one, other, (*path, str(number)))
        else:
            yield Delta(path, before, after)
        return
    for name in {**old, **new}:
        yield from _parts(old.get(name, _NONE), new.get(name, _NONE), (*path, name))
    if path[-1:] not in (("credentials",), ("descriptors",)):  # those are tables: their order means nothing
        stayed = [name for name in new if name in old]
        if stayed != [name for name in old if name in new]:
            yield Delta((*path, "order"), "", "another one")


def _same_names(before: list[Any], after: list[Any]) -> bool:
    """Clients are looked up: their order means nothing."""
    return len(before) == len(after) and all(name in after for name in before)


def _by_name(rows: Sequence[Any]) -> dict[str, Any] | None:
    """Rows by what names them; None where that does not tell them apart."""
    named = {_name(row): row for row in rows}
    return named if "" not in named and len(named) == len(rows) else None


def _name(row: Any) -> str:
    if not isinstance(row, dict):
        return ""
    for key in ("name", "key"):
        if isinstance(row.get(key), str):
            return str(row[key])
    if isinstance(row.get("entries"), list):
        return (
            str(row["entries"][0].get("value", ""))
            if row["entries"] and isinstance(row["entries"][0], dict)
            else ""
        )
    return f"match {canonical_json(row['match'])}" if "match" in row else ""


# ---- whose it is ----


def _plans(document: Document, nodes: int) -> Mapping[str, list[str]]:
    """The plans that share each shape of limit."""
    plans: dict[str, list[str]] = defaultdict(list)
    for limit in document.of_kind(Limit):
        plans[filters.shape(limit, nodes)].append(limit.id)
    return plans


def _owners(file: str, path: Path, document: Document, plans: Mapping[str, list[str]]) -> Iterable[_Owner]:
    match file.partition("-"):
        case ("cds.json", _, _):
            return [_cluster_owner(path[0], document)] if path else [_Owner("file", file)]
        case ("lds.json", _, _):
            return [_Owner("listener", name_of(path[0]))] if path else [_Owner("file", file)]
        case ("rds", _, _):
            return [_route_owner(file, path, document)]
        case _:
            return _row_owners(file, path, document, plans)


def _route_owner(file: str, path: Path, document: Document) -> _Owner:
    match path:
        case (_, "virtual_hosts", host, "routes", name, *_) if name != "order":
            ours = Ref(Kind.ROUTE, name) in document.items
            label = name if ours else name_of(f"{file.removesuffix('.json')} {host} {name}")
            return _Owner("route", label, ours)
        case _:
            return _Owner("routes", file.removesuffix(".json"))


def _row_owners(
    file: str, path: Path, document: Document, plans: Mapping[str, list[str]]
) -> Iterable[_Owner]:
    match path:
        case (_, _, "descriptors", shape, *_):
            known = plans.get(shape, [])
            return [_Owner("limit", name, ours=True) for name in known] or [_Owner("limit", name_of(shape))]
        case (_, _, "credentials", row, *_) if file != filters.FILE_OF[filters.KEYS]:
            return [_named(Kind.GRANT, row, _Owner("filter", name_of(f"{path[0]} {row}")), document)]
        case _:
            return [_Owner("filter", name_of(path[0]) if path else file)]


def _cluster_owner(name: str, document: Document) -> _Owner:
    return _named(Kind.UPSTREAM, name, _Owner("cluster", name_of(name)), document)


def _named(kind: Kind, name: str, otherwise: _Owner, document: Document) -> _Owner:
    return _Owner(str(kind), name, ours=True) if Ref(kind, name) in document.items else otherwise


# ---- in words ----


def _oddity(owner: _Owner, parts: Sequence[tuple[str, Delta]]) -> Oddity:
    file, first = parts[0]
    whole = not owner.ours and all(len(delta.path) == _DEPTH.get(owner.kind, 0) for _, delta in parts)
    doubts = frozenset() if owner.ours or owner.kind in {"cluster", "route"} else doubts_of("envoy", file)
    return Oddity(
        owner.kind,
        owner.id,
        first.sort if whole else Sort.CHANGED,
        digest_of([[list(d.path), _plain(d.before), _plain(d.after)] for _, d in parts]),
        tuple(_field(delta) for _, delta in parts[:MOST_FIELDS]),
        doubts,
        any(_is_urgent(owner, name, delta) for name, delta in parts),
    )


def _plain(value: Any) -> Any:
    return None if value is _NONE else value


def _field(delta: Delta) -> tuple[str, str, str]:
    """Values that stand where we put some; of what somebody added only that it is there, it may be a secret."""
    name = shown(".".join(delta.path[-3:])) or "all"
    before = "" if delta.before is _NONE else _short(delta.before)
    if delta.sort is Sort.FOREIGN:
        return name, "", "added"
    return name, before, "" if delta.after is _NONE else _short(delta.after)


def _short(value: Any) -> str:
    return shown(value) if isinstance(value, str | int | float | bool) else "…"


def _is_urgent(owner: _Owner, file: str, delta: Delta) -> bool:
    """Whether calls may pass by the check of keys there, or whole parts of what was decided are gone."""
    path = set(delta.path)
    match owner.kind:
        case "listener":
            whole = delta.path[-1] in ("filter_chains", "filters") or len(delta.path) == 1
            kept = bool(path & _KEEPS_KEYS) or whole
            return kept and (
                delta.sort is not Sort.FOREIGN or leads_somewhere(delta.after) or len(delta.path) > 1
            )
        case "filter":
            return file == filters.FILE_OF[filters.KEYS]
        case "route" | "routes":
            if path & {MATCHER, PLACED}:  # calls do not get where the routes say
                return True
            if delta.sort is Sort.FOREIGN:
                return leads_somewhere(delta.after) or bool(path & _KEEPS_KEYS)
            return delta.sort is Sort.MISSING or bool(path & _KEEPS_KEYS - {CORS_FILTER})
        case "file":
            return leads_somewhere(delta.after)
        case _:
            return False


def leads_somewhere(value: Any) -> bool:
    """Whether a piece of configuration could carry a call to an upstream."""
    if isinstance(value, dict):
        return any(
            any(word in str(name) for word in _LEADS_SOMEWHERE) or leads_somewhere(part)
            for name, part in value.items()
        )
    return isinstance(value, list) and any(leads_somewhere(part) for part in value)
