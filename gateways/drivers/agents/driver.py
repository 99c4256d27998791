"""The driver of gateways with agents: it renders the whole document and hands it to the agent of each node."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import ClassVar

from gateways.drivers.agents import known
from gateways.drivers.agents.adapt import Adapting, NoMore, Refine
from gateways.drivers.agents.client import AgentClient, Served, on_every_node
from gateways.drivers.agents.inspection import ReadFiles, Setup, inspect_node
from gateways.drivers.agents.nodes import merged, named_in, shows, states
from gateways.engine.changes import ChangeSet
from gateways.engine.document import Document, Key, ProviderKey, ref
from gateways.engine.drift import Reading
from gateways.engine.driver import Adapted, Connection, DriverError, Feature, Mark, Progress, Scope, Verdict
from gateways.engine.pushes import difference, make_push

_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - a gateway is there to be reached; `listen` narrows it


class AgentDriver:
    """A gateway through agents. A kind says what it can be given (`refine`), how that is rendered (`phases`), and
    how it is read back from files (`reader`).

    Options: `listen`, the address that its ports are bound to (default every one); `ca_file`, the authorities
    of the agents' certificates (default the system's).
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    supports: ClassVar[frozenset[Feature]]
    renders_whole: ClassVar[bool] = True
    knows_keys: ClassVar[bool] = True
    """Whether it is given the keys themselves, and not their digests alone."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.clients = [
            AgentClient(node, connection.token, connection.options.get("ca_file", ""))
            for node in connection.nodes
        ]
        self.address = connection.options.get("listen") or _ANY_ADDRESS
        self.nodes = max(1, len(connection.nodes))
        self._seen: Mapping[str, Served] = {}

    def adapt(self, desired: Document) -> Adapted:
        """Drop what the gateway cannot be given; see the module `adapt` for the rules."""
        if not self.connection.remembers:
            return self._adapting(desired).result()
        place = (self.kind, self.connection.gateway, self.connection.listeners, self.nodes)
        before = known.adaptings.take(place)
        found = before if before and before.follow(desired) else self._adapting(desired)
        known.adaptings.keep(place, found)
        return found.result()

    def _adapting(self, desired: Document) -> Adapting:
        return Adapting.anew(desired, self.connection.listeners, self.nodes, self.refine())

    def refine(self) -> Refine:
        """What this kind asks of an object beyond the common rules; made anew for every document."""
        return NoMore()

    def phases(self, observed: Document, desired: Document) -> list[Mapping[str, str]]:
        """The files in the order in which to swap them; the last phase names all of them."""
        raise NotImplementedError

    def reader(self) -> ReadFiles:
        """What reads the files of a node, whoever wrote them."""
        raise NotImplementedError

    def observe(self, scope: Scope) -> Document:
        """What all nodes serve. Raises DriverError when a node does not answer, or there is none."""
        document = merged(self._served().values())
        if scope is None:
            return document
        return Document({name: item for name, item in document.items.items() if name in scope})

    def inspect(self, expected: Document) -> tuple[Reading, ...]:
        """What the files of each node say, whoever wrote them."""
        setup = Setup(self.kind, tuple(self.connection.listeners), self.address, self.nodes)
        read = self.reader()
        results = on_every_node(self.clients, lambda client: inspect_node(client, expected, setup, read))
        return tuple(
            Reading(name, unread=result.message) if isinstance(result, DriverError) else result
            for name, result in results.items()
        )

    def marks(self) -> Mapping[str, Mark]:
        """The push that each node holds, as it was just looked at. Raises DriverError."""
        return {name: node.mark for name, node in (self._seen or self._served()).items()}

    def apply(self, changes: ChangeSet, progress: Progress) -> None:
        """Render, and have every node take it. Raises DriverError in the words of the nodes that did not."""
        progress("render", f"{len(changes.desired)} objects for {len(self.clients)} nodes")
        self._raise_without_values(changes.desired)
        phases = self.phases(changes.observed, changes.desired)
        whole = functools.partial(self._whole, changes.desired, phases)
        body = self._difference(changes, phases) if self._holds(changes.observed) else whole()
        progress("push", ", ".join(client.node.name for client in self.clients))
        results = on_every_node(self.clients, lambda client: client.push(body, whole))
        self._raise_failures(results, changes.desired)
        known.documents.keep(changes.desired)
        known.files.keep(changes.desired.digest(), phases[-1])

    def verify(self, changes: ChangeSet) -> Verdict:
        """Ask every node what it serves, and compare what was to change."""
        served = self._served()
        unconfirmed = {}
        for change in changes:
            behind = [name for name, node in served.items() if not shows(node.document, change)]
            if behind:
                unconfirmed[change.ref] = f"Not yet in force on {', '.join(behind)}."
        return Verdict(changes.refs() - unconfirmed.keys(), unconfirmed, states(served))

    def snapshot(self, desired: Document) -> bytes:
        """The body that an agent fetches at its start: everything in one phase."""
        document = self.adapt(desired).document
        self._raise_without_values(document)
        return self._whole(document, self.phases(document, document)[-1:])

    def _holds(self, document: Document) -> bool:
        """Whether every node was seen to hold all of `document`."""
        return bool(self._seen) and all(node.mark.digest == document.digest() for node in self._seen.values())

    def _whole(self, document: Document, phases: Sequence[Mapping[str, str]]) -> bytes:
        return make_push(self.kind, self.connection.version, document, phases).to_bytes()

    def _difference(self, changes: ChangeSet, phases: Sequence[Mapping[str, str]]) -> bytes:
        base = changes.observed
        held = known.files.get(base.digest())
        version = self.connection.version
        return difference(self.kind, version, changes.desired, phases, base=base, files=held)

    def _served(self) -> Mapping[str, Served]:
        results = on_every_node(self.clients, AgentClient.served)
        self._raise_failures(results, Document())
        self._seen = {name: result for name, result in results.items() if isinstance(result, Served)}
        return self._seen

    def _raise_failures(self, results: Mapping[str, object], document: Document) -> None:
        if not results:
            raise DriverError("No node of this gateway has reported. Start its agent.", permanent=False)
        failures = {name: r for name, r in results.items() if isinstance(r, DriverError)}
        if failures:
            text = "; ".join(f"{name}: {error.message}" for name, error in failures.items())
            permanent = any(error.permanent for error in failures.values())
            raise DriverError(text, permanent=permanent, offenders=named_in(text, document))

    def _raise_without_values(self, document: Document) -> None:
        """A key without its value would be an empty key, which is no key at all; so it is with other secrets."""
        keys = document.of_kind(Key) if self.knows_keys else ()
        vendors = (key for key in document.of_kind(ProviderKey) if not key.reference)
        empty = tuple(ref(item) for item in (*keys, *vendors) if not item.value)
        if empty:
            text = f"{len(empty)} keys came without their values."
            raise DriverError(text, permanent=True, offenders=empty)
