"""Finding what an address of the prompt pages names, or 404 for whoever may not see it."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from ai.models import Prompt, PromptVersion, TestCase
from ai.prompt_queries import visible_prompts
from audit.models import ActionRefused
from teams.access import HtmxHttpRequest
from teams.models import Verb

TICKET = "ai-ticket"
"""The page of the gateways app that hands a browser a ticket for the AI runtime; without it nothing can be run."""


def own_prompt(request: HtmxHttpRequest, team: str, slug: str, verb: Verb = Verb.PROMPT_VIEW) -> Prompt:
    """A prompt that the actor may see, and for which `verb` is allowed.

    Raises Http404, PermissionDenied, and ActionRefused for a retired one of which more is wanted than to see it.
    """
    prompt = get_object_or_404(visible_prompts(request.actor), team__slug=team, slug=slug)
    request.actor.require(verb, prompt.team)
    if verb is not Verb.PROMPT_VIEW and prompt.retired_at is not None:
        raise ActionRefused(_("This prompt is retired. Make a new one instead."), code="prompt_retired")
    return prompt


def own_version(prompt: Prompt, number: int) -> PromptVersion:
    """A version of the prompt by its number."""
    return get_object_or_404(prompt.versions.select_related("route", "prompt__team"), number=number)


def own_case(prompt: Prompt, public_id: str) -> TestCase:
    """A test case of the prompt."""
    return get_object_or_404(
        TestCase.objects.select_related("prompt__team"), prompt=prompt, public_id=public_id
    )


def ticket_url() -> str:
    """Where the browser gets a ticket for a run; empty where that cannot be done."""
    try:
        return reverse(TICKET)
    except NoReverseMatch:
        return ""
