"""What pages of the app `ai` ask of the AI runtimes: a ticket for a browser, and whether a provider answers."""

from __future__ import annotations

from django.http import JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render

from ai.models import Prompt, Provider
from ai.prompt_queries import usable_models
from audit.models import ActionRefused
from gateways.ai_trials import Tried, ticket_for, try_provider
from teams.access import HtmxHttpRequest, page
from teams.models import Verb


@page(Verb.PROMPT_EDIT, methods=("POST",))
def ai_ticket(request: HtmxHttpRequest) -> HttpResponseBase:
    """Where the runtime is, and a ticket for the models that the prompt's team may use: `{"url", "ticket"}`."""
    visible = Prompt.objects.visible_to(request.actor).select_related("team")
    prompt = get_object_or_404(visible, public_id=request.POST.get("prompt", ""))
    request.actor.require(Verb.PROMPT_EDIT, prompt.team)
    models = list(usable_models(prompt.team).values_list("public_id", flat=True))
    labels = {"purpose": "editor", "prompt": prompt.public_id}
    ticket = ticket_for(prompt.team.public_id, models, labels=labels)
    answer = JsonResponse({"url": ticket.url, "ticket": ticket.ticket})
    answer.headers["Cache-Control"] = "no-store"
    return answer


@page(Verb.AI_MANAGE, methods=("POST",))
def provider_try(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Whether a model of the provider answers, in the vendor's own words."""
    provider = get_object_or_404(Provider.objects.visible_to(request.actor), public_id=public_id)
    if not Provider.objects.manageable_by(request.actor).filter(pk=provider.pk).exists():
        request.actor.require(Verb.AI_MANAGE, provider.team_id)
    key = provider.keys.usable().order_by("-weight", "pk").first()
    remote = request.POST.get("model", "").strip()[:160]
    tried, refusal = _tried(provider, key, remote)
    context = {"provider": provider, "tried": tried, "refusal": refusal, "model": remote, "key": key}
    template = "gateways/provider_tried.html" + ("#outcome" if request.htmx else "")
    return render(request, template, context)


def _tried(provider: Provider, key: object, remote: str) -> tuple[Tried | None, str]:
    try:
        return try_provider(provider, key, remote), ""  # type: ignore[arg-type]  # a ProviderKey or None
    except ActionRefused as refused:
        return None, str(refused)
