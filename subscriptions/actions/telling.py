"""Who is told what, and where the message leads. Notices commit with their cause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from apis.models import ApiVersion, Environment
from subscriptions.models import AccessRequest, Subscription
from subscriptions.queries import consumers_of, deciders_of, owners_of, requester_of, subscribers_of
from teams.actions import notify
from teams.models import Actor, User

TITLE_LENGTH = 200


def tell_deciders(request: AccessRequest) -> None:
    """Tell those who may decide that a request waits."""
    title = _("%(application)s asks for %(version)s on %(plan)s") % _words(request)
    _tell(deciders_of(request), "request.made", title, request.reason, approval_path(request))


def tell_decision(request: AccessRequest, *, actor: Actor) -> None:
    """Tell the application's team and the one who asked how a request ended."""
    titles = {
        AccessRequest.State.APPROVED: _("Approved: %(application)s may call %(version)s on %(plan)s"),
        AccessRequest.State.REJECTED: _("Rejected: %(application)s for %(version)s on %(plan)s"),
        AccessRequest.State.LAPSED: _("Lapsed: nobody decided on %(application)s for %(version)s in time"),
    }
    title = titles[AccessRequest.State(request.state)] % _words(request)
    asked = requester_of(request)
    people = _others([*consumers_of(request.application), *([asked] if asked else [])], actor)
    granted = request.state == AccessRequest.State.APPROVED and request.subscription is not None
    path = subscription_path(request.subscription) if granted else request_path(request)  # type: ignore[arg-type]
    _tell(people, f"request.{request.state}", title, request.decision_note, path)


def tell_owners(request: AccessRequest, *, actor: Actor) -> None:
    """Tell the API's team how a request for it ended, whoever decided: an approver, the plan, or the asker."""
    titles = {
        AccessRequest.State.APPROVED: _("Granted: %(application)s may call %(version)s on %(plan)s"),
        AccessRequest.State.REJECTED: _("Rejected: %(application)s for %(version)s on %(plan)s"),
        AccessRequest.State.WITHDRAWN: _("Withdrawn: %(application)s for %(version)s on %(plan)s"),
        AccessRequest.State.LAPSED: _("Lapsed: %(application)s for %(version)s on %(plan)s"),
    }
    title = titles[AccessRequest.State(request.state)] % _words(request)
    told = {person.pk for person in consumers_of(request.application)}
    people = _others(owners_of(request.api_version), actor)
    people = [person for person in people if person.pk not in told]
    _tell(people, f"request.{request.state}", title, request.decision_note, approval_path(request))


def tell_subscribers(
    version: ApiVersion,
    name: str,
    title: str,
    body: str,
    *,
    actor: Actor,
    environment: Environment | None = None,
) -> None:
    """Tell the teams with a subscription to `version` (in `environment`, or anywhere) what happened to it."""
    path = reverse("api-detail", args=[version.api.team.slug, version.api.slug])
    _tell(_others(subscribers_of(version, environment), actor), name, title, body, path)


def tell_consumers(subscription: Subscription, name: str, title: str, *, actor: Actor) -> None:
    """Tell the application's team what happened to a subscription, with the reason on it."""
    people = _others(consumers_of(subscription.application), actor)
    _tell(people, name, title, subscription.state_reason, subscription_path(subscription))


def approval_path(request: AccessRequest) -> str:
    return reverse("approval-detail", args=[request.public_id])


def request_path(request: AccessRequest) -> str:
    return reverse("request-detail", args=[request.public_id])


def subscription_path(subscription: Subscription) -> str:
    return reverse("subscription-detail", args=[subscription.public_id])


def _words(request: AccessRequest) -> dict[str, Any]:
    return {
        "application": request.application,
        "version": request.api_version,
        "plan": request.plan_revision.plan,
    }


def _others(people: Iterable[User], actor: Actor) -> list[User]:
    """Each person once, without the one who did it: they know."""
    return list({person.pk: person for person in people if person.public_id != actor.public_id}.values())


def _tell(people: list[User], name: str, title: str, body: str, path: str) -> None:
    if people:
        notify(people, name=name, title=title[:TITLE_LENGTH], body=body, path=path)
