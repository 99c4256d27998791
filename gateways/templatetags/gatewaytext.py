"""Recorded changes in words: `{% load gatewaytext %}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.translation import gettext_lazy as _

register = template.Library()

KINDS: dict[str, Any] = {
    "upstream": _("Upstream"),
    "limit": _("Limit"),
    "consumer": _("Application"),
    "route": _("Route"),
    "grant": _("Subscription"),
    "key": _("Key"),
    "block": _("Block"),
    "definition": _("Document"),
    "file": _("File"),
    "listener": _("Listener"),
    "cluster": _("Cluster"),
    "filter": _("Filter"),
    "routes": _("Route table"),
}
HIDDEN = frozenset({"kind", "id", "label", "api_version", "revision"})
"""Fields that say nothing to a reader: ids that stand behind the label."""
MOST_FIELDS = 6
MOST_CHARS = 160


@register.filter
def kind_name(kind: str) -> Any:
    """The word of the glossary for a kind of object on a gateway."""
    return KINDS.get(kind, kind)


@register.filter
def change_name(change: Mapping[str, Any]) -> str:
    """What a change is about: its label, and for a route its path, or where it has an address of its own, its stage."""
    shown = change.get("after") or change.get("before") or {}
    path = shown.get("base_path")
    label = str(change.get("label") or change.get("id") or "")
    if shown.get("definition"):
        return f"{label} ({shown.get('environment', '')})"
    return f"{path} ({shown.get('environment', '')}), {label}" if path else label


@register.filter
def changed_fields(change: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(field, before, after) of what an update changes; nothing for additions and removals."""
    before, after = change.get("before"), change.get("after")
    if not before or not after:
        return []
    differing = [name for name in after if name not in HIDDEN and before.get(name) != after[name]]
    rows = [(name.replace("_", " "), _text(before.get(name)), _text(after[name])) for name in differing]
    if not rows and before.get("revision") != after.get("revision"):
        return [(str(_("revision")), "", str(_("another one")))]
    return rows[:MOST_FIELDS]


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(_text(part) for part in value)
    if isinstance(value, Mapping):
        value = " ".join(_text(part) for part in value.values())
    text = "–" if value in (None, "") else str(value)
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}…"


@register.filter
def field_name(name: str) -> str:
    """The name of a field of a finding in words."""
    return name.replace("_", " ").replace(".", " › ")
