"""What AWS would refuse, found before a call: botocore itself checks neither enumerations nor lengths nor patterns.

The rules are those of botocore's own models. API Gateway's has almost none, so `RULES` holds what is documented.
Values are never repeated in what is said: keys and environments are among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from aws.client.errors import Invalid
from aws.client.strict_rules import RULES

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
}


def check(model: Any, params: Mapping[str, Any]) -> None:
    """Raises Invalid, which names each thing that is wrong. `model` is botocore's of the operation."""
    service = model.service_model.service_name
    problems = [*_walk(model.input_shape, params, "")] if model.input_shape is not None else []
    if not problems:
        problems = [said for rule in RULES.get((service, model.name), ()) for said in rule(params)]
    if problems:
        message = f"{model.name} would be refused: {'; '.join(problems)}."
        raise Invalid(message, service=service, operation=model.name, code="StrictModel")


def strict_model(params: Mapping[str, Any], model: Any, **_: Any) -> None:
    """The same as a handler of botocore's event `provide-client-params`."""
    check(model, params)


def _walk(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, path)
    elif kind == "list":
        yield from _list(shape, value, path)
    elif kind == "map":
        yield from _map(shape, value, path)
    else:
        yield from _scalar(shape, value, path)


def _structure(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path or 'it'} must be an object"
        return
    begin = f"{path}." if path else ""
    yield from (f"{begin}{name} is missing" for name in shape.required_members if value.get(name) is None)
    for name, inner in value.items():
        if name not in shape.members:
            yield f"{begin}{name} is not known"
        else:
            yield from _walk(shape.members[name], inner, begin + name)


def _list(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list | tuple):
        yield f"{path} must be a list"
        return
    yield from _sized(shape, len(value), path, "entries")
    for number, inner in enumerate(value):
        yield from _walk(shape.member, inner, f"{path}[{number}]")


def _map(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path} must be an object"
        return
    yield from _sized(shape, len(value), path, "entries")
    for key, inner in value.items():
        yield from _walk(shape.key, key, f"the key of {path}")
        yield from _walk(shape.value, inner, f"{path}.{key}")


def _scalar(shape: Any, value: Any, path: str) -> Iterator[str]:
    kinds = _TYPES.get(shape.type_name)
    if kinds is not None and (
        not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
    ):
        yield f"{path} must be {'an' if shape.type_name == 'integer' else 'a'} {shape.type_name}"
    elif shape.type_name == "string":
        yield from _string(shape, value, path)
    elif shape.type_name in {"integer", "long", "float", "double"}:
        yield from _sized(shape, value, path, "")
    elif shape.type_name == "blob" and isinstance(value, bytes | bytearray):
        yield from _sized(shape, len(value), path, "bytes")


def _string(shape: Any, value: str, path: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{path} must be one of {', '.join(shape.enum)}"
    yield from _sized(shape, len(value), path, "characters")
    pattern = _compiled(shape.metadata.get("pattern", ""))
    if pattern is not None and not pattern.match(value):
        yield f"{path} must match {shape.metadata['pattern']}"


def _sized(shape: Any, size: float, path: str, unit: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{path} must be at least {least} {unit}".rstrip()
    if most is not None and size > most:
        yield f"{path} must be at most {most} {unit}".rstrip()


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """None where there is no pattern, or one that only Java reads. It is of the whole, unless it has an anchor."""
    whole = pattern if pattern.startswith("^") else f"(?:{pattern})\\Z"
    try:
        return re.compile(whole, re.DOTALL) if pattern else None
    except re.error:
        return None
