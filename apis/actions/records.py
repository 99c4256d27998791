"""What the actions of this app share: the values that the audit trail keeps, and short names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model
from django.utils.text import slugify

SLUG_LENGTH = 48


def apply_changes(target: Model, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the values of `changes` that are not None on `target` (not saved).

    Returns what they were and what they became, for those that differ; both empty when nothing did.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in changes.items():
        old = getattr(target, name)
        if value is not None and value != old:
            before[name], after[name] = old, value
            setattr(target, name, value)
    return before, after


def short_name(text: str, fallback: str) -> str:
    """A slug out of a name that a person typed; `fallback` when no letter or digit is left."""
    return slugify(text)[:SLUG_LENGTH].strip("-_").replace("_", "-") or fallback


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Tags in lower case, once each, in the order given, without empty ones; at most 12."""
    cleaned = (" ".join(tag.lower().split())[:40] for tag in tags)
    return list(dict.fromkeys(tag for tag in cleaned if tag))[:12]
