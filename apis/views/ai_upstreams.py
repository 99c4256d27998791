"""Where calls of a prompt or of models go in each environment: the label that answers, and whether bodies are kept."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apis.actions import set_body_logging, set_prompt_label
from apis.forms import BodyLogForm, PromptLabelForm, add_errors
from apis.models import ApiVersion, Environment, Upstream, UpstreamBinding
from teams.access import HtmxHttpRequest
from teams.models import Verb

INVALID = 422


@dataclass(frozen=True, slots=True)
class Place:
    """One environment with its forms: none for the label where no prompt answers, none for bodies where nothing is
    offered."""

    environment: Environment
    binding: UpstreamBinding | None
    label: PromptLabelForm | None
    bodies: BodyLogForm | None


def ai_upstream(
    request: HtmxHttpRequest,
    upstream: Upstream,
    environments: list[Environment],
    used_by: QuerySet[ApiVersion],
) -> HttpResponseBase:
    """The page; what is sent says by `environment` and `what` which of the forms it is."""
    places = [_place(request, upstream, environment) for environment in environments]
    sent = [form for place in places for form in (place.label, place.bodies) if form and form.is_bound]
    for form in sent:
        if form.is_valid() and _saved(request, upstream, form):
            return redirect("upstream-detail", upstream.public_id)
    context = {
        "upstream": upstream,
        "places": places,
        "model_routes": upstream.model_routes.all(),
        "used_by": used_by,
        "may_edit": request.actor.may(Verb.API_EDIT, upstream.team),
    }
    return render(request, "apis/upstream_ai.html", context, status=INVALID if sent else 200)


def _place(request: HtmxHttpRequest, upstream: Upstream, environment: Environment) -> Place:
    binding: UpstreamBinding | None = environment.binding  # type: ignore[attr-defined]
    prompt, is_sent = upstream.prompt, request.POST.get("environment") == environment.slug
    about_bodies = request.POST.get("what") == "bodies"
    label = bodies = None
    if prompt is not None:
        data = request.POST if is_sent and not about_bodies else None
        current = binding.prompt_label if binding else ""
        label = PromptLabelForm(data, prompt=prompt, environment=environment, label=current)
    if binding is not None:
        data = request.POST if is_sent and about_bodies else None
        bodies = BodyLogForm(data, environment=environment, log_bodies=binding.log_bodies)
    return Place(environment, binding, label, bodies)


def _saved(request: HtmxHttpRequest, upstream: Upstream, form: PromptLabelForm | BodyLogForm) -> bool:
    try:
        _save(request, upstream, form)
    except ValidationError as error:
        add_errors(form, error)
        return False
    return True


def _save(request: HtmxHttpRequest, upstream: Upstream, form: PromptLabelForm | BodyLogForm) -> None:
    environment = form.environment
    if isinstance(form, PromptLabelForm):
        label = form.cleaned_data["label"]
        set_prompt_label(upstream, actor=request.actor, environment=environment, label=label)
        words = {"environment": environment, "label": label}
        messages.success(request, _("%(label)s answers in %(environment)s now.") % words)
        return
    keeps = form.cleaned_data["log_bodies"]
    set_body_logging(upstream, actor=request.actor, environment=environment, log_bodies=keeps)
    text = (
        _("What is asked and answered in %(environment)s is kept from now on.")
        if keeps
        else _("Nothing more of what is asked and answered in %(environment)s is kept.")
    )
    messages.success(request, text % {"environment": environment})
