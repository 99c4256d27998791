"""The one way in: bytes of an uploaded or pasted document to a ReadSpec."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apis.spec.problems import SpecProblem, SpecRefused
from apis.spec.sandbox import read_in_sandbox

__all__ = ["ReadSpec", "SpecOperation", "SpecProblem", "SpecRefused", "read_spec"]


@dataclass(frozen=True, slots=True)
class SpecOperation:
    """Method (upper case) and path template. `key` is unique in its document: operationId, or `GET /path`."""

    key: str
    method: str
    path: str
    operation_id: str
    summary: str
    deprecated: bool
    tags: tuple[str, ...]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SpecOperation:
        """The operation that the worker wrote as a JSON object."""
        return cls(**{**value, "tags": tuple(value["tags"])})


@dataclass(frozen=True, slots=True)
class ReadSpec:
    """An accepted document. `text` is canonical JSON (stable, keys as written) and `digest` its SHA-256 in hex.

    `size` is the number of bytes that were given. `security_schemes` maps a name to a short text. `warnings` say
    what is wrong in the document and does no harm. Titles and the like are the author's words: escape them.
    """

    text: str = field(repr=False)
    digest: str
    size: int
    filename: str
    openapi: str
    title: str
    version: str
    description: str
    servers: tuple[str, ...]
    tags: tuple[str, ...]
    operations: tuple[SpecOperation, ...]
    security_schemes: Mapping[str, str]
    warnings: tuple[SpecProblem, ...]

    def document(self) -> dict[str, Any]:
        """The document as fresh JSON values."""
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded


def read_spec(data: bytes, filename: str | None = None) -> ReadSpec:
    """Read an OpenAPI 3.0 or 3.1 document in JSON or YAML (told apart by content, not by name).

    Raises SpecRefused with every problem found. Takes about 0.2 s for a small document and a few seconds for
    megabytes, at most sandbox.WALL_SECONDS; nothing is fetched or opened whatever the document says.
    """
    found = read_in_sandbox(data)
    return ReadSpec(
        text=found["text"],
        digest=hashlib.sha256(found["text"].encode()).hexdigest(),
        size=len(data),
        filename=(filename or "")[:200],
        openapi=found["openapi"],
        title=found["title"],
        version=found["version"],
        description=found["description"],
        servers=tuple(found["servers"]),
        tags=tuple(found["tags"]),
        operations=tuple(map(SpecOperation.from_json, found["operations"])),
        security_schemes=found["security_schemes"],
        warnings=tuple(map(SpecProblem.from_json, found["warnings"])),
    )
