"""Rules for what goes to a model and what comes back: sizes, words, patterns, and hiding personal data.

A rule is run on the whole text or the call is refused: nothing is ever looked at in part (T20). The patterns of teams
run in RE2, whose time grows with the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import re2

MOST_INSPECTED = 2_000_000
"""Characters. A longer text is not looked at but refused where there is a rule that would have to."""


class Action(StrEnum):
    """What a rule does where it finds something."""

    BLOCK = "block"
    MASK = "mask"


class Side(StrEnum):
    """What a rule looks at."""

    INPUT = "input"
    OUTPUT = "output"
    BOTH = "both"


class GuardError(ValueError):
    """A rule cannot be used; the text says why, `pointer` (RFC 6901) where it stands in the guard."""

    def __init__(self, text: str, *, pointer: str = "") -> None:
        super().__init__(text)
        self.pointer = pointer


class Blocked(Exception):
    """A rule refuses the text. `rule` is its name; the text itself is not repeated."""

    def __init__(self, rule: str, side: Side) -> None:
        super().__init__(rule)
        self.rule = rule
        self.side = side


@dataclass(frozen=True, slots=True)
class Rule:
    """`find` gives the places (start, end) of what is looked for in a text."""

    name: str
    action: Action
    side: Side
    find: Callable[[str], Sequence[tuple[int, int]]]

    def looks_at(self, side: Side) -> bool:
        """Whether it looks at this side."""
        return self.side in {side, Side.BOTH}


@dataclass(frozen=True, slots=True)
class Guard:
    """All rules of a prompt or an endpoint. Sizes are characters; 0 is no limit of its own."""

    max_input: int = 0
    max_output: int = 0
    rules: tuple[Rule, ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Guard:
        """From JSON: `{"max_input", "max_output", "rules": [{"name", "kind", "action", "side", "pattern"|"words"}]}`.

        `kind` is `regex`, `words`, or one of the personal data of PERSONAL. Raises GuardError.
        """
        strange = sorted(set(plain) - {"max_input", "max_output", "rules"})
        if strange:
            raise GuardError(
                f"A guard has no {', '.join(map(str, strange))}. It has: max_input, max_output, rules."
            )
        listed = plain.get("rules") or ()
        if not isinstance(listed, list | tuple):
            raise GuardError("The rules are a list.", pointer="/rules")
        rules = tuple(_numbered(number, rule) for number, rule in enumerate(listed))
        return cls(_size(plain, "max_input"), _size(plain, "max_output"), rules)

    def __bool__(self) -> bool:
        return bool(self.max_input or self.max_output or self.rules)

    def and_(self, other: Guard) -> Guard:
        """Both: the smaller sizes and the rules of either."""
        return Guard(
            _smaller(self.max_input, other.max_input),
            _smaller(self.max_output, other.max_output),
            self.rules + other.rules,
        )

    def looks_at(self, side: Side) -> bool:
        """Whether anything has to be looked at on this side."""
        size = self.max_input if side is Side.INPUT else self.max_output
        return bool(size) or any(rule.looks_at(side) for rule in self.rules)


class Masking:
    """Personal data of one call in exchange for placeholders, and back again in the answer."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._placeholders: dict[str, str] = {}

    @property
    def has_masked(self) -> bool:
        """Whether something has been replaced."""
        return bool(self._placeholders)

    def checked(self, text: str, side: Side) -> str:
        """`text` with what is to be masked replaced. Raises Blocked."""
        size = self._guard.max_input if side is Side.INPUT else self._guard.max_output
        if size and len(text) > size:
            raise Blocked(f"at most {size:,} characters", side)
        rules = [rule for rule in self._guard.rules if rule.looks_at(side)]
        if rules and len(text) > MOST_INSPECTED:
            raise Blocked(f"at most {MOST_INSPECTED:,} characters can be looked at", side)
        for rule in rules:
            text = self._by(rule, text, side)
        return text

    def restored(self, text: str) -> str:
        """`text` with the placeholders of this call as what they stand for."""
        for original, placeholder in self._placeholders.items():
            if placeholder in text:
                text = text.replace(placeholder, original)
        return text

    def _by(self, rule: Rule, text: str, side: Side) -> str:
        found = rule.find(text)
        if not found:
            return text
        if rule.action is Action.BLOCK:
            raise Blocked(rule.name, side)
        pieces, end = [], 0
        for start, stop in found:
            pieces += [text[end:start], self._placeholder(rule.name, text[start:stop])]
            end = stop
        return "".join([*pieces, text[end:]])

    def _placeholder(self, name: str, original: str) -> str:
        """The same for the same data, so that the model can tell that it is the same."""
        known = self._placeholders.get(original)
        if known is None:
            known = f"[{name.upper()}_{len(self._placeholders) + 1}]"
            self._placeholders[original] = known
        return known


def _smaller(one: int, other: int) -> int:
    return min(one, other) if one and other else one or other


def _size(plain: Mapping[str, Any], name: str) -> int:
    value = plain.get(name) or 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise GuardError(f"{name} is a whole number of characters from 0.", pointer=f"/{name}")
    return value


def _numbered(number: int, plain: Any) -> Rule:
    try:
        if not isinstance(plain, Mapping):
            raise GuardError("A rule is an object with a kind.")
        return _rule(plain)
    except GuardError as error:
        raise GuardError(str(error), pointer=f"/rules/{number}") from None


def _rule(plain: Mapping[str, Any]) -> Rule:
    kind = plain.get("kind")
    name = str(plain.get("name") or kind)
    action, side = _member(Action, plain, "action", "block"), _member(Side, plain, "side", "both")
    if kind == "regex":
        pattern = plain.get("pattern")
        if not isinstance(pattern, str) or not pattern:
            raise GuardError(f"The rule {name} has no expression. Write one.")
        return Rule(name, action, side, _by_pattern(pattern))
    if kind == "words":
        given = plain.get("words") or ()
        words = [re2.escape(str(word)) for word in given if str(word).strip()] if _is_list(given) else []
        if not words:
            raise GuardError(f"The rule {name} has no words. Write at least one.")
        return Rule(name, action, side, _by_pattern(rf"(?i)\b(?:{'|'.join(words)})\b"))
    found = PERSONAL.get(kind) if isinstance(kind, str) else None
    if found is None:
        listed = ", ".join(("regex", "words", *PERSONAL))
        raise GuardError(f"{kind!r} is no kind of rule. Use one of: {listed}.")
    return Rule(name, action, side, found)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _member[E: StrEnum](choices: type[E], plain: Mapping[str, Any], name: str, usual: str) -> E:
    try:
        return choices(plain.get(name, usual))
    except ValueError:
        raise GuardError(f"{plain[name]!r} is no {name}. Use one of: {', '.join(choices)}.") from None


def _by_pattern(pattern: str) -> Callable[[str], Sequence[tuple[int, int]]]:
    try:
        compiled = re2.compile(pattern)
    except re2.error as error:
        raise GuardError(f"{pattern[:80]!r} is no regular expression of RE2: {error}") from None
    return lambda text: [match.span() for match in compiled.finditer(text) if match.end() > match.start()]


# ---- personal data ----

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_PHONE = re.compile(r"(?<![\w.])\+?\d(?:[ ().-]{0,2}\d){7,14}(?![\w])")
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_ADDRESS = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")


def _spans(
    pattern: re.Pattern[str], holds: Callable[[str], bool]
) -> Callable[[str], Sequence[tuple[int, int]]]:
    return lambda text: [match.span() for match in pattern.finditer(text) if holds(match[0])]


def _is_card(text: str) -> bool:
    """The check digit of Luhn (ISO/IEC 7812-1)."""
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    return sum(d if i % 2 == 0 else sum(divmod(d * 2, 10)) for i, d in enumerate(digits)) % 10 == 0


def _is_iban(text: str) -> bool:
    """The check digits of ISO 13616."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


PERSONAL: Mapping[str, Callable[[str], Sequence[tuple[int, int]]]] = {
    "email": _spans(_EMAIL, lambda _: True),
    "card": _spans(_CARD, _is_card),
    "iban": _spans(_IBAN, _is_iban),
    "phone": _spans(_PHONE, lambda _: True),
    "ip_address": _spans(_ADDRESS, lambda text: all(int(part) < 256 for part in text.split("."))),
}
"""Personal data that is found without a pattern of the team's own."""
