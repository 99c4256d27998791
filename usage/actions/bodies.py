"""Keeping what was said in AI calls, where the team of the API wants that at this very moment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from gateways.models import Publication
from usage.models import AiRun, LoggedBody

MOST_CHARACTERS = 100_000
"""Of either side, as JSON. The runtime cuts earlier (ai/runtime/bodies.py); a feed that does not is cut here."""


def keep_bodies(said: Iterable[tuple[AiRun, dict[str, Any]]]) -> None:
    """Keep the bodies of runs until they expire.

    What the switch of the API says now counts, not what the runtime thought: bodies that are on their way when a team
    turns it off are dropped, and so are those of an API that never had it on.
    """
    given = list(said)
    if not given:
        return
    wanted = _logging({run.endpoint for run, _bodies in given})
    now = timezone.now()
    bodies = [_body(run, plain) for run, plain in given if run.endpoint in wanted]
    LoggedBody.objects.bulk_create([body for body in bodies if body.expires_at > now], batch_size=200)


def _logging(endpoints: set[str]) -> set[str]:
    """Those of `endpoints` (public ids of publications) whose bodies are to be kept; one query."""
    on = Publication.objects.filter(
        public_id__in=endpoints,
        revision__upstream__bindings__environment=F("environment"),
        revision__upstream__bindings__log_bodies=True,
    )
    return set(on.values_list("public_id", flat=True))


def _body(run: AiRun, plain: dict[str, Any]) -> LoggedBody:
    asked, answered = _text(plain.get("input")), _text(plain.get("output"))
    was_cut = bool(plain.get("is_cut")) or max(len(asked), len(answered)) > MOST_CHARACTERS
    return LoggedBody(
        run=run,
        asked=asked[:MOST_CHARACTERS],
        answered=answered[:MOST_CHARACTERS],
        is_cut=was_cut,
        expires_at=expiry_of(run.at),
    )


def expiry_of(at: datetime) -> datetime:
    """When the body of a call at that time goes."""
    return at + timedelta(days=settings.USAGE_BODY_DAYS)


def _text(value: Any) -> str:
    """As JSON that PostgreSQL holds as text: NUL stays escaped in it, halves of surrogate pairs become `?`."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, indent=2).encode(errors="replace").decode()
