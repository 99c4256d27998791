"""Keys of a person who was locked out: the subscriptions of their personal team rest until they are back.

Only where nobody else is in the team: an application with other people goes on without the one who left.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from audit.actions import record_event
from subscriptions.actions.locks import lock_subscription
from subscriptions.models import Subscription
from teams.models import SYSTEM, Membership, User

MOST = 200
"""In one run of the sweep; the next one takes the rest."""


def follow_people(*, most: int = MOST) -> int:
    """Suspend what belongs to disabled people alone, resume what was suspended for one who is back; how many.

    Finds what is due from the rows as they are, so that a lost or doubled run does no harm.
    """
    due = _to_suspend() | _to_resume()
    return sum(_follow(pk) for pk in due.order_by("pk").values_list("pk", flat=True)[:most])


@transaction.atomic
def _follow(pk: int) -> bool:
    subscription = lock_subscription(pk)
    if _to_suspend().filter(pk=pk).exists():
        _suspend(subscription)
        return True
    if _to_resume().filter(pk=pk).exists():
        _resume(subscription)
        return True
    return False


def _suspend(subscription: Subscription) -> None:
    subscription.move_to(Subscription.State.SUSPENDED)
    subscription.state_reason = _("The person whose application this is was disabled.")
    subscription.suspended_with = subscription.application.team.personal_of
    subscription.full_clean()
    subscription.save()
    record_event("subscription.suspended", subscription, actor=SYSTEM, note=subscription.state_reason)


def _resume(subscription: Subscription) -> None:
    before = {"reason": subscription.state_reason}
    subscription.move_to(Subscription.State.ACTIVE)
    subscription.state_reason, subscription.suspended_with = "", None
    subscription.full_clean()
    subscription.save()
    record_event("subscription.resumed", subscription, actor=SYSTEM, before=before)


def _to_suspend() -> QuerySet[Subscription]:
    """Active, of the personal team of somebody disabled, with nobody else active in it."""
    others = Membership.objects.filter(team=OuterRef("application__team"), user__is_active=True)
    alone = Q(application__team__personal_of__is_active=False) & ~Exists(others)
    return Subscription.objects.filter(alone, state=Subscription.State.ACTIVE)


def _to_resume() -> QuerySet[Subscription]:
    back = User.objects.filter(is_active=True)
    return Subscription.objects.filter(state=Subscription.State.SUSPENDED, suspended_with__in=back)
