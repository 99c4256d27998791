"""Subscriptions: suspended, resumed, closed."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.models import ActionRefused
from subscriptions.actions.blocks import lift_open_blocks
from subscriptions.actions.credentials import revoke_keys_of
from subscriptions.actions.decisions import lapse_open_requests
from subscriptions.actions.locks import lock_application, lock_subscription
from subscriptions.actions.telling import tell_consumers
from subscriptions.models import Subscription
from teams.models import SYSTEM, Actor, Verb

REASON_LENGTH = 400


@transaction.atomic
def suspend_subscription(subscription: Subscription, *, actor: Actor, reason: str) -> Subscription:
    """Stop calls for a while; keys stay, gateways refuse them. The reason is mandatory.

    For owners and publishers of the API's team and platform administrators. Raises TransitionNotAllowed
    unless active, or resting with a disabled person: then it stays suspended when they are back.
    """
    subscription = lock_subscription(subscription.pk)
    actor.require(Verb.SUBSCRIPTION_SUSPEND, subscription.api_version.api.team)
    if subscription.suspended_with is None:
        subscription.move_to(Subscription.State.SUSPENDED)
    subscription.state_reason, subscription.suspended_with = _reason(reason), None
    subscription.full_clean()
    subscription.save()
    title = _("Suspended: %(subscription)s") % {"subscription": subscription}
    tell_consumers(subscription, "subscription.suspended", title, actor=actor)
    record_event("subscription.suspended", subscription, actor=actor, note=subscription.state_reason)
    return subscription


@transaction.atomic
def resume_subscription(subscription: Subscription, *, actor: Actor) -> Subscription:
    """Let a suspended subscription call again. For those who may suspend. Raises TransitionNotAllowed."""
    subscription = lock_subscription(subscription.pk)
    actor.require(Verb.SUBSCRIPTION_SUSPEND, subscription.api_version.api.team)
    if subscription.suspended_with is not None:
        raise ActionRefused(
            _("The person whose application this is is disabled. It is resumed when they are enabled."),
            code="person_disabled",
        )
    subscription.move_to(Subscription.State.ACTIVE)
    before = {"reason": subscription.state_reason}
    subscription.state_reason = ""
    subscription.full_clean()
    subscription.save()
    title = _("Resumed: %(subscription)s") % {"subscription": subscription}
    tell_consumers(subscription, "subscription.resumed", title, actor=actor)
    record_event("subscription.resumed", subscription, actor=actor, before=before)
    return subscription


@transaction.atomic
def close_subscription(subscription: Subscription, *, actor: Actor, reason: str) -> Subscription:
    """End a subscription for good: keys revoked, blocks lifted, requests for another plan lapsed.

    For the application's team and for those who may suspend. A new one needs a new request and a new
    decision. Raises TransitionNotAllowed when closed, ValidationError without a reason.
    """
    lock_application(subscription.application_id)
    return close_locked(subscription, actor=actor, reason=reason)


def close_locked(subscription: Subscription, *, actor: Actor, reason: str) -> Subscription:
    """`close_subscription` for a caller that holds the application's lock."""
    why = _reason(reason)
    lapse_open_requests(subscription.access_requests.all(), _("The subscription was closed."))
    subscription = lock_subscription(subscription.pk)
    if not actor.may(Verb.SUBSCRIPTION_SUSPEND, subscription.api_version.api.team):
        actor.require(Verb.APPLICATION_EDIT, subscription.application.team)
    subscription.move_to(Subscription.State.CLOSED)
    revoke_keys_of(subscription, actor=actor, reason=_("The subscription was closed."))
    lift_open_blocks(subscription, actor=actor)
    subscription.state_reason, subscription.closed_at = why, timezone.now()
    subscription.suspended_with = None
    subscription.full_clean()
    subscription.save()
    title = _("Closed: %(subscription)s") % {"subscription": subscription}
    tell_consumers(subscription, "subscription.closed", title, actor=actor)
    record_event("subscription.closed", subscription, actor=actor, note=why)
    return subscription


def close_ended_subscriptions(*, now: datetime, most: int = 200) -> int:
    """Close up to `most` subscriptions whose last day (UTC) is over; the number closed."""
    ended = Subscription.objects.open().filter(ends_on__lt=now.date()).order_by("pk")
    return sum(_close_ended(subscription, now) for subscription in ended[:most])


@transaction.atomic
def _close_ended(subscription: Subscription, now: datetime) -> bool:
    lock_application(subscription.application_id)
    still = Subscription.objects.open().filter(pk=subscription.pk, ends_on__lt=now.date())
    if not still.exists():
        return False
    why = _("It ended on %(day)s.") % {"day": subscription.ends_on}
    close_locked(subscription, actor=SYSTEM, reason=why)
    return True


def _reason(reason: str) -> str:
    """The reason, stripped. Raises ValidationError when there is none or it is too long."""
    text = reason.strip()
    if not text:
        raise ValidationError({"reason": _("Give a reason: the application's team reads it.")})
    if len(text) > REASON_LENGTH:
        raise ValidationError(
            {"reason": _("Shorten the reason to %(most)s characters.") % {"most": REASON_LENGTH}}
        )
    return text
