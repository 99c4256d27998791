"""The agents of one gateway, called side by side."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gateways.drivers.agents.known import documents, files
from gateways.engine.document import Document, from_plain, named, ref
from gateways.engine.driver import DriverError, Mark, Node
from gateways.engine.http import HttpClient
from gateways.engine.pushes import changed_files

PUSH_SECONDS = 120.0
ASK_SECONDS = 30.0
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Served:
    """What one node serves: the objects really in force, and what keeps others from it."""

    mark: Mark
    document: Document
    problems: tuple[str, ...]


class AgentClient:
    """One agent. All methods raise DriverError."""

    def __init__(self, node: Node, token: str, ca_file: str = "") -> None:
        self.node = node
        self._token = token
        self._ca_file = ca_file

    def push(self, body: bytes, whole: Callable[[], bytes]) -> Mapping[str, Any]:
        """Have `body` applied, or `whole` where the node does not hold what `body` is a change of.

        Permanent DriverError when the gateway refuses it, in its own words.
        """
        unknown = HTTPStatus.PRECONDITION_FAILED
        with self._client(timeout=PUSH_SECONDS, retries=1) as client:
            send = functools.partial(
                client.request, "PUT", "/v1/config", headers={"Content-Type": "application/json"}
            )
            answer = send(content=body, heed={unknown})
            if answer.status_code == unknown:
                answer = send(content=whole())
            return dict(answer.json())

    def served(self) -> Served:
        """What the node serves now. A document that this process knows by its digest is not sent again, and of one
        that another worker pushed meanwhile only what is new."""
        plain = self._get(f"/v1/config?items=new&known={','.join(documents.digests())}")
        document = _known(plain) if plain["serving"] is True else None
        if document is None:
            plain = self._get("/v1/config")
            document = Document.of(from_plain(item) for item in plain["items"])
            documents.keep(document)
        mark = Mark(int(plain["version"]), str(plain["digest"]))
        return Served(mark, document, tuple(plain["problems"]))

    def files(self, *, texts: bool) -> Mapping[str, Any]:
        """The files of the node as they lie on its disk: their digests, with `texts` all of them."""
        return self._get("/v1/files" if texts else "/v1/files?texts=no")

    def _get(self, path: str) -> Mapping[str, Any]:
        with self._client(timeout=ASK_SECONDS, retries=2) as client:
            return dict(client.request("GET", path).json())

    def _client(self, *, timeout: float, retries: int) -> HttpClient:
        return HttpClient(
            self.node.url, token=self._token, timeout=timeout, retries=retries, ca_file=self._ca_file
        )


def _known(plain: Mapping[str, Any]) -> Document | None:
    """The document that a node serves, by its digest or by what is new in it against one that is known; None where
    neither leads there."""
    digest, since = str(plain["digest"]), str(plain.get("since", ""))
    known, base = documents.get(digest), documents.get(since)
    if known is not None or base is None:
        return known
    gone = {named(name) for name in plain["gone"]}
    new = {ref(item): item for item in map(from_plain, plain["items"])}
    items = {**base.items, **new}
    document = Document.of((item for name, item in items.items() if name not in gone), like=base)
    if document.digest() != digest:
        return None
    documents.keep(document)
    files.keep(digest, changed_files(files.get(since), plain["files"]))
    return document


def on_every_node[T](
    clients: list[AgentClient], call: Callable[[AgentClient], T]
) -> dict[str, T | DriverError]:
    """What `call` gives for each node, by name; a failure stands in the place of its result."""

    def attempt(client: AgentClient) -> T | DriverError:
        try:
            return call(client)
        except DriverError as error:
            return error
        except (KeyError, TypeError, ValueError) as error:
            text = f"the agent's answer cannot be read ({type(error).__name__})"
            return DriverError(text, permanent=False)

    def within(client: AgentClient) -> Callable[[], T | DriverError]:
        """The attempt with the request id of this thread, which a pool's threads do not have."""
        return functools.partial(contextvars.copy_context().run, attempt, client)

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        results = pool.map(lambda call: call(), [within(client) for client in clients])
        return dict(zip([c.node.name for c in clients], results, strict=True))
