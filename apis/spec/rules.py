"""What the official schemas cannot say: references that resolve, unique operations, parameters that match paths.

Everything here is iterative and linear in the size of the document, so that a cycle of references, which is legal,
or a long chain of them costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apis.spec.building import shown
from apis.spec.guard import resolve
from apis.spec.places import Source, Step, walk

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MAX_REF_CHAIN = 100
MAX_KEY_CHARS = 300
MAX_PATH_CHARS = 1000
MAX_TITLE_CHARS = 300
MAX_VERSION_CHARS = 100

_TEMPLATE = re.compile(r"\{([^{}/]*)\}")
_NAME = re.compile(r"[a-zA-Z0-9._-]+\Z")

# Under these keys stand values of the API itself, where "$ref" is a word like any other ...
_LITERAL_KEYS = frozenset(("example", "default", "enum", "const", "value", "examples"))
# ... unless the key is a name that the author chose.
_NAME_MAPS = frozenset((
    "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "schemas", "responses",
    "parameters", "requestBodies", "headers", "securitySchemes", "links", "callbacks", "pathItems", "paths",
    "webhooks", "content", "variables", "mapping", "encoding", "scopes",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class PathOperation:
    """An operation where it stands: `steps` lead to it, `item` is its path item, `path` its template."""

    method: str
    path: str
    steps: tuple[Step, ...]
    operation: dict[str, Any]
    item: dict[str, Any]


def check_rules(source: Source) -> None:
    """Note what is wrong beyond the schema. Runs on any shape, so that one reading tells all there is to correct."""
    _check_references(source)
    _check_names(source)
    _check_paths(source)
    operations = list(operations_of(source.root))
    _check_operation_ids(source, operations)
    _check_parameters(source, operations)
    _check_security(source, operations)
    if not operations:
        source.warn(
            [], "no-operations", "The document has no paths, so there is nothing to call through a gateway."
        )


def operations_of(root: dict[str, Any]) -> Iterator[PathOperation]:
    """Operations in the order written. A path item given by reference counts as if written there."""
    for path, written in mapping(root.get("paths")).items():
        if path.startswith("x-") or not isinstance(written, dict):
            continue
        item, steps = path_item(root, path, written)
        for method in (name for name in item if name in METHODS):
            if isinstance(item[method], dict):
                yield PathOperation(method.upper(), path, (*steps, method), item[method], item)


def path_item(
    root: dict[str, Any], path: str, written: dict[str, Any]
) -> tuple[dict[str, Any], tuple[Step, ...]]:
    """The path item with the one it refers to beneath it, and the steps to where it is written."""
    steps: tuple[Step, ...] = ("paths", path)
    referred = dereferenced(root, written) if "$ref" in written else None
    return ({**referred, **written}, steps) if isinstance(referred, dict) else (written, steps)


def dereferenced(root: dict[str, Any], value: Any) -> Any:
    """`value`, or what it refers to at the end of a chain of references; None when the chain has no end."""
    for _ in range(MAX_REF_CHAIN):
        if not (isinstance(value, dict) and isinstance(value.get("$ref"), str)):
            return value
        try:
            value = resolve(root, value["$ref"])
        except LookupError:
            return None
    return None


def mapping(value: Any) -> dict[str, Any]:
    """`value` when it is a mapping, else an empty one: what has another type was reported by the schema."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """`value` when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def template_names(path: str) -> list[str]:
    """The names in the braces of a path template, in order."""
    return _TEMPLATE.findall(path)


def _is_literal(steps: tuple[Step, ...]) -> bool:
    """Whether a value is an example, a default or the like rather than part of the description."""
    named = False
    for step in steps:
        if not named and step in _LITERAL_KEYS:
            return True
        if isinstance(step, str):
            named = not named and step in _NAME_MAPS
    return False


def _check_references(source: Source) -> None:
    chains: dict[str, int | None] = {}
    for steps, container in walk(source.root):
        target = container.get("$ref") if isinstance(container, dict) else None
        if not isinstance(target, str) or _is_literal(steps):
            continue
        length = _chain_length(source.root, target, chains)
        if length is None:
            message = f"{shown(target)} points at nothing in this document. Correct it, or add what it should point at."
            source.refuse((*steps, "$ref"), "unresolved-ref", message)
        elif length > MAX_REF_CHAIN:
            message = (
                f"{shown(target)} leads only to more references, in a circle or over {MAX_REF_CHAIN} of them."
            )
            source.refuse((*steps, "$ref"), "ref-loop", f"{message} Point it at the definition itself.")


def _chain_length(root: dict[str, Any], target: str, known: dict[str, int | None]) -> int | None:
    """How many references lead from `target` to a value; None when to nothing, MAX_REF_CHAIN + 1 when too many.

    `known` remembers every reference met, so that many references to one long chain cost one walk.
    """
    trail: list[str] = []
    while target not in known:
        trail.append(target)
        known[target] = MAX_REF_CHAIN + 1  # what a circle finds when it comes round
        try:
            value = resolve(root, target)
        except LookupError:
            known[target] = None
            break
        if not (isinstance(value, dict) and isinstance(value.get("$ref"), str)):
            known[target] = 1
            break
        target = value["$ref"]
    length = known[target]
    for step in reversed(trail[:-1] if trail and trail[-1] == target else trail):
        length = known[step] = None if length is None else min(length + 1, MAX_REF_CHAIN + 1)
    return length


def _check_names(source: Source) -> None:
    info = mapping(source.root.get("info"))
    for name, limit in (("title", MAX_TITLE_CHARS), ("version", MAX_VERSION_CHARS)):
        text = info.get(name)
        if not isinstance(text, str):
            continue
        if len(text) > limit:
            message = f"The {name} is {len(text):,} characters long; at most {limit} are kept. Shorten it."
            source.refuse(["info", name], "too-long", message)
        if not text.strip():
            source.refuse(["info", name], "missing-field", f"The {name} is empty. Fill it in.")
    for kind, entries in mapping(source.root.get("components")).items():
        named = mapping(entries) if not kind.startswith("x-") else {}
        for name in (n for n in named if not _NAME.match(n)):
            message = f"The name {shown(name)} may hold only letters, digits, dots, hyphens and underscores."
            source.refuse(["components", kind, name], "bad-name", message)


def _check_paths(source: Source) -> None:
    shapes: dict[str, str] = {}
    for path in (p for p in mapping(source.root.get("paths")) if not p.startswith("x-")):
        if message := _path_fault(path):
            source.refuse(["paths", path], "bad-path", message)
            continue
        if "?" in path:
            message = f"The path {shown(path)} holds a query, which no call is matched by. Describe it as parameters."
            source.warn(["paths", path], "query-in-path", message)
        shape = _TEMPLATE.sub("{}", path)
        if (other := shapes.setdefault(shape, path)) != path:
            line = source.place(["paths", other])[0]
            message = (
                f"{shown(path)} matches the same calls as {shown(other)} on line {line}. Merge them into one."
            )
            source.refuse(["paths", path], "path-clash", message)


def _path_fault(path: str) -> str | None:
    """What is wrong with a path template by itself."""
    if len(path) > MAX_PATH_CHARS:
        return f"This path is {len(path):,} characters long; at most {MAX_PATH_CHARS} are kept. Shorten it."
    if "#" in _TEMPLATE.sub("", path):
        return f"The path {shown(path)} holds “#”, which never reaches a server. Remove what follows it."
    if any(c.isspace() or not c.isprintable() for c in path):
        return (
            f"The path {shown(path)} holds white space or a control character. Remove it, or write it as %20."
        )
    names = template_names(path)
    if "{" in (rest := _TEMPLATE.sub("", path)) or "}" in rest or "" in names:
        return f"The braces in the path {shown(path)} do not form parameters such as {{id}}. Correct them."
    if len(set(names)) < len(names):
        return f"The path {shown(path)} uses one parameter name twice. Give each its own name."
    return None


def _check_operation_ids(source: Source, operations: list[PathOperation]) -> None:
    first: dict[str, PathOperation] = {}
    for found in operations:
        key = operation_key(found)
        if len(key) > MAX_KEY_CHARS:
            message = f"This operationId is {len(key):,} characters long; at most {MAX_KEY_CHARS} are kept. Shorten it."
            source.refuse((*found.steps, "operationId"), "too-long", message)
        if (other := first.setdefault(key, found)) is not found:
            message = (
                f"The operationId {shown(key)} also names {other.method} {other.path}. Give each its own."
            )
            source.refuse((*found.steps, "operationId"), "duplicate-operation-id", message)


def operation_key(found: PathOperation) -> str:
    """The name of an operation within its document: its operationId, or `GET /path`."""
    declared = found.operation.get("operationId")
    return declared if isinstance(declared, str) and declared else f"{found.method} {found.path}"


def _check_parameters(source: Source, operations: list[PathOperation]) -> None:
    for found in operations:
        shared = list(_path_parameters(source, found.item, ("paths", found.path)))
        own = list(_path_parameters(source, found.operation, found.steps))
        wanted = set(template_names(found.path))
        for name in sorted(wanted - {n for n, _ in (*shared, *own)}):
            message = (
                f"{found.method} {found.path} does not declare its path parameter {shown(name)}. Add it."
            )
            source.refuse((*found.steps, "parameters"), "undeclared-parameter", message)
        for name, steps in (*shared, *own):
            if name not in wanted:
                message = (
                    f"The path {shown(found.path)} has no {{{name}}}. Add it there, or remove this parameter."
                )
                source.refuse(steps, "unused-parameter", message)


def _path_parameters(
    source: Source, holder: dict[str, Any], steps: tuple[Step, ...]
) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """(name, steps) of the parameters `in: path` of an operation or path item; duplicates are noted on the way."""
    seen: set[tuple[str, str]] = set()
    for index, written in enumerate(sequence(holder.get("parameters"))):
        parameter = dereferenced(source.root, written)
        at = (*steps, "parameters", index)
        if not isinstance(parameter, dict) or not isinstance(parameter.get("name"), str):
            if isinstance(parameter, dict) and "$ref" in mapping(written):
                source.refuse(
                    at, "bad-parameter", "This refers to something that is no parameter. Correct it."
                )
            continue
        name, place = parameter["name"], str(parameter.get("in"))
        if (name, place) in seen:
            source.refuse(
                at, "duplicate-parameter", f"The {place} parameter {shown(name)} is given twice. Remove one."
            )
        seen.add((name, place))
        if place == "path":
            yield name, at


def _check_security(source: Source, operations: list[PathOperation]) -> None:
    schemes = mapping(mapping(source.root.get("components")).get("securitySchemes"))
    places: list[tuple[tuple[Step, ...], Any]] = [((), source.root)]
    places += [(found.steps, found.operation) for found in operations]
    for steps, holder in places:
        for index, requirement in enumerate(sequence(holder.get("security"))):
            for name in (n for n in mapping(requirement) if n not in schemes):
                message = (
                    f"The security scheme {shown(name)} is not described under components. Add it there."
                )
                source.warn((*steps, "security", index, name), "unknown-security-scheme", message)
