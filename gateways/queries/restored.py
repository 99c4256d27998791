"""Which ends of access a held gateway is given all the same."""

from __future__ import annotations

from gateways.engine.changes import ChangeSet, Delete
from gateways.engine.document import Block, Grant, Key, Ref, ref
from subscriptions.models import Credential, Subscription


def ends_of_access(changes: ChangeSet, *, whole: bool) -> set[Ref]:
    """The deletions of keys and grants that this database knows: somebody ended them here.

    Those it never heard of were made after the backup, and wait. Where the configuration is written as a
    whole (`whole`) they cannot: it would have to hold the values of keys that this database does not have.
    They then go with the first end of access, rather than that a revoked key stays.
    """
    deleted = [change.item for change in changes if isinstance(change, Delete)]
    keys = [item for item in deleted if isinstance(item, Key)]
    grants = [item for item in deleted if isinstance(item, Grant)]
    known = _known(Credential, keys) | _known(Subscription, grants)
    if not known:
        return set()
    ended = {grant.id for grant in grants if grant.id in known}
    going = {*known, *(key.id for key in keys if whole or key.grant in ended)}
    blocks = {ref(item) for item in deleted if isinstance(item, Block) and item.grant in ended}
    names = [*map(ref, keys), *map(ref, grants)]
    return blocks | {name for name in names if name.id in going}


def _known(model: type[Credential] | type[Subscription], items: list[Key] | list[Grant]) -> set[str]:
    rows = model.objects.filter(public_id__in=[item.id for item in items])
    return set(rows.values_list("public_id", flat=True))
