"""JSON text to a document with places. The standard parser keeps no places and nests on the C stack."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from json import JSONDecodeError, decoder
from typing import Any, NoReturn

from apis.spec.building import Builder, shown
from apis.spec.places import Place, Source
from apis.spec.problems import whole_file

MAX_NUMBER_CHARS = 64

# The C scanner of string literals: (text, index after the quote, strict) -> (value, index after the end).
_scan_string: Callable[[str, int, bool], tuple[str, int]] = decoder.scanstring  # type: ignore[attr-defined]

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_WORD = re.compile(r"[A-Za-z]+|-?Infinity")


def read_json(text: str) -> Source:
    """Parse RFC 8259 JSON. Raises SpecRefused for what is no JSON, too deep, or too large."""
    return _JsonReader(text).read()


def number_of(literal: str, *, whole: bool) -> int | float | None:
    """The number that `literal` stands for, or None when it is too long or too large to keep."""
    if len(literal) > MAX_NUMBER_CHARS:
        return None
    if whole:
        return int(literal)
    number = float(literal)
    return number if number - number == 0 else None


class _JsonReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._just_opened = False
        self._builder = Builder()
        self._starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

    def read(self) -> Source:
        self._skip()
        self._value()
        while self._builder.depth:
            self._next()
        self._skip()
        if self._at < len(self._text):
            self._fail("Something follows the end of the document. Remove it.")
        return self._builder.source

    def _place(self, at: int) -> Place:
        line = bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1

    def _fail(self, message: str, at: int | None = None, code: str = "bad-json") -> NoReturn:
        line, column = self._place(self._at if at is None else at)
        raise whole_file(code, message, line=line, column=column)

    def _skip(self) -> str:
        """Move over white space; the character that follows, "" at the end."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def _next(self) -> None:
        """One member of the open container, or its end."""
        mapping = self._builder.wants_key
        end = "}" if mapping else "]"
        character = self._skip()
        if character == end:
            self._close()
            return
        if not self._just_opened:
            if character != ",":
                self._fail(f"A comma or {end} is missing here." if character else "The text ends too early.")
            self._at += 1
            character = self._skip()
        if mapping:
            self._key(character)
        self._value()

    def _close(self) -> None:
        self._builder.close()
        self._at += 1
        self._just_opened = False

    def _key(self, character: str) -> None:
        at = self._at
        if character != '"':
            self._fail("A key in double quotes is missing here (is there a comma too many?).")
        self._builder.key(self._string(), self._place(at))
        if self._skip() != ":":
            self._fail("A colon is missing after this key.")
        self._at += 1
        self._skip()

    def _value(self) -> None:
        character, at = self._text[self._at : self._at + 1], self._at
        place = self._place(at)
        if character in ("{", "["):
            container: dict[str, Any] | list[Any] = {} if character == "{" else []
            self._builder.open(container, place)
            self._at += 1
            self._just_opened = True
        else:
            self._builder.scalar(self._string() if character == '"' else self._plain(character), place)
            self._just_opened = False

    def _string(self) -> str:
        try:
            value, self._at = _scan_string(self._text, self._at + 1, True)
        except JSONDecodeError as error:
            self._fail(f"This text is not a JSON string: {error.msg}.", error.pos)
        return value

    def _plain(self, character: str) -> Any:
        """A number, true, false or null."""
        if word := _WORD.match(self._text, self._at):
            if word[0] not in _WORDS:
                self._fail(f"{shown(word[0])} is no JSON value. Put text in double quotes.")
            self._at = word.end()
            return _WORDS[word[0]]
        number = _NUMBER.match(self._text, self._at)
        if number is None:
            self._fail("A value is missing here." if character else "The text ends too early.")
        value = number_of(number[0], whole=number[1] is None and number[2] is None)
        if value is None:
            self._fail(
                "This number is too large to keep. Write it as text, or leave it out.", code="bad-number"
            )
        self._at = number.end()
        return value
