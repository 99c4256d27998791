"""Asking for access, and following what was asked."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from apis.models import ApiVersion, Environment, PlanRevision
from audit.models import ActionRefused
from subscriptions.actions import request_access, request_access_for_new, withdraw_request
from subscriptions.forms import NEW, AccessForm, take_errors
from subscriptions.models import AccessRequest, Application, Subscription
from subscriptions.queries import environments_of, offers_of, steps_of, who_decides, with_context
from teams.access import SIGNED_IN, HtmxHttpRequest, htmx_partial, page
from teams.models import Actor, Team, Verb


@page(SIGNED_IN, methods=("GET", "POST"))
def access_request(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponse:
    """The form that asks for a subscription to one version."""
    found = ApiVersion.objects.visible_to(request.actor).select_related("api__team")
    version = get_object_or_404(found, api__team__slug=team, api__slug=slug, major=major)
    form = _form(request, version)
    if request.method == "POST" and form.is_valid():
        asked = _ask(form, version, request.actor)
        if asked is not None:
            return _lead_on(request, asked)
    context = {
        "form": form,
        "version": version,
        "offers": _described(form),
        "has_terms": any(offer.terms for offer in form.offers),
        "held": _held(version, request.actor),
    }
    status = 422 if form.errors else 200
    return render(request, "subscriptions/request_form.html", context, status=status)


def _form(request: HtmxHttpRequest, version: ApiVersion) -> AccessForm:
    """The form, filled from the address where it names a plan, an environment or an application."""
    actor, offers = request.actor, offers_of(version) if version.state == ApiVersion.State.PUBLISHED else []
    environments = _environments(offers)
    applications = applications_open_to(actor)
    initial: dict[str, Any] = {
        "application": request.GET.get("application") or (applications[0].public_id if applications else NEW),
        "environment": request.GET.get("environment") or (environments[0].slug if environments else ""),
        "plan": request.GET.get("plan") or (offers[0].plan.slug if offers else ""),
    }
    return AccessForm(
        request.POST or None,
        actor=actor,
        applications=applications,
        offers=offers,
        environments=environments,
        initial=initial,
    )


def applications_open_to(actor: Actor) -> list[Application]:
    """Active applications for which `actor` may ask."""
    return list(
        Application.objects.manageable_by(actor)
        .filter(state=Application.State.ACTIVE)
        .select_related("team")
        .order_by("name")
    )


def _environments(offers: list[PlanRevision]) -> list[Environment]:
    """Where at least one of `offers` is offered, in the company's order."""
    everywhere = list(Environment.objects.all())
    offered = {item.pk for offer in offers for item in environments_of(offer.plan, everywhere)}
    return [item for item in everywhere if item.pk in offered]


def _described(form: AccessForm) -> list[dict[str, Any]]:
    """Each offer with where it holds and who decides, for the comparison."""
    everywhere = list(form.environments)
    chosen = form["plan"].value()
    return [
        {
            "revision": offer,
            "environments": [item.name for item in environments_of(offer.plan, everywhere)],
            "automatic": offer.approval == PlanRevision.Approval.AUTOMATIC,
            "who": who_decides(offer.plan),
            "checked": offer.plan.slug == chosen,
        }
        for offer in form.offers
    ]


def _held(version: ApiVersion, actor: Actor) -> list[Subscription]:
    """Subscriptions to this version that the actor's teams hold already."""
    mine = Subscription.objects.open().filter(
        api_version=version, application__team_id__in=actor.team_ids(Verb.APPLICATION_VIEW)
    )
    return list(mine.select_related("application", "environment", "plan_revision__plan")[:20])


def _ask(form: AccessForm, version: ApiVersion, actor: Actor) -> AccessRequest | None:
    """Ask; None when it was refused, with the words on the form."""
    values, where, plan = form.cleaned_data, form.environment_chosen, form.offer_chosen.plan
    said = {"reason": values["reason"], "accept_terms": values["accept_terms"]}
    try:
        if values["application"] == NEW:
            team = Team.objects.get(public_id=values["new_team"])
            return request_access_for_new(team, values["new_name"], version, where, plan, actor=actor, **said)
        application = Application.objects.manageable_by(actor).get(public_id=values["application"])
        return request_access(application, version, where, plan, actor=actor, **said)
    except ValidationError as error:
        take_errors(form, error)
    except ActionRefused as refused:
        form.add_error(None, refused.message)
    return None


def _lead_on(request: HtmxHttpRequest, asked: AccessRequest) -> HttpResponse:
    if asked.state == AccessRequest.State.APPROVED and asked.subscription is not None:
        messages.success(request, _("Granted at once. Create a key to make the first call."))
        return redirect("subscription-detail", asked.subscription.public_id)
    messages.success(request, _("Asked. You are told as soon as it is decided."))
    return redirect("request-detail", asked.public_id)


@page(SIGNED_IN)
def request_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """One request, seen by those who asked: where it stands."""
    asked = _visible(request, public_id)
    context = {
        "asked": asked,
        "steps": steps_of(asked),
        "who": who_decides(asked.plan_revision.plan),
        "may_withdraw": asked.is_waiting and request.actor.may(Verb.APPLICATION_EDIT, asked.application.team),
    }
    template = "subscriptions/request_detail.html"
    return render(request, template + "#progress" if htmx_partial(request) else template, context)


@page(Verb.APPLICATION_EDIT, methods=("POST",))
def request_withdraw(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Take a request back."""
    asked = withdraw_request(_visible(request, public_id), actor=request.actor)
    messages.success(request, _("Withdrawn. Nothing was granted."))
    return redirect("request-detail", asked.public_id)


def _visible(request: HtmxHttpRequest, public_id: str) -> AccessRequest:
    found: QuerySet[AccessRequest] = with_context(AccessRequest.objects.visible_to(request.actor))
    return get_object_or_404(found, public_id=public_id)
