"""YAML text to a document with places: the JSON part of YAML 1.2, from parser events.

Events come from libyaml's scanner, which does not nest on the stack; composing nodes in C does, and dies of deep
nesting, so it is never used. Aliases are refused where they occur, hence nothing can be multiplied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from apis.spec.building import Builder, shown
from apis.spec.json_text import number_of
from apis.spec.places import Place, Source, Step
from apis.spec.problems import whole_file

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# The core schema of YAML 1.2, section 10.3: no "no", no dates, no 1_000. Digits after a leading zero stay text,
# because JSON has no such number and the author means a code: 0108 is not 108.
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_MIGHT_BE_NUMBER = frozenset("+-.0123456789")

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset(("!", _TAG + "str"))
_KNOWN_TAGS = frozenset(_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq")) | {
    "!",
    None,
}

# Where people forget the quotes: 3.1 and 1.0 are numbers, and the text as written is what they meant.
_TEXT_PLACES = frozenset({("openapi",), ("swagger",), ("asyncapi",), ("info", "version"), ("info", "title")})


def read_yaml(text: str) -> Source:
    """Parse one YAML document. Raises SpecRefused for bad YAML, aliases, foreign tags, or past the limits."""
    reader = _YamlReader()
    for event in _events(text):
        reader.take(event)
    source = reader.builder.source
    for steps, written in reader.unquoted:
        source.warn(steps, "unquoted-text", f'This is text, read as written. Put it in quotes: "{written}".')
    return source


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        detail = ", ".join(filter(None, (error.context, error.problem)))
        message = f"This is not valid YAML: {detail}. Check the indentation and the quotes around this line."
        raise whole_file("bad-yaml", message, line=line, column=column) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 0
        message = "The file holds a control character that YAML does not allow. Remove it."
        raise whole_file("bad-yaml", message, line=line) from None
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        # libyaml reports some broken escapes and directives as plain ValueErrors without a place
        message = f"This is not valid YAML: {str(error)[:200]}. Check it with a YAML linter."
        raise whole_file("bad-yaml", message) from None


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


class _YamlReader:
    def __init__(self) -> None:
        self.builder = Builder()
        self.documents = 0
        self.unquoted: list[tuple[tuple[Step, ...], str]] = []

    def take(self, event: Any) -> None:
        """Dispatch one event; most are scalars, so these come first."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._open({}, event)
        elif kind is yaml.SequenceStartEvent:
            self._open([], event)
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            self.builder.close()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._document(event)

    def _document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self._fail(
                event, "many-documents", "A second YAML document (---) begins here. Keep one per file."
            )

    def _alias(self, event: Any) -> None:
        self._fail(
            event,
            "yaml-alias",
            f"The alias *{str(event.anchor)[:40]} repeats another part of the file. Aliases are not read, because "
            "they can blow a small file up without bounds. Use $ref and components, or convert the file to JSON.",
        )

    def _open(self, container: dict[str, Any] | list[Any], event: Any) -> None:
        if self.builder.wants_key:
            self._fail(event, "bad-key", "A list or a mapping is used as a key here. Keys are plain text.")
        self._check_tag(event)
        self.builder.open(container, _place(event))

    def _scalar(self, event: Any) -> None:
        self._check_tag(event)
        if not self.builder.wants_key:
            self.builder.scalar(self._value(event), _place(event))
            return
        # Response codes and versions are keys that look like numbers: the text as written is the key.
        if event.value == "<<" and not event.style:
            self._fail(
                event, "yaml-merge", "Merge keys (<<) are not read. Write the members out, or use $ref."
            )
        self.builder.key(event.value, _place(event))

    def _check_tag(self, event: Any) -> None:
        if event.tag not in _KNOWN_TAGS:
            self._fail(event, "yaml-tag", f"The tag {shown(str(event.tag))} is not read. Remove it.")

    def _value(self, event: Any) -> Any:
        """The JSON value of a scalar that is no key."""
        text: str = event.value
        if event.style or event.tag in _TEXT_TAGS:  # a plain scalar has no style: None, or "" from libyaml
            return text
        value = self._resolved(text, event)
        if isinstance(value, (int, float)) and self.builder.next_steps in _TEXT_PLACES:
            self.unquoted.append((self.builder.next_steps, text))
            return text
        return value

    def _resolved(self, text: str, event: Any) -> Any:
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if text[0] not in _MIGHT_BE_NUMBER:
            return text
        if _INT.match(text):
            return self._number(text, event, whole=True)
        if _FLOAT.match(text):
            return self._number(text, event, whole=False)
        if _NOT_FINITE.match(text):
            self._fail(
                event, "bad-number", "JSON knows no infinity and no NaN. Put it in quotes, or leave it out."
            )
        return text

    def _number(self, text: str, event: Any, *, whole: bool) -> int | float:
        if text.startswith(("0o", "0x")):
            return int(text[:64], 0)
        value = number_of(text, whole=whole)
        if value is None:
            self._fail(
                event, "bad-number", "This number is too large to keep. Put it in quotes, or leave it out."
            )
        return value

    def _fail(self, event: Any, code: str, message: str) -> NoReturn:
        line, column = _place(event)
        raise whole_file(code, message, line=line, column=column)
