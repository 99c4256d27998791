"""What a push would do, without doing it: the part of a reconcile that previews share with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateways.engine.changes import ChangeSet, Create, Update
from gateways.engine.diff import diff
from gateways.engine.document import Document, Grant, Kind, Ref, Upstream, ref
from gateways.engine.driver import Adapted, Driver
from gateways.holding import hold_back

type CheckTarget = Callable[[str], str]
"""Given the address of an upstream: why it may not be called, or an empty string."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`desired` as the portal wants it, `changes` as this gateway can be given it.

    `held` says of each object why it is not pushed as desired; `roots` are those of them that are the cause
    and not its consequence.
    """

    desired: Document
    adapted: Adapted
    observed: Document
    changes: ChangeSet
    held: Mapping[Ref, str] = field(default_factory=dict)
    roots: Mapping[Ref, str] = field(default_factory=dict)


def compare(
    driver: Driver,
    desired: Document,
    roots: Mapping[Ref, str],
    *,
    check_target: CheckTarget,
    without: Kind | None = None,
) -> Comparison:
    """Look at the gateway and work out the changes. Raises DriverError.

    `roots` are held back from the start; upstreams that would be pushed and may not be called join them.
    Objects of the kind `without` are left out on both sides: a preview compares without opening keys.
    """
    desired = _leave_out(desired, without)
    adapted = driver.adapt(desired)
    observed = _leave_out(driver.observe(None), without)
    desired.learn(observed)
    comparison = weigh(desired, adapted, observed, roots)
    refused = _refused_targets(comparison.changes, check_target)
    return weigh(desired, adapted, comparison.observed, {**roots, **refused}) if refused else comparison


def _leave_out(document: Document, kind: Kind | None) -> Document:
    if kind is None:
        return document
    return Document({name: item for name, item in document.items.items() if name.kind is not kind})


def weigh(desired: Document, adapted: Adapted, observed: Document, roots: Mapping[Ref, str]) -> Comparison:
    """The comparison of two documents that are known already."""
    dropped = {
        name: adapted.notes.get(name, "This gateway cannot hold it.")
        for name in desired.items
        if name not in adapted.document.items
    }
    causes = {**dropped, **{name: reason for name, reason in roots.items() if name in desired.items}}
    held = hold_back(adapted.document, observed, causes)
    changes = diff(observed, held.document)
    lame = _lame(desired, held.document) if held.reasons else {}
    return Comparison(desired, adapted, observed, changes, {**held.reasons, **lame}, causes)


def _lame(desired: Document, pushed: Document) -> dict[Ref, str]:
    """Grants that lack a route of theirs: they are there and do not do all that is desired."""
    return {
        ref(grant): "One of its routes is held back."
        for grant in desired.of_kind(Grant)
        if isinstance(found := pushed.items.get(ref(grant)), Grant)
        and not set(grant.routes) <= set(found.routes)
    }


def _refused_targets(changes: ChangeSet, check_target: CheckTarget) -> dict[Ref, str]:
    """Upstreams about to be pushed with an address that may not be called, each with the reason."""
    refused = {}
    for change in changes:
        if isinstance(change, Create | Update) and isinstance(change.item, Upstream):
            reason = refusal_of_upstream(change.item, check_target)
            if reason:
                refused[change.ref] = reason
    return refused


def refusal_of_upstream(upstream: Upstream, check_target: CheckTarget) -> str:
    """Why an upstream may not be called, by the first of its targets that may not; empty if all may.

    Where AI runtimes are was said by whoever runs the gateways, like the gateways' own addresses.
    """
    if upstream.hop:
        return ""
    return next(filter(None, (check_target(target.url) for target in upstream.targets)), "")
