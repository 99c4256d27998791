"""Which operation of a document a call belongs to: a tree by path segment, asked once for each usage record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote

_TEMPLATE = re.compile(r"\{[^{}/]*\}")


class Matchable(Protocol):
    """What the matcher needs of an operation; SpecOperation and the Operation model both have it."""

    @property
    def key(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...


@dataclass(slots=True)
class _Node:
    """A segment reached. Children are tried in this order: literal, partly literal (`{id}.json`), whole (`{id}`)."""

    key: str | None = None
    literal: dict[str, _Node] = field(default_factory=dict)
    partial: list[tuple[tuple[str, ...], _Node]] = field(default_factory=list)
    whole: _Node | None = None

    def child(self, segment: str) -> _Node:
        """The child for a segment of a template, made when there is none."""
        pieces = tuple(_TEMPLATE.split(segment))
        if len(pieces) == 1:
            return self.literal.setdefault(unquote(segment), _Node())
        if pieces == ("", ""):
            self.whole = self.whole or _Node()
            return self.whole
        for known, node in self.partial:
            if known == pieces:
                return node
        made = _Node()
        self.partial.append((pieces, made))
        self.partial.sort(key=lambda entry: -sum(map(len, entry[0])))  # stable: more literal text first
        return made

    def templated(self, segment: str) -> list[_Node]:
        """Children that take `segment` as a parameter, the best one last."""
        found = [node for pieces, node in self.partial if fits(pieces, segment)][::-1]
        return [self.whole, *found] if self.whole is not None and segment else found


class OperationMatcher:
    """Matches calls to operations: concrete segments beat templated ones, from left to right (OpenAPI 3.1, 4.8.8.2).

    Built once per document, then read by any number of threads. A match visits each node of the tree at most once.
    """

    def __init__(self, operations: Iterable[Matchable]) -> None:
        self._roots: dict[str, _Node] = {}
        # A path written with a query (`/a?beta=true`) counts only when no plain one takes the same calls.
        for operation in sorted(operations, key=lambda operation: "?" in operation.path):
            node = self._roots.setdefault(operation.method.upper(), _Node())
            for segment in operation.path.partition("?")[0].split("/"):
                node = node.child(segment)
            if node.key is None:
                node.key = operation.key

    def match(self, method: str, path: str) -> str | None:
        """The key of the operation, None when there is none.

        `method` in upper case; `path` as called, relative to the API's base path, with or without a query.
        """
        node = self._roots.get(method)
        if node is None:
            return None
        segments = path.partition("?")[0].split("/")
        if "%" in path:
            segments = [unquote(segment) for segment in segments]
        return _find(node, segments)


def _find(node: _Node, segments: list[str]) -> str | None:
    """Depth first, best child first; untried children wait on a stack with their depth."""
    waiting: list[tuple[_Node, int]] = []
    depth, last = 0, len(segments)
    while True:
        if depth == last:
            if node.key is not None:
                return node.key
        else:
            segment = segments[depth]
            depth += 1
            literal = node.literal.get(segment)
            if node.whole is not None or node.partial:
                waiting.extend((child, depth) for child in node.templated(segment))
            if literal is not None:
                node = literal
                continue
        if not waiting:
            return None
        node, depth = waiting.pop()


def fits(pieces: tuple[str, ...], segment: str) -> bool:
    """Whether `segment` is `pieces` with at least one character in each gap; linear, unlike a regular expression."""
    first, *middle, last = pieces
    if not segment.startswith(first):
        return False
    at, end = len(first), len(segment) - len(last)
    for piece in middle:
        at = segment.find(piece, at + 1, end)
        if at < 0:
            return False
        at += len(piece)
    return at < end and segment.endswith(last)
