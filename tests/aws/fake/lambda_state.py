"""Functions as AWS keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.aws.fake.place import Place
from tests.aws.fake.refusals import invalid_parameter, precondition, resource_conflict, resource_missing

LATEST = "$LATEST"


@dataclass(slots=True)
class Version:
    """One that is published: a snapshot of the configuration, its code, and what it was when it was published."""

    configuration: dict[str, Any]
    code_bytes: int
    revision: str


@dataclass(slots=True)
class Alias:
    name: str
    version: str
    revision: str
    description: str = ""
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Provisioned:
    requested: int
    ready_at: float
    modified: datetime


@dataclass(slots=True)
class Function:
    """`policies` are statements by Sid, by qualifier ("" for none). `calls` counts for weights."""

    name: str
    arn: str
    configuration: dict[str, Any]
    code_bytes: int
    revision: str
    active_at: float
    updated_at: float = 0.0
    versions: dict[str, Version] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    policies: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    policy_revisions: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    reserved: int | None = None
    provisioned: dict[str, Provisioned] = field(default_factory=dict)
    event_invoke: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_number: int = 0
    calls: int = 0
    code: bytes = b""
    code_before: bytes = b""
    """What runs until an update is over."""

    @property
    def all_code_bytes(self) -> int:
        """Every version counts."""
        return self.code_bytes + sum(version.code_bytes for version in self.versions.values())


@dataclass(slots=True)
class LambdaState:
    """Of one account and Region. `handlers` answer calls (event, version); `failing` functions do not start."""

    functions: dict[str, Function] = field(default_factory=dict)
    mappings: list[dict[str, Any]] = field(default_factory=list)
    handlers: dict[str, Callable[[Any, str], Any]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)


def lambdas(place: Place) -> LambdaState:
    """The functions of a place."""
    return place.state(LambdaState)


def named(params: Any, *, name: str = "FunctionName") -> tuple[str, str]:
    """The function's name and the qualifier ("" for none) of a name, a part of an ARN or a whole one."""
    told = params[name]
    parts = told.split(":")
    if "function" in parts:
        parts = parts[parts.index("function") + 1 :]
    elif len(parts) > 2:
        parts = parts[1:]
    within = parts[1] if len(parts) > 1 else ""
    apart = params.get("Qualifier", "")
    if within and apart and within != apart:
        raise invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return parts[0], within or apart


def function_of(place: Place, name: str, qualifier: str = "") -> Function:
    """Raises ResourceNotFoundException [S], also for a version or alias that is not there."""
    arn = place.arn("lambda", f"function:{name}")
    found = lambdas(place).functions.get(name)
    if found is None:
        raise resource_missing(f"Function not found: {arn}{f':{qualifier}' if qualifier else ''}")
    if qualifier not in {"", LATEST, *found.versions, *found.aliases}:
        raise resource_missing(f"Function not found: {arn}:{qualifier}")
    return found


def check_idle(place: Place, function: Function) -> None:
    """[S] for updates; while it is made AWS names the state [D functions-states]."""
    if place.now < function.active_at:
        raise resource_conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        )
    if place.now < function.updated_at:
        raise resource_conflict(
            f"The operation cannot be performed at this time. An update is in progress for resource: {function.arn}"
        )


def check_revision(told: str | None, revision: str) -> None:
    """[S]."""
    if told is not None and told != revision:
        raise precondition()


def new_revision(place: Place) -> str:
    return f"00000000-0000-4000-8000-{place.world.new_number():012d}"
