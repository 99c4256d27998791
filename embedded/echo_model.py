"""A model that knows nothing: it repeats the last message of the user, or fills a JSON Schema from its words.

The same question gets the same answer, always. A token is a word or a sign.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PIECES = re.compile(r"\s*(?:\w+|[^\w\s])|\s+\Z")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
MOST_DEPTH = 20
SIZE = 64
"""How many numbers an embedding has unless the caller asks for another."""

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Echo:
    """An answer in the pieces in which it streams, and what was counted."""

    pieces: tuple[str, ...]
    prompt_tokens: int
    is_cut: bool

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def usage(self) -> dict[str, int]:
        read, wrote = self.prompt_tokens, len(self.pieces)
        return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def answer(messages: Sequence[Json], *, schema: Json | None, most: int | None) -> Echo:
    """What the model says to `messages`: at most `most` tokens, JSON by `schema` where there is one."""
    texts = [text_of(message) for message in messages]
    last = next(
        (text for one, text in zip(messages[::-1], texts[::-1], strict=True) if one.get("role") == "user"), ""
    )
    said = last if schema is None else json.dumps(filled(schema, last), ensure_ascii=False)
    pieces = tuple(PIECES.findall(said))
    kept = pieces if most is None else pieces[:most]
    return Echo(kept, sum(len(PIECES.findall(text)) for text in texts), len(kept) < len(pieces))


def text_of(message: Json) -> str:
    """The text of a message, whose content may come in parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))


def filled(schema: Any, text: str) -> Any:
    """A value that follows `schema`, made of `text`."""
    return _Filling(schema if isinstance(schema, Mapping) else {}, text).value(schema)


@dataclass(frozen=True, slots=True)
class _Filling:
    """One schema being filled; `name` is that of the member a value is for."""

    root: Json
    text: str

    def value(self, schema: Any, name: str = "", depth: int = 0) -> Any:
        if not isinstance(schema, Mapping) or depth > MOST_DEPTH:
            return None
        if "const" in schema:
            return schema["const"]
        if options := schema.get("enum"):
            return chosen(options, self.text, name)
        if reference := schema.get("$ref"):
            return self.value(_referred(self.root, str(reference)), name, depth + 1)
        several = next((schema[words] for words in ("anyOf", "oneOf", "allOf") if schema.get(words)), None)
        return (
            self._of_type(schema, name, depth) if several is None else self.value(several[0], name, depth + 1)
        )

    def _of_type(self, schema: Json, name: str, depth: int) -> Any:
        match _type_of(schema):
            case "object":
                members = schema.get("properties", {})
                return {key: self.value(one, key, depth + 1) for key, one in members.items()}
            case "array":
                count = range(max(1, int(schema.get("minItems", 1))))
                return [self.value(schema.get("items", {}), f"{name}{n}", depth + 1) for n in count]
            case "boolean":
                return bool(_hash(name, self.text)[0] % 2)
            case "null":
                return None
            case "integer" | "number" as kind:
                return _number(schema, self.text, whole=kind == "integer")
        return _text(schema, self.text)


def chosen(options: Sequence[Any], text: str, name: str) -> Any:
    """The option that the text names first; where it names none, one that the text decides on."""
    lower = text.lower()
    places = {
        place: one
        for one in options
        if isinstance(one, str) and one and (place := lower.find(one.lower())) >= 0
    }
    return places[min(places)] if places else options[_hash(name, text)[0] % len(options)]


def embedding(text: str, size: int = SIZE) -> list[float]:
    """A vector of length 1 in which texts with words in common are near each other."""
    vector = [0.0] * size
    for word in re.findall(r"\w+", text.lower()) or [text]:
        digest = _hash("word", word)
        for number in range(0, len(digest), 4):
            place = int.from_bytes(digest[number : number + 3]) % size
            vector[place] += 1.0 if digest[number + 3] % 2 else -1.0
    length = math.hypot(*vector)
    return [value / length for value in vector] if length else [1.0, *[0.0] * (size - 1)]


def _text(schema: Json, text: str) -> str:
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    return text.ljust(least, ".")[: None if most is None else int(most)]


def _number(schema: Json, text: str, *, whole: bool) -> float | int:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -math.inf))
    most = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    found = [float(one) for one in NUMBER.findall(text) if least <= float(one) <= most]
    usual = min(max(0.0, least), most)
    value = next((one for one in found if not whole or one.is_integer()), usual)
    return math.ceil(value) if whole else value


def _type_of(schema: Json) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else str(kind)


def _referred(root: Json, reference: str) -> Any:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference.startswith("#/") else []:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _hash(*words: str) -> bytes:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).digest()
