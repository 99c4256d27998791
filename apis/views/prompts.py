"""A prompt becomes an API, and which ones it has become."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from ai.models import Prompt
from apis.actions import offer_prompt
from apis.forms import OfferPromptForm, add_errors
from apis.models import ApiVersion
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.models import Verb

INVALID = 422


@page(Verb.API_EDIT, methods=("GET", "POST"))
def prompt_offer(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """Name, address and the version that answers in each environment; a plan and the gateways come next."""
    visible = Prompt.objects.visible_to(request.actor).active().select_related("team")
    prompt = get_object_or_404(visible, team__slug=team, slug=slug)
    request.actor.require(Verb.API_EDIT, prompt.team)
    form = OfferPromptForm(
        request.POST if request.method == "POST" else None, prompt=prompt, actor=request.actor
    )
    if request.method == "POST" and form.is_valid():
        try:
            version = offer_prompt(
                prompt,
                actor=request.actor,
                labels=form.labels,
                name=form.cleaned_data["name"],
                slug=form.cleaned_data["slug"],
                summary=form.cleaned_data["summary"],
                model_routes=list(form.cleaned_data["model_routes"]),
            )
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("%(api)s is a draft now.") % {"api": version.api})
            return redirect("version-detail", version.api.team.slug, version.api.slug, version.major)
    context = {"form": form, "prompt": prompt, "has_labels": prompt.labels.exists()}
    return render(request, "apis/prompt_offer.html", context, status=INVALID if form.is_bound else 200)


@page(Verb.PROMPT_VIEW)
def prompt_uses(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """The versions of APIs whose calls the prompt answers, of those that the actor may see."""
    visible = Prompt.objects.visible_to(request.actor).select_related("team")
    prompt = get_object_or_404(visible, team__slug=team, slug=slug)
    request.actor.require(Verb.PROMPT_VIEW, prompt.team)
    versions = ApiVersion.objects.visible_to(request.actor).filter(upstream__prompt=prompt)
    context = {"prompt": prompt, "versions": versions.select_related("api__team").order_by("-pk")[:20]}
    template = "apis/prompt_uses.html" + ("#uses" if htmx_partial(request) else "")
    return render(request, template, context)
