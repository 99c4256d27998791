"""What publishing would change, by the very path that publishing takes; it stops before anything is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apis.models import ApiVersion, UpstreamBinding
from audit.models import ActionRefused
from gateways.actions.publications import PlaceToPublish, publish_to
from gateways.comparison import Comparison, compare
from gateways.connections import counted_nodes, driver_for
from gateways.desired import desired_objects
from gateways.drivers.aws.openapi.found import Trap
from gateways.egress import refusal_of_target
from gateways.engine.changes import ChangeSet, Create, Update
from gateways.engine.document import Document, Grant, Key, Kind
from gateways.engine.driver import DriverError
from gateways.models import Gateway, Publication
from gateways.queries.aws_capabilities import taken_at_aws, traps_of
from gateways.queries.capabilities import shortfalls_of
from gateways.queries.overview import VisibleChanges, visible_part
from teams.models import Actor


@dataclass(frozen=True, slots=True)
class Preview:
    """What one gateway would be given. `error` is why it could not be looked at; `refused` why the portal
    itself would not publish there. `traps` are the places that a gateway at AWS takes otherwise than written, `takes`
    says what it eats of the account's quotas.
    `keys` counts the keys that come with the subscriptions that change.
    `after_runtime`: AI runtimes get it first, and this gateway when they have proved that they hold it."""

    gateway: Gateway
    places: tuple[PlaceToPublish, ...]
    part: VisibleChanges | None = None
    counts: dict[str, int] = field(default_factory=dict)
    keys: int = 0
    shortfalls: tuple[Any, ...] = ()
    traps: tuple[Trap, ...] = ()
    takes: tuple[Any, ...] = ()
    error: str = ""
    refused: str = ""
    after_runtime: bool = False


def preview_publishing(
    version: ApiVersion, places: Sequence[PlaceToPublish], *, actor: Actor, base_path: str = ""
) -> list[Preview]:
    """Publish in a transaction that is rolled back, then compare each gateway with what it would be given.

    The gateways are asked after the rollback: no transaction waits for them. Raises PermissionDenied.
    """
    by_gateway: dict[int, list[PlaceToPublish]] = {}
    for place in places:
        by_gateway.setdefault(place.gateway.pk, []).append(place)
    return [_preview(version, here, actor=actor, base_path=base_path) for here in by_gateway.values()]


def preview_gateway(gateway: Gateway, *, actor: Actor) -> Preview:
    """What a push would change now, as things are decided."""
    return _looked_at(Preview(gateway, ()), desired_objects(gateway), set(), actor)


def _preview(version: ApiVersion, places: list[PlaceToPublish], *, actor: Actor, base_path: str) -> Preview:
    gateway = places[0].gateway
    try:
        with transaction.atomic():
            made = publish_to(version, places, actor=actor, base_path=base_path)
            desired = desired_objects(gateway, ahead=True)
            own = {name for p in made for name in (p.public_id, p.revision.public_id)}
            shortfalls, traps, takes = (look(gateway, made) for look in (_shortfalls, _traps, _takes))
            is_ai = any(publication.revision.upstream.is_ai for publication in made)
            transaction.set_rollback(True)
    except ActionRefused as refused:
        return Preview(gateway, tuple(places), refused=refused.message)
    except ValidationError as invalid:
        return Preview(gateway, tuple(places), refused=" ".join(invalid.messages))
    preview = Preview(
        gateway, tuple(places), shortfalls=shortfalls, traps=traps, takes=takes, after_runtime=is_ai
    )
    return _looked_at(preview, desired, own, actor)


def _shortfalls(gateway: Gateway, publications: Sequence[Publication]) -> tuple[Any, ...]:
    found: list[Any] = []
    for publication in publications:
        found += shortfalls_of(gateway, _binding(publication), publication.revision)
    return tuple(dict.fromkeys(map(str, found)))


def _traps(gateway: Gateway, publications: Sequence[Publication]) -> tuple[Trap, ...]:
    """What a gateway at AWS takes otherwise than it is written. It is the same document in each environment."""
    if not gateway.is_at_aws:
        return ()
    bound = ((publication, _binding(publication)) for publication in publications)
    found = (traps_of(p.environment, binding, p.revision) for p, binding in bound if binding is not None)
    return tuple(dict.fromkeys(trap for traps in found for trap in traps))


def _takes(gateway: Gateway, publications: Sequence[Publication]) -> tuple[Any, ...]:
    """What they take of the quotas of an AWS account."""
    if not gateway.is_at_aws:
        return ()
    said = (words for p in publications for words in taken_at_aws(gateway, p.environment, p.revision))
    return tuple(dict.fromkeys(map(str, said)))


def _binding(publication: Publication) -> UpstreamBinding | None:
    bindings = publication.revision.upstream.bindings.filter(environment=publication.environment)
    return bindings.select_related("environment", "upstream").first()


def _looked_at(preview: Preview, desired: Document, own: set[str], actor: Actor) -> Preview:
    gateway = preview.gateway
    nodes, _away = counted_nodes(gateway)
    try:
        driver = driver_for(gateway, nodes=nodes)
        comparison = compare(driver, desired, {}, check_target=refusal_of_target, without=Kind.KEY)
    except DriverError as error:
        return replace(preview, error=error.message)
    part, counts = _part(comparison, own, actor)
    return replace(preview, part=part, counts=counts, keys=_keys_with(comparison.changes, desired))


def _part(comparison: Comparison, own: set[str], actor: Actor) -> tuple[VisibleChanges, dict[str, int]]:
    """The changes that `actor` may see. Routes of publications that exist in the preview alone are own ones."""
    plain = comparison.changes.to_plain()
    touched = {(change["kind"], change["id"]) for change in plain["changes"]}
    notes = [
        {"kind": str(name.kind), "id": name.id, "text": text, "held": name in comparison.held}
        for name, text in {**comparison.adapted.notes, **comparison.held}.items()
        if name in comparison.held
        or (str(name.kind), name.id) in touched  # of what stays as it is was said before
    ]
    part = visible_part(plain["changes"], notes, len(plain["changes"]), actor)
    if not part.whole:
        mine = [change for change in plain["changes"] if change["id"] in own or change in part.changes]
        said = [note for note in notes if note["id"] in own or note in part.notes]
        part = VisibleChanges(mine, said, len(plain["changes"]) - len(mine), whole=False)
    return part, plain["counts"]


def _keys_with(changes: ChangeSet, desired: Document) -> int:
    """How many keys belong to the subscriptions that are added or changed."""
    grants = {
        change.item.id
        for change in changes
        if isinstance(change, Create | Update) and isinstance(change.item, Grant)
    }
    return sum(1 for key in desired.of_kind(Key) if key.grant in grants)
