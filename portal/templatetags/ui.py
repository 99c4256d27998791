"""What templates need to say state, amounts and times the same way everywhere: `{% load ui %}`.

Tones are those of the look: live, push, hold, fail, off, accent, neutral. They come from the choices of the
models (`TonedChoices`), never from an `if` in a template.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

register = template.Library()

NOTHING = "–"
NANO = 1_000_000_000
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


# ---- state ----


@register.simple_tag
def pill(thing: Any = None, field: str = "state", *, label: str = "", tone: str = "") -> SafeString:
    """A state as a pill with a dot.

    `thing` is a member of a `TonedChoices`, or a model instance whose `field` is declared with a nested one
    (`state` -> `State`). `label` says more than the member's own label ("rotating out, 21 h left").
    Without a `thing`, `label` and `tone` are shown as they are.
    """
    member = thing if thing is None or isinstance(thing, Enum) else _member(thing, field)
    return format_html(
        '<span class="pill" data-tone="{}">{}</span>',
        tone or getattr(member, "tone", "off"),
        label or _lower_first(str(getattr(member, "label", ""))),
    )


def _member(thing: Any, field: str) -> Any:
    """The choices member that `thing.field` stands for; a ValueError names a value that is none."""
    choices = getattr(type(thing), "".join(part.title() for part in field.split("_")))
    return choices(getattr(thing, field))


def _lower_first(text: str) -> str:
    """Sentence case inside a pill: "Active" -> "active", "API key" stays."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What the gateways do with an object, in one sentence."""

    label: str
    tone: str
    moving: bool


@register.simple_tag
def enforcement(segments: Iterable[Any]) -> Enforcement:
    """Sum up segments (one per gateway, each with a `state`): "live on 2 of 3 gateways".

    What went wrong is said before what still moves, and what moves before what is done.
    """
    states = Counter(_state(segment) for segment in segments)
    total = states.total()
    for state, tone, told, text in _SENTENCES:
        if states[state]:
            words = (
                _all_of(state, total)
                if states[told] == total
                else text % {"count": states[told], "total": total}
            )
            return Enforcement(words, tone, bool(states["pushing"] or states["removing"]))
    return Enforcement(_("not on a gateway"), "off", False)


def _state(segment: Any) -> str:
    state = segment["state"] if isinstance(segment, Mapping) else segment.state
    return str(getattr(state, "value", state)).replace(" ", "_")


_SENTENCES = (
    # state found, its tone, the state that is counted, the sentence
    ("failed", "fail", "failed", _lazy("failed on %(count)s of %(total)s gateways")),
    ("drifted", "fail", "drifted", _lazy("changed outside on %(count)s of %(total)s gateways")),
    ("held_back", "hold", "held_back", _lazy("held back on %(count)s of %(total)s gateways")),
    ("removing", "push", "removed", _lazy("removed from %(count)s of %(total)s gateways")),
    ("pushing", "push", "live", _lazy("live on %(count)s of %(total)s gateways")),
    ("live", "live", "live", _lazy("live on %(count)s of %(total)s gateways")),
    ("removed", "off", "removed", _lazy("removed from %(count)s of %(total)s gateways")),
)


def _all_of(state: str, total: int) -> str:
    """The sentence when every gateway is in the same state."""
    words = {
        "failed": ngettext("failed on %(n)s gateway", "failed on all %(n)s gateways", total),
        "drifted": ngettext(
            "changed outside on %(n)s gateway", "changed outside on all %(n)s gateways", total
        ),
        "held_back": ngettext("held back on %(n)s gateway", "held back on all %(n)s gateways", total),
        "live": ngettext("live on %(n)s gateway", "live on all %(n)s gateways", total),
        "removed": ngettext("removed from %(n)s gateway", "removed from all %(n)s gateways", total),
    }
    return words[state] % {"n": total}


# ---- amounts ----


@register.filter
def thousands(value: Any) -> str:
    """1204 -> "1,204" (as the reader's language groups it); nothing for None."""
    return NOTHING if value is None else formats.number_format(value, use_l10n=True, force_grouping=True)


@register.filter
def compact(value: Any) -> str:
    """A large count in few characters: 2000000 -> "2.0 M", 12400 -> "12.4 k", 980 -> "980"."""
    if value is None:
        return NOTHING
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{formats.number_format(value / (1e3 if letter == 'k' else size), 1)} {letter}"
    return thousands(value)


@register.filter
def milliseconds(value: Any) -> str:
    """A duration given in milliseconds: 0.4 -> "0.4 ms", 48 -> "48 ms", 1240 -> "1.24 s", 125000 -> "2 min 5 s"."""
    if value is None:
        return NOTHING
    if value < 1000:
        return f"{formats.number_format(value, 0 if value >= 10 else 1)} ms"
    if value < 60_000:
        return f"{formats.number_format(value / 1000, 2 if value < 10_000 else 1)} s"
    minutes, seconds = divmod(round(value / 1000), 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@register.filter
def seconds(value: Any) -> str:
    """A duration given in seconds or as a timedelta; see `milliseconds`."""
    if value is None:
        return NOTHING
    return milliseconds((value.total_seconds() if hasattr(value, "total_seconds") else value) * 1000)


@register.filter
def percent(value: Any) -> str:
    """A share of one: 0.003 -> "0.3 %", 0.71 -> "71 %"."""
    if value is None:
        return NOTHING
    share = value * 100
    exact = share in (0, 100) or abs(share) >= 10
    return f"{formats.number_format(share, 0 if exact else 1)} %"


@register.filter
def money(nano: Any, currency: str) -> str:
    """An amount kept as 1e-9 of `currency`: 84000000000, "EUR" -> "€ 84.00". What is little is never shown as nothing:
    10200, "USD" -> "$ 0.000010"."""
    if nano is None:
        return NOTHING
    leading = 9 - len(str(abs(nano)))
    digits = 2 if abs(nano) >= NANO // 100 or nano == 0 else min(9, max(5, leading + 2))
    amount = formats.number_format(nano / NANO, digits, use_l10n=True, force_grouping=True)
    return f"{SIGNS.get(currency, currency)} {amount}"


# ---- times ----


@register.simple_tag
def when(moment: datetime | date | None, form: str = "relative") -> SafeString | str:
    """A moment as <time>: the server writes UTC, app.js turns it into the reader's zone; the title keeps UTC.

    Forms: relative ("3 min ago", "in 21 h"), datetime, date, clock (12:03:06), exact (12:03:06.412).
    """
    if moment is None:
        return NOTHING
    if not isinstance(moment, datetime):
        # A day without a time is the same day in every zone.
        return format_html(
            '<time datetime="{}" data-form="day">{}</time>', moment.isoformat(), formats.date_format(moment)
        )
    utc = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" data-form="{}" title="{} UTC">{}</time>',
        utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        form,
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        _in_words(utc, form),
    )


def _in_words(utc: datetime, form: str) -> str:
    match form:
        case "relative":
            return _relative((utc - timezone.now()).total_seconds())
        case "clock":
            return utc.strftime("%H:%M:%S")
        case "exact":
            return utc.strftime("%H:%M:%S.") + f"{utc.microsecond // 1000:03d}"
        case "date":
            return formats.date_format(utc, "DATE_FORMAT")
        case "datetime":
            return f"{formats.date_format(utc, 'DATE_FORMAT')}, {utc:%H:%M} UTC"
        case _:
            raise template.TemplateSyntaxError(f"{form!r} is no form of a time")


def _relative(distance: float) -> str:
    """Seconds from now (negative: past) in the largest unit that fits."""
    size = abs(distance)
    if size < 10:
        return _("now")
    amount, unit = next((int(size // step), unit) for step, unit in _UNITS if size >= step)
    words = {"amount": amount, "unit": unit}
    return (_("in %(amount)s %(unit)s") if distance > 0 else _("%(amount)s %(unit)s ago")) % words


_UNITS = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


# ---- browsers ----

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


@register.filter
def browser(user_agent: str) -> str:
    """A User-Agent header in two words, "Firefox on Linux"; unknown ones are shown as sent, shortened."""
    name = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if not name:
        return user_agent[:60] or _("unknown")
    return _("%(browser)s on %(system)s") % {"browser": name, "system": system} if system else name


# ---- charts ----


@register.filter
def chart_value(value: Any, chart: Mapping[str, Any]) -> str:
    """A number of a chart: money where the chart has a `currency`, else a count or duration."""
    return money(value, chart["currency"]) if "currency" in chart else thousands(value)


@register.filter
def chart_rows(chart: Mapping[str, Any]) -> list[tuple[datetime, list[Any]]]:
    """The numbers of a chart as table rows, newest first: (time, value of each series)."""
    columns = [series["values"] for series in chart["series"]]
    rows = [(_moment(at), list(values)) for at, *values in zip(chart["times"], *columns, strict=True)]
    return rows[::-1]


def _moment(at: Any) -> datetime:
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@register.filter
def share(value: Any, whole: Any) -> float:
    """`value` of `whole` as a number from 0 to 100 for a meter."""
    return min(100.0, max(0.0, 100 * value / whole)) if whole and value is not None else 0.0
