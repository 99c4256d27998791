"""The holdings of a gateway in the database; see `gateways.engine.holdings`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from gateways.engine.document import Document, Item, Ref, from_plain, ref, to_plain
from gateways.engine.holdings import Resource
from gateways.models import RemoteObject

OBJECT = "object"
BATCH = 1_000


class RemoteHoldings:
    """All of one gateway, read when first asked for. Whoever writes holds the gateway's lease."""

    def __init__(self, gateway_id: int) -> None:
        self._gateway_id = gateway_id
        self._read: dict[str, dict[str, Resource]] | None = None

    def document(self) -> Document:
        """The objects in force."""
        return Document.of(from_plain(value) for value in self._all()[OBJECT].values())

    def hold(self, items: Iterable[Item]) -> None:
        """These objects are in force now."""
        self.keep(OBJECT, {str(ref(item)): to_plain(item) for item in items})

    def let_go(self, names: Iterable[Ref]) -> None:
        """These objects are not in force any more."""
        self.drop(OBJECT, map(str, names))

    def resources(self, sort: str) -> Mapping[str, Resource]:
        """What there is of one sort, by name."""
        return dict(self._all()[sort])

    def resource(self, sort: str, name: str) -> Resource | None:
        """One of them."""
        return self._all()[sort].get(name)

    def keep(self, sort: str, resources: Mapping[str, Resource]) -> None:
        """Write these down."""
        known = self._all()[sort]
        new = {name: value for name, value in resources.items() if known.get(name) != value}
        rows = [
            RemoteObject(gateway_id=self._gateway_id, sort=sort, name=name, value=value)
            for name, value in new.items()
        ]
        RemoteObject.objects.bulk_create(
            rows,
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["gateway", "sort", "name"],
            update_fields=["value", "updated_at"],
        )
        known.update(new)

    def drop(self, sort: str, names: Iterable[str]) -> None:
        """These are no more."""
        known = self._all()[sort]
        gone = [name for name in names if known.pop(name, None) is not None]
        rows = RemoteObject.objects.filter(gateway_id=self._gateway_id, sort=sort)
        for start in range(0, len(gone), BATCH):
            rows.filter(name__in=gone[start : start + BATCH]).delete()

    def _all(self) -> dict[str, dict[str, Resource]]:
        if self._read is None:
            self._read = defaultdict(dict)
            rows = RemoteObject.objects.filter(gateway_id=self._gateway_id).order_by()
            for sort, name, value in rows.values_list("sort", "name", "value"):
                self._read[sort][name] = value
        return self._read
