"""nginx's configuration as a tree of directives: the one writer of its text, and a reader of it.

The writer has the only quoting there is. A `$` begins a variable in nginx and cannot be escaped, so an argument
that holds one has to be an `Expression`, which only our own code makes: no text of a person ever is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import NamedTuple

_BARE = re.compile(r"[A-Za-z0-9_./:=*@~^-]+")
_UNUSUAL = re.compile(r"[^A-Za-z0-9_./:=*@~^ \n-]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(
    r"""\s+ | (?P<comment>\#[^\n]*) | (?P<mark>[{};]) | "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>(?:[^'\\]|\\.)*)'
    | (?P<bare>(?:[^\s{};"'\\$]|\\.|\$\{?)(?:[^\s{};\\]|\\.|(?<=\$)\{)*)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_INDENT = "    "
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}


class NotDirectives(ValueError):
    """A text that is no configuration of nginx, or an argument that none can hold."""


class Expression(str):
    """An argument of our own making, in which `$name` stands for a variable."""

    __slots__ = ()


class Directive(NamedTuple):
    """One directive: `block` is None for one that ends with a semicolon. `line` is where it was read.

    `about` names the object that it realises, such as `route/pub_1`; it is written as a comment before it. With a
    `text` it is nothing else: see `written`.
    """

    name: str
    arguments: tuple[str, ...] = ()
    block: tuple[Directive, ...] | None = None
    about: str = ""
    line: int = 0
    text: str = ""

    def inside(self, name: str) -> Iterator[Directive]:
        """The directives of that name in its block."""
        return (one for one in self.block or () if one.name == name)

    def first(self, name: str) -> tuple[str, ...]:
        """The arguments of the first directive of that name in its block; empty for none."""
        return next((one.arguments for one in self.inside(name)), ())


def directive(name: str, *arguments: str | int, about: str = "") -> Directive:
    """A directive without a block."""
    return Directive(name, tuple([a if isinstance(a, str) else str(a) for a in arguments]), None, about)


def block(name: str, *arguments: str, inside: Iterable[Directive], about: str = "") -> Directive:
    """A directive with a block."""
    return Directive(name, arguments, tuple(inside), about)


def written(directives: Iterable[Directive], *, depth: int = 0) -> Directive:
    """`directives` as they will be written inside of `depth` blocks: something to keep, to write often."""
    return Directive("", text=render(directives, depth=depth))


def rows(pairs: Iterable[tuple[str, str]], *, depth: int) -> Directive:
    """A directive of one argument for each of `pairs`, as they will be written inside of `depth` blocks.

    Tables have a row for each key or subscription. So rows are written by hand where nothing in them has to be quoted
    but for a space, and like any other directive elsewhere.
    """
    found = list(pairs)
    words = [word for pair in found for word in pair]
    if "" in words or _UNUSUAL.search("\n".join(words)):
        return written((directive(name, argument) for name, argument in found), depth=depth)
    indent = _INDENT * depth
    spaced = [f'"{word}"' if " " in word else word for word in words]
    return Directive("", text="".join([f"{indent}{a} {b};\n" for a, b in batched(spaced, 2)]))


def render(directives: Iterable[Directive], *, depth: int = 0) -> str:
    """The text of `directives`, inside of `depth` blocks.

    Raises NotDirectives for an argument that nginx would read otherwise.
    """
    lines: list[str] = []
    for one in directives:
        _write(one, _INDENT * depth, lines)
    return "".join(lines)


def quoted(argument: str) -> str:
    """`argument` as nginx reads it back. Raises NotDirectives when it cannot be written."""
    if _BARE.fullmatch(argument):
        return argument
    if "$" in argument and not isinstance(argument, Expression):
        raise NotDirectives("a dollar sign stands for a variable in nginx")
    if _CONTROL.search(argument):
        raise NotDirectives("a control character has no place in a configuration")
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write(one: Directive, indent: str, lines: list[str]) -> None:
    if one.text:
        lines.append(one.text)
        return
    if one.about:
        lines.append(f"{indent}# {one.about}\n")
    words = " ".join(map(quoted, (one.name, *one.arguments)))
    if one.block is None:
        lines.append(f"{indent}{words};\n")
        return
    lines.append(f"{indent}{words} {{\n")
    for inner in one.block:
        _write(inner, indent + _INDENT, lines)
    lines.append(f"{indent}}}\n")


def parse(text: str) -> tuple[Directive, ...]:
    """The directives in `text`. Raises NotDirectives, with the line, where nginx would stop too."""
    stack: list[tuple[list[str], str, int, list[Directive]]] = []
    found: list[Directive] = []
    words: list[str] = []
    about, line = "", 1
    for sort, value, number in _tokens(text):
        line = number if not words else line
        if sort == "comment":
            about = about if words else value[1:].strip()
        elif sort == "word":
            words.append(value)
        elif value == ";" and words:
            found.append(Directive(words[0], tuple(words[1:]), None, about, line))
            words, about = [], ""
        elif value == "{" and words:
            stack.append((words, about, line, found))
            words, about, found = [], "", []
        elif value == "}" and stack and not words:
            head, its_about, began, outer = stack.pop()
            outer.append(Directive(head[0], tuple(head[1:]), tuple(found), its_about, began))
            found, about = outer, ""
        else:
            raise NotDirectives(f"unexpected {value!r} in line {number}")
    if stack or words:
        raise NotDirectives("the text ends in the middle")
    return tuple(found)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotDirectives(f"line {line} cannot be read")
        if match["comment"] is not None:
            yield "comment", match["comment"], line
        elif match["mark"] is not None:
            yield "mark", match["mark"], line
        else:
            word = next(
                (match[name] for name in ("double", "single", "bare") if match[name] is not None), None
            )
            if word is not None:
                yield "word", _ESCAPE.sub(_unescaped, word), line
        line += text.count("\n", at, match.end())
        at = match.end()


def _unescaped(match: re.Match[str]) -> str:
    """nginx takes the backslash away before quotes, backslashes and t, r, n, and leaves it elsewhere."""
    letter = match[1]
    if letter in _ESCAPED:
        return _ESCAPED[letter]
    return letter if letter in "\"'\\" else match[0]


def tree(directives: Sequence[Directive]) -> tuple[object, ...]:
    """The shape: names and nesting with the number of arguments, without their texts, comments and lines."""
    return tuple(
        (one.name, len(one.arguments), None if one.block is None else tree(one.block)) for one in directives
    )
