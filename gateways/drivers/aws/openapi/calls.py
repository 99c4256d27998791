"""The operations of a document as API Gateway sees them: one for each method of a path, with its parameters
together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from apis.spec.guard import resolve
from apis.spec.places import steps_of
from apis.spec.rules import (
    MAX_REF_CHAIN,
    METHODS,
    PathOperation,
    mapping,
    operation_key,
    path_item,
    sequence,
    template_names,
)
from gateways.drivers.aws.openapi.down import ANY_METHOD
from gateways.drivers.aws.openapi.schemas import Steps

ANY = "ANY"
_IGNORED_HEADERS = frozenset(("accept", "content-type", "authorization"))  # as OpenAPI itself says


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter and where it is described. `place` is path, query, header or cookie."""

    name: str
    place: str
    required: bool
    steps: Steps


@dataclass(frozen=True)
class Call:
    """An operation. `method` is in upper case, or ANY; `steps` lead to it; `key` names it within its document."""

    root: dict[str, Any]
    path: str
    method: str
    operation: dict[str, Any]
    item: dict[str, Any]
    steps: Steps

    @property
    def member(self) -> str:
        """The name of the operation within its path item."""
        return ANY_METHOD if self.method == ANY else self.method.lower()

    @cached_property
    def key(self) -> str:
        """As `apis.spec` names it."""
        return operation_key(PathOperation(self.method, self.path, self.steps, self.operation, self.item))

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in the path template, without the plus of a greedy one."""
        return tuple(name.removesuffix("+") for name in template_names(self.path))

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Query, header and cookie parameters, those of the operation before those of its path. Paths speak for
        themselves."""
        found: dict[tuple[str, str], Parameter] = {}
        for holder, steps in ((self.operation, self.steps), (self.item, self.steps[:-1])):
            for parameter in _parameters(self.root, holder, steps):
                found.setdefault((parameter.place, parameter.name), parameter)
        return tuple(found.values())

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses of three digits that it answers with, in order."""
        return tuple(sorted(code for code in mapping(self.operation.get("responses")) if str(code).isdigit()))


def calls_of(root: dict[str, Any]) -> Iterator[Call]:
    """All operations in the order written, ANY among them."""
    for path, written in mapping(root.get("paths")).items():
        if path.startswith("x-") or not isinstance(written, dict):
            continue
        item, steps = path_item(root, path, written)
        for name in (name for name in item if name in METHODS or name == ANY_METHOD):
            if isinstance(item[name], dict):
                method = ANY if name == ANY_METHOD else name.upper()
                yield Call(root, path, method, item[name], item, (*steps, name))


def followed(root: dict[str, Any], value: Any, steps: Steps) -> tuple[Any, Steps]:
    """`value` and its place, or what it refers to in the end and the place of that; (None, steps) without an end."""
    for _ in range(MAX_REF_CHAIN):
        if not (isinstance(value, dict) and isinstance(value.get("$ref"), str)):
            return value, steps
        steps = tuple(steps_of(unquote(value["$ref"])))
        try:
            value = resolve(root, value["$ref"])
        except LookupError:
            break
    return None, steps


def _parameters(root: dict[str, Any], holder: dict[str, Any], steps: Steps) -> Iterator[Parameter]:
    for index, written in enumerate(sequence(holder.get("parameters"))):
        value, at = followed(root, written, (*steps, "parameters", index))
        parameter = mapping(value)
        name, place = parameter.get("name"), parameter.get("in")
        if not isinstance(name, str) or place not in ("query", "header", "cookie"):
            continue
        if place == "header" and name.lower() in _IGNORED_HEADERS:
            continue
        yield Parameter(name, place, parameter.get("required") is True, at)
