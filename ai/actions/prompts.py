"""Prompts: written, frozen into versions, released by moving a label, retired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ai.models import ModelRoute, Prompt, PromptLabel, PromptVersion
from ai.prompt_queries import (
    failed_requirements,
    latest_version,
    plain_version,
    problems_of_draft,
    route_named,
    usable_routes,
)
from ai.prompts.drafts import DraftError, Problem, as_draft
from ai.prompts.variables import variables_of
from ai.signals import label_asked
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor, Team, Verb

SLUG_LENGTH = 48


class PromptNotReady(ActionRefused):
    """The draft cannot be frozen; `problems` says all that is wrong with it, and where."""

    status = 422

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        message = ngettext(
            "The draft has %(count)s problem. Correct it, then freeze it; nothing was frozen.",
            "The draft has %(count)s problems. Correct them, then freeze it; nothing was frozen.",
            count,
        )
        super().__init__(message % {"count": count}, code="prompt_not_ready")
        self.problems = tuple(problems)

    @property
    def details(self) -> dict[str, Any]:
        """`errors`: every problem with its place."""
        places = ("offset", "variable")
        return {
            "errors": [
                {"field": problem.field, "message": problem.detail}
                | {name: value for name, value in problem.to_plain().items() if name in places}
                for problem in self.problems
            ]
        }


class DraftMovedOn(ActionRefused):
    """Somebody else saved the draft in the meantime; nothing was saved."""

    def __init__(self) -> None:
        message = _(
            "Somebody saved this draft after you opened it. Look at both, then save again to replace it."
        )
        super().__init__(message, code="draft_moved_on")


@transaction.atomic
def create_prompt(*, actor: Actor, team: Team, name: str, slug: str = "", description: str = "") -> Prompt:
    """A new prompt of `team` whose draft works as it is. Raises PermissionDenied, ValidationError."""
    actor.require(Verb.PROMPT_EDIT, team)
    prompt = Prompt(
        team=team,
        slug=slug or slugify(name)[:SLUG_LENGTH].strip("-_").replace("_", "-") or "prompt",
        name=name,
        description=description,
        draft=starter_draft(usable_routes(team).first()),
    )
    prompt.full_clean()
    prompt.save()
    record_event("prompt.created", prompt, actor=actor, after={"name": name, "slug": prompt.slug})
    return prompt


@transaction.atomic
def change_prompt(
    prompt: Prompt, *, actor: Actor, name: str | None = None, description: str | None = None
) -> Prompt:
    """Change what is given of its texts; what calls get is not touched."""
    prompt = _locked(prompt, actor, Verb.PROMPT_EDIT)
    before = {"name": prompt.name, "description": prompt.description}
    prompt.name = prompt.name if name is None else name
    prompt.description = prompt.description if description is None else description
    after = {"name": prompt.name, "description": prompt.description}
    if after == before:
        return prompt
    prompt.full_clean()
    prompt.save()
    record_event("prompt.changed", prompt, actor=actor, before=before, after=after)
    return prompt


@transaction.atomic
def save_draft(
    prompt: Prompt, *, actor: Actor, draft: Mapping[str, Any], seen: int | None = None
) -> list[Problem]:
    """Keep a draft, half done or not, and say what is still wrong with it.

    `seen` is the row version from which the writer began. Raises PermissionDenied, ValidationError for what has not
    the shape of a draft, DraftMovedOn.
    """
    prompt_row = _locked(prompt, actor, Verb.PROMPT_EDIT)
    if seen is not None and seen != prompt_row.row_version:
        raise DraftMovedOn
    cleaned = cleaned_draft(draft)
    problems = problems_of_draft(prompt_row, cleaned)
    if cleaned != prompt_row.draft:
        prompt_row.draft = cleaned
        prompt_row.full_clean()
        prompt_row.save()
        record_event("prompt.draft_saved", prompt_row, actor=actor, after={"problems": len(problems)})
    prompt.draft, prompt.row_version = prompt_row.draft, prompt_row.row_version
    return problems


@transaction.atomic
def freeze_version(prompt: Prompt, *, actor: Actor, note: str = "") -> PromptVersion:
    """Make the draft the next version, which never changes again.

    Raises PermissionDenied, PromptNotReady with everything that is wrong, ActionRefused where nothing changed.
    """
    prompt = _locked(prompt, actor, Verb.PROMPT_EDIT)
    draft = cleaned_draft(prompt.draft)
    problems = problems_of_draft(prompt, draft)
    route = route_named(prompt.team, draft["route"])
    if problems or route is None:
        raise PromptNotReady(problems)
    newest = latest_version(prompt)
    version = _version(prompt, draft, route, number=newest.number + 1 if newest else 1)
    if newest and plain_version(newest) == plain_version(version):
        raise ActionRefused(
            _("Nothing changed since version %(n)s. Change the draft first.") % {"n": newest.number},
            code="nothing_changed",
        )
    version.note, version.frozen_by = note, actor.label[:200]
    version.full_clean(exclude=["variables"])  # there may be none
    version.save()
    record_event("prompt.version_frozen", version, actor=actor, after={"number": version.number}, note=note)
    return version


@transaction.atomic
def move_label(
    prompt: Prompt,
    *,
    actor: Actor,
    name: str,
    version: PromptVersion,
    note: str = "",
) -> PromptLabel:
    """Let `name` stand for `version` from now on: calls that go by the label get it.

    Raises PermissionDenied, ValidationError for a name that is none, and ActionRefused: for `production` where a
    required test did not pass, and where callers would have to change: those of an API that is offered by the label.
    """
    prompt = _locked(prompt, actor, Verb.PROMPT_RELEASE)
    if version.prompt_id != prompt.pk:
        raise ActionRefused(_("This version belongs to another prompt."), code="foreign_version")
    label = PromptLabel.objects.select_for_update(of=("self",)).filter(prompt=prompt, name=name).first()
    before = label.version if label else None
    if label and label.version_id == version.pk:
        return label
    if before and before.interface != version.interface and (promised := _who_promises(prompt, name)):
        raise ActionRefused(_interface_text(name, before, version, promised), code="interface_changed")
    if name == PromptLabel.PRODUCTION and (unmet := failed_requirements(version)):
        raise ActionRefused(unmet, code="tests_not_passed")
    label = label or PromptLabel(prompt=prompt, name=name)
    label.version = version
    label.full_clean()
    label.save()
    record_event(
        "prompt.label_moved",
        label,
        actor=actor,
        before={"version": before.number} if before else {},
        after={"version": version.number},
        note=note,
    )
    return label


def _who_promises(prompt: Prompt, name: str) -> str:
    """Who promises the interface that a label has now, in words."""
    answers = label_asked.send(Prompt, prompt=prompt, name=name)
    return ", ".join(filter(None, (answer for _receiver, answer in answers)))


def _interface_text(name: str, before: PromptVersion, after: PromptVersion, promised: str) -> str:
    return str(
        _(
            "Version %(after)s takes other variables, or answers by another schema, than version %(before)s that "
            "%(label)s names, and %(promised)s is offered by that label: its callers would have to change. Give the "
            "version another label, offer the prompt as another API by that one, and let callers move."
        )
        % {"before": before.number, "after": after.number, "label": name, "promised": promised}
    )


@transaction.atomic
def retire_prompt(prompt: Prompt, *, actor: Actor, note: str = "") -> Prompt:
    """End it for good: nothing is frozen or moved any more. What is published goes on until it is withdrawn."""
    prompt = _locked(prompt, actor, Verb.PROMPT_RELEASE)
    prompt.retired_at = timezone.now()
    prompt.full_clean()
    prompt.save()
    record_event("prompt.retired", prompt, actor=actor, note=note)
    return prompt


def cleaned_draft(plain: Any) -> dict[str, Any]:
    """`plain` in the shape of a draft. Raises ValidationError."""
    try:
        return as_draft(plain)
    except DraftError as error:
        raise ValidationError({"draft": str(error)}) from error


def _version(prompt: Prompt, draft: Mapping[str, Any], route: ModelRoute, *, number: int) -> PromptVersion:
    return PromptVersion(
        prompt=prompt,
        number=number,
        messages=draft["messages"],
        variables=[variable.to_plain() for variable in variables_of(draft["variables"])],
        output_schema=draft["output_schema"],
        parameters=draft["parameters"],
        route=route,
        cache_s=draft["cache_s"],
        guard=draft["guard"],
    )


def _locked(prompt: Prompt, actor: Actor, verb: Verb) -> Prompt:
    """The prompt under a row lock. Raises PermissionDenied, ActionRefused for one that is retired."""
    prompt = Prompt.objects.select_for_update(of=("self",)).select_related("team").get(pk=prompt.pk)
    actor.require(verb, prompt.team)
    if prompt.retired_at is not None:
        raise ActionRefused(_("This prompt is retired. Make a new one instead."), code="prompt_retired")
    return prompt


def starter_draft(route: ModelRoute | None) -> dict[str, Any]:
    """A draft that can be frozen as it is and shows what there is: a role, two variables, limits, a fence."""
    return {
        "messages": [
            {
                "role": "system",
                "content": "Summarise the text of the user in at most {{sentences}} sentences. Write in the language "
                "of the text, and add nothing that is not in it.",
            },
            {"role": "user", "content": "{{text}}"},
        ],
        "variables": [
            {
                "name": "sentences",
                "type": "integer",
                "description": "How long the summary may be.",
                "required": False,
                "default": 3,
                "minimum": 1,
                "maximum": 10,
            },
            {
                "name": "text",
                "type": "string",
                "description": "What is to be summarised.",
                "example": "The museum opens at nine and closes at six. On Mondays it stays closed.",
                "untrusted": True,
                "max_length": 20_000,
            },
        ],
        "output_schema": None,
        "parameters": {"temperature": 0.2, "max_tokens": 400},
        "route": route.public_id if route else "",
        "cache_s": 0,
        "guard": {},
    }
