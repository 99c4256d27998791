"""Single AI calls with the names of all that they belong to, for lists and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from audit.models import TonedChoices
from usage.ai_queries import attempts_of, consumed
from usage.ai_sums import AiFigures
from usage.dashboards import labels_of
from usage.models import AiRun, LedgerEntry

NAMED = ("api", "application", "environment", "plan", "prompt")
"""What a run belongs to that has a name."""

SURFACES: Mapping[str, Any] = {
    "prompt": _("prompt"),
    "chat": _("chat completions"),
    "messages": _("messages"),
    "responses": _("responses"),
    "embeddings": _("embeddings"),
    "through": _("passed through"),
    "editor": _("tried in the editor"),
}


class Outcome(TonedChoices):
    """How a call ended, as the caller saw it."""

    ANSWERED = "answered", "live", _("Answered")
    CACHED = "cached", "live", _("From the cache")
    REFUSED = "refused", "hold", _("Refused")
    FAILED = "failed", "fail", _("Failed")


@dataclass(frozen=True, slots=True)
class ToldAttempt:
    """One request to a model; `is_fallback` where an earlier one went to another model."""

    number: int
    entry: LedgerEntry
    model: str
    is_fallback: bool


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run with its attempts, what they consumed together, and names by dimension (NAMED)."""

    run: AiRun
    attempts: list[ToldAttempt]
    figures: AiFigures
    labels: Mapping[str, str]

    @property
    def surface(self) -> Any:
        """How it was called."""
        return SURFACES.get(self.run.surface, self.run.surface)

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        if self.run.status >= 500 or self.run.status == 0:
            return Outcome.FAILED
        if self.run.status >= 400:
            return Outcome.REFUSED
        return Outcome.CACHED if self.run.is_from_cache else Outcome.ANSWERED

    @property
    def model(self) -> str:
        """The model that it ended with; empty where none was asked."""
        return self.attempts[-1].model if self.attempts else ""


def told(runs: Sequence[AiRun]) -> list[ToldRun]:
    """The runs with all that; as many queries for one as for many."""
    attempts = attempts_of(runs)
    names = {by: labels_of(by, sorted({getattr(run, by) for run in runs})) for by in NAMED}
    models = labels_of("model", sorted({entry.model for found in attempts.values() for entry in found}))
    return [
        ToldRun(
            run,
            _attempts(attempts[run.pk], models),
            consumed(attempts[run.pk]),
            {by: names[by].get(getattr(run, by)) or getattr(run, by) for by in NAMED},
        )
        for run in runs
    ]


def _attempts(entries: Sequence[LedgerEntry], models: Mapping[str, str]) -> list[ToldAttempt]:
    return [
        ToldAttempt(number, entry, models.get(entry.model, entry.model), entry.model != entries[0].model)
        for number, entry in enumerate(entries, 1)
    ]
