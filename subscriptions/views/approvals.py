"""The queue of requests to decide, and the card on which one is decided."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from audit.models import ActionRefused
from subscriptions.actions import approve_request, reject_request
from subscriptions.forms import RejectForm, take_errors
from subscriptions.models import AccessRequest, Application, Subscription
from subscriptions.queries import (
    approvals_waiting,
    decided_before,
    granted_so_far,
    may_decide,
    place_in_queue,
    steps_of,
    waiting_for,
    who_decides,
    with_context,
)
from subscriptions.views.listing import paged
from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.models import Actor, Verb
from teams.queries import lacks_second_factor

SHOWS = ("waiting", "decided", "mine")


@page(SIGNED_IN)
def approval_list(request: HtmxHttpRequest) -> HttpResponse:
    """What the actor may decide, and what was decided."""
    wanted = request.GET.get("show", "")
    shown = wanted if wanted in SHOWS else SHOWS[0]
    context = {
        "requests": paged(request, _rows(request.actor, shown)),
        "shown": shown,
        "waiting": approvals_waiting(request.actor),
    }
    return render(request, "subscriptions/approval_list.html", context)


def _rows(actor: Actor, shown: str) -> Any:
    if shown == "waiting":
        return waiting_for(actor)
    decided = AccessRequest.objects.received_by(actor).exclude(state=AccessRequest.State.PENDING)
    if shown == "mine":
        decided = decided.filter(decided_by_id=actor.public_id)
    return with_context(decided).order_by("-decided_at", "-pk")


@page(SIGNED_IN)
def approval_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """The card: who asks, why, for what, and what was granted so far."""
    return _card(request, _received(request, public_id))


@page(SIGNED_IN, methods=("POST",))
def approval_approve(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Grant it, then lead on to the next one that waits."""
    asked = _received(request, public_id)
    after = _next_of(asked, request.actor)
    try:
        approve_request(asked, actor=request.actor, note=request.POST.get("note", ""))
    except ActionRefused as refused:
        return _card(request, _received(request, public_id), refused=refused.message, status=refused.status)
    except ValidationError as error:
        words = " ".join(error.messages)
        return _card(request, _received(request, public_id), refused=words, status=422)
    messages.success(request, _("Approved: %(request)s.") % {"request": _in_short(asked)})
    return _lead_on(request, after)


@page(SIGNED_IN, methods=("GET", "POST"))
def approval_reject(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Turn it down with a reason, then lead on."""
    asked = _received(request, public_id)
    form = RejectForm(request.POST or None)
    if request.method == "GET" or not form.is_valid():
        return _card(request, asked, form=form, rejecting=True, status=422 if form.errors else 200)
    after = _next_of(asked, request.actor)
    try:
        reject_request(asked, actor=request.actor, note=form.cleaned_data["note"])
    except ActionRefused as refused:
        return _card(request, _received(request, public_id), refused=refused.message, status=refused.status)
    except ValidationError as error:
        take_errors(form, error)
        return _card(request, _received(request, public_id), form=form, rejecting=True, status=422)
    messages.success(request, _("Rejected: %(request)s.") % {"request": _in_short(asked)})
    return _lead_on(request, after)


def _card(
    request: HtmxHttpRequest,
    asked: AccessRequest,
    *,
    form: RejectForm | None = None,
    rejecting: bool = False,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    actor = request.actor
    granted = granted_so_far(asked.api_version, asked.environment)
    entitled, lacks = may_decide(asked, actor), lacks_second_factor(actor)
    decides = entitled and not lacks
    context = {
        "asked": asked,
        "form": form or RejectForm(),
        "rejecting": rejecting and decides,
        "refused": refused,
        "may_decide": decides,
        "lacks_second_factor": entitled and lacks,
        "asked_oneself": asked.requested_by_id == actor.public_id,
        "who": who_decides(asked.plan_revision.plan),
        "place": place_in_queue(asked, actor),
        "steps": steps_of(asked),
        "granted": granted,
        "adds": granted.rate_with(asked),
        "before": decided_before(asked),
        "held": _held(asked.application),
        "sees_usage": actor.may(Verb.USAGE_VIEW, asked.application.team)
        or actor.may(Verb.USAGE_VIEW, asked.api_version.api.team),
        "sees_application": Application.objects.visible_to(actor).filter(pk=asked.application_id).exists(),
    }
    return render(request, "subscriptions/approval_detail.html", context, status=status)


def _held(application: Application) -> int:
    return Subscription.objects.open().filter(application=application).count()


def _received(request: HtmxHttpRequest, public_id: str) -> AccessRequest:
    found: QuerySet[AccessRequest] = with_context(AccessRequest.objects.received_by(request.actor))
    return get_object_or_404(found, public_id=public_id)


def _next_of(asked: AccessRequest, actor: Actor) -> str:
    """The public id of the request to decide after `asked`; empty when it is the last."""
    place = place_in_queue(asked, actor)
    if place is None:
        return ""
    return place.next or place.previous


def _in_short(asked: AccessRequest) -> str:
    return f"{asked.application}, {asked.api_version}, {asked.plan_revision.plan}"


def _lead_on(request: HtmxHttpRequest, after: str) -> HttpResponse:
    return redirect("approval-detail", after) if after else redirect("approvals")
