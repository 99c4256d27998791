"""What is decided about a function, as plain values in AWS's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

OBJECT_TAG = "portal:object"
"""Its value is the public id of the portal's own record."""
MARK = "portal:"
"""Begins the description of what AWS cannot tag: versions and aliases. The public id follows."""


@dataclass(frozen=True, slots=True)
class Code:
    """A zip (`content` gives its bytes) or an image. `sha256` empty: AWS has not told it yet."""

    sha256: str
    image_uri: str = ""
    content: Callable[[], bytes] = bytes

    def members(self) -> dict[str, Any]:
        """As UpdateFunctionCode takes it."""
        return {"ImageUri": self.image_uri} if self.image_uri else {"ZipFile": self.content()}


@dataclass(frozen=True, slots=True)
class WantedRole:
    """A role that the portal makes for the function. `policy` and `trust` are documents."""

    name: str
    path: str
    boundary_arn: str
    trust: Mapping[str, Any]
    policy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WantedVersion:
    """A version to be published, and its mark."""

    id: str
    note: str

    @property
    def description(self) -> str:
        return f"{MARK}{self.id} {self.note}".strip()[:256]


@dataclass(frozen=True, slots=True)
class WantedAlias:
    """`weights`: share of one by number of the second version. `provisioned` None: none."""

    id: str
    name: str
    version: str
    weights: Mapping[str, float] = field(default_factory=dict)
    provisioned: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A function as it shall be. `configuration` has the members of UpdateFunctionConfiguration that the portal keeps.

    `is_gone`: it shall not be there. `code` None: whatever is there stays. `events` are where results go, None: nothing
    is said about it; `clears_events`: they shall be taken away.
    """

    id: str
    prefix: str
    name: str
    arn: str
    is_adopted: bool
    is_gone: bool
    package: str
    architecture: str
    configuration: Mapping[str, Any]
    tags: Mapping[str, str]
    dropped_tags: tuple[str, ...]
    code: Code | None
    role: WantedRole | None
    reserved: int | None
    events: Mapping[str, Any] | None
    clears_events: bool
    aliases: tuple[WantedAlias, ...]
    removed_aliases: tuple[str, ...]
    version: WantedVersion | None
    pruned: tuple[str, ...]
