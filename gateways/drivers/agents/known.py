"""What this process knows of the nodes from its last pushes and looks, so that only what is new has to be said.

Nothing here is needed: what is not known is asked for, or sent whole. Contents are named by digests, so nothing here
can be out of date. Documents and files hold keys, as the push did that they come from; they stay in the memory of a
worker, which can open every key anyway. That the objects are the very same from push to push makes comparing cheap.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping

from gateways.drivers.agents.adapt import Adapting
from gateways.engine.document import Document

MOST_DOCUMENTS = 8
MOST_CHARACTERS = 64_000_000


class DocumentCache:
    """Documents by their digests: content never changes under its digest."""

    def __init__(self, most: int = MOST_DOCUMENTS) -> None:
        self._most = most
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, found: str) -> Document | None:
        """The document of that digest, if it was kept."""
        with self._lock:
            return self._documents.get(found)

    def digests(self) -> list[str]:
        """Those of the documents that are kept."""
        with self._lock:
            return list(self._documents)

    def keep(self, document: Document) -> None:
        """Keep `document`; the one kept longest goes when there are too many."""
        with self._lock:
            self._documents[document.digest()] = document
            while len(self._documents) > self._most:
                self._documents.popitem(last=False)


class FileCache:
    """The files that realise documents, by the documents' digests. Those kept longest go when they are too long."""

    def __init__(self, most: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._files: OrderedDict[str, Mapping[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, document: str) -> Mapping[str, str]:
        """The files by name; none where they are not known."""
        with self._lock:
            return self._files.get(document, {})

    def keep(self, document: str, files: Mapping[str, str]) -> None:
        """Keep `files`, if need be in the place of others."""
        with self._lock:
            self._files[document] = files
            self._files.move_to_end(document)
            while len(self._files) > 1 and self._length() > self._most:
                self._files.popitem(last=False)

    def _length(self) -> int:
        return sum(len(text) for files in self._files.values() for text in files.values())


class AdaptingCache:
    """What drivers made of the documents of gateways last, by all that it depends on beside the document."""

    def __init__(self, most: int = MOST_DOCUMENTS) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, Adapting] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, place: Hashable) -> Adapting | None:
        """Take it out, if it is there: it changes as somebody goes on with it."""
        with self._lock:
            return self._found.pop(place, None)

    def keep(self, place: Hashable, adapting: Adapting) -> None:
        """Keep it for the next one; what was kept longest goes when there are too many."""
        with self._lock:
            self._found[place] = adapting
            while len(self._found) > self._most:
                self._found.popitem(last=False)


documents = DocumentCache()
files = FileCache()
adaptings = AdaptingCache()
