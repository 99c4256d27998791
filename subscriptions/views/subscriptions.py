"""One subscription with its keys: changed, suspended, resumed, closed; and who subscribes to an API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from apis.models import Api
from audit.models import ActionRefused
from subscriptions.actions import (
    MOST_KEYS,
    close_subscription,
    request_plan_change,
    resume_subscription,
    suspend_subscription,
)
from subscriptions.forms import ExtendForm, KeyForm, PlanChangeForm, ReasonForm, take_errors
from subscriptions.models import AccessRequest, Credential, Subscription
from subscriptions.queries import (
    history_of,
    keys_of,
    offers_of,
    pending_change,
    rotations_of,
    who_decides,
)
from subscriptions.views.listing import paged
from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.models import Actor, Verb


@page(SIGNED_IN)
def subscription_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """What was granted, whether gateways hold it, and its keys."""
    subscription = visible_subscription(request, public_id)
    keys = keys_of(subscription, request.actor)
    states = Counter(key.state for key, _ended_by in keys)
    active = states[Credential.State.ACTIVE]
    running = list(rotations_of(subscription).running())
    rights = rights_on(subscription, request.actor)
    context = {
        "subscription": subscription,
        "keys": keys,
        "active": active,
        "rotating": states[Credential.State.ROTATING],
        "rotations": [(rotation, ExtendForm.for_rotation(rotation)) for rotation in running],
        "fresh": {rotation.new_id for rotation in running},
        "most_keys": MOST_KEYS,
        "has_room": active < MOST_KEYS and subscription.state == Subscription.State.ACTIVE,
        "blocks": subscription.blocks.filter(lifted_at=None),
        "change": pending_change(subscription),
        "history": history_of(subscription),
        "key_form": KeyForm.for_subscription(subscription),
        "reason_form": ReasonForm(auto_id="suspend_%s"),
        "close_form": ReasonForm(auto_id="close_%s"),
        **rights,
    }
    return render(request, "subscriptions/subscription_detail.html", context)


def rights_on(subscription: Subscription, actor: Actor) -> dict[str, bool]:
    """What the page may offer: keys and plan to the application's team, stopping to the API's team."""
    open_now = subscription.state != Subscription.State.CLOSED
    edits = actor.may(Verb.APPLICATION_EDIT, subscription.application.team)
    stops = actor.may(Verb.SUBSCRIPTION_SUSPEND, subscription.api_version.api.team)
    return {
        "may_issue": open_now and actor.may(Verb.CREDENTIAL_MANAGE, subscription.application.team),
        "may_change": open_now and edits,
        "may_stop": open_now and stops,
        "may_close": open_now and (edits or stops),
        "is_consumer": actor.may(Verb.APPLICATION_VIEW, subscription.application.team),
    }


@page(Verb.APPLICATION_EDIT, methods=("GET", "POST"))
def subscription_plan(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Ask for another plan."""
    subscription = visible_subscription(request, public_id)
    request.actor.require(Verb.APPLICATION_EDIT, subscription.application.team)
    offers = [
        offer for offer in offers_of(subscription.api_version) if offer.pk != subscription.plan_revision_id
    ]
    form = PlanChangeForm(
        request.POST or None, offers=offers, initial={"plan": offers[0].plan.slug if offers else ""}
    )
    if request.method == "POST" and form.is_valid():
        asked = _ask_change(form, subscription, request.actor)
        if asked is not None:
            return _changed(request, asked)
    chosen = form["plan"].value()
    rows = [
        {
            "revision": offer,
            "automatic": offer.approval == offer.Approval.AUTOMATIC,
            "who": who_decides(offer.plan),
            "checked": offer.plan.slug == chosen,
        }
        for offer in offers
    ]
    context = {
        "subscription": subscription,
        "form": form,
        "offers": rows,
        "has_terms": any(offer.terms for offer in offers),
        "change": pending_change(subscription),
    }
    return render(
        request, "subscriptions/subscription_plan.html", context, status=422 if form.errors else 200
    )


def _ask_change(form: PlanChangeForm, subscription: Subscription, actor: Actor) -> AccessRequest | None:
    values = form.cleaned_data
    try:
        return request_plan_change(
            subscription,
            form.offer_chosen.plan,
            actor=actor,
            reason=values["reason"],
            accept_terms=values["accept_terms"],
        )
    except ValidationError as error:
        take_errors(form, error)
    except ActionRefused as refused:
        form.add_error(None, refused.message)
    return None


def _changed(request: HtmxHttpRequest, asked: AccessRequest) -> HttpResponse:
    if asked.is_waiting:
        messages.success(request, _("Asked. The present plan holds until it is decided."))
        return redirect("request-detail", asked.public_id)
    messages.success(request, _("Now on %(plan)s.") % {"plan": asked.plan_revision.plan})
    assert asked.subscription is not None  # noqa: S101 - a decided plan change always names one
    return redirect("subscription-detail", asked.subscription.public_id)


@page(Verb.SUBSCRIPTION_SUSPEND, methods=("GET", "POST"))
def subscription_suspend(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Stop calls for a while."""
    done = _("Suspended. Gateways refuse its keys as soon as each has taken it.")
    return _with_reason(request, public_id, suspend_subscription, "suspend", done)


@page(SIGNED_IN, methods=("GET", "POST"))
def subscription_close(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """End it for good."""
    done = _("Closed. Its keys are revoked; gateways refuse them as soon as each has taken it.")
    return _with_reason(request, public_id, close_subscription, "close", done)


def _with_reason(
    request: HtmxHttpRequest, public_id: str, action: Callable[..., Subscription], deed: str, done: str
) -> HttpResponse:
    subscription = visible_subscription(request, public_id)
    _require_stop(subscription, request.actor, deed)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        action(subscription, actor=request.actor, reason=form.cleaned_data["reason"])
        messages.success(request, done)
        return redirect("subscription-detail", subscription.public_id)
    context = {"subscription": subscription, "form": form, "deed": deed}
    return render(
        request, "subscriptions/subscription_stop.html", context, status=422 if form.errors else 200
    )


def _require_stop(subscription: Subscription, actor: Actor, deed: str) -> None:
    """Who may not do the deed is not shown its form either. Raises PermissionDenied."""
    edits = actor.may(Verb.APPLICATION_EDIT, subscription.application.team)
    if deed == "suspend" or not edits:
        actor.require(Verb.SUBSCRIPTION_SUSPEND, subscription.api_version.api.team)


@page(Verb.SUBSCRIPTION_SUSPEND, methods=("POST",))
def subscription_resume(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Let it call again."""
    subscription = visible_subscription(request, public_id)
    resume_subscription(subscription, actor=request.actor)
    messages.success(request, _("Resumed. Gateways accept its keys as soon as each has taken it."))
    return redirect("subscription-detail", subscription.public_id)


@page(SIGNED_IN)
def subscriber_list(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponse:
    """Who subscribes to an API, for its team and those who oversee the platform."""
    actor = request.actor
    own = Api.objects.select_related("team")
    if not actor.everywhere(Verb.API_VIEW):
        own = own.filter(team_id__in=actor.team_ids(Verb.API_VIEW))
    api = get_object_or_404(own, team__slug=team, slug=slug)
    shown = "all" if request.GET.get("show") == "all" else "open"
    found = Subscription.objects.visible_to(actor).filter(api_version__api=api)
    if shown == "open":
        found = found.open()
    rows = found.select_related(
        "application__team", "api_version__api", "environment", "plan_revision__plan"
    ).annotate(usable_keys=Count("credentials", filter=Q(credentials__state__in=("active", "rotating"))))
    context = {
        "api": api,
        "subscriptions": paged(request, rows.order_by("-pk")),
        "shown": shown,
        "may_stop": actor.may(Verb.SUBSCRIPTION_SUSPEND, api.team),
        "waiting": AccessRequest.objects.decidable_by(actor).filter(api_version__api=api).count(),
    }
    return render(request, "subscriptions/subscriber_list.html", context)


def visible_subscription(request: HtmxHttpRequest, public_id: str) -> Subscription:
    """The subscription, with all that its page names. Raises Http404."""
    found = Subscription.objects.visible_to(request.actor).select_related(
        "application__team", "api_version__api__team", "environment", "plan_revision__plan__approvers"
    )
    return get_object_or_404(found, public_id=public_id)
