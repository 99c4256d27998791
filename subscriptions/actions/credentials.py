"""Keys: issued, revoked, expired. The value leaves `issue_credential` once and is kept sealed."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from audit.actions import record_event
from audit.models import ActionRefused
from subscriptions.actions.endings import (
    end_rotations_of,
    expire_key,
    facts_of_key,
    revoke_key,
    settle_rotation_of,
)
from subscriptions.actions.locks import lock_credential, lock_subscription
from subscriptions.keys import key_digest, make_key, seal_key, value_digest
from subscriptions.models import Credential, Subscription
from teams.models import SYSTEM, Actor, Verb

MOST_KEYS = 5
"""Active keys of one subscription at once. One that is rotating out is not counted, nor does a rotation add
any: where all places are taken, each key can still be replaced."""


@transaction.atomic
def issue_credential(
    subscription: Subscription,
    *,
    actor: Actor,
    name: str = "",
    expires_at: datetime | None = None,
    after: int | None = None,
) -> tuple[Credential, str]:
    """Issue a key; the credential and its value, which is shown once and never again.

    `after` is how many keys the subscription ever had when the caller decided: a form sent twice issues one
    key. For the application's team. Raises ActionRefused unless the subscription is active, has fewer than
    MOST_KEYS active keys and (with `after`) no newer key; ValidationError when `expires_at` is past.
    """
    subscription = lock_subscription(subscription.pk)
    actor.require(Verb.CREDENTIAL_MANAGE, subscription.application.team)
    require_active(subscription)
    _require_room(subscription)
    if after is not None and subscription.credentials.count() != after:
        raise ActionRefused(
            _(
                "A key was issued since this form was opened. Look at the keys, then ask for another if needed."
            ),
            code="issued_meanwhile",
        )
    return make_credential(subscription, actor=actor, name=name, expires_at=expires_at)


@sensitive_variables("made")
def make_credential(
    subscription: Subscription, *, actor: Actor, name: str, expires_at: datetime | None
) -> tuple[Credential, str]:
    """A new key of a subscription, whose lock the caller holds. Raises ValidationError for a past `expires_at`."""
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": _("Choose a time in the future, or none.")})
    made = make_key(subscription.environment.environment_class)
    credential = Credential(
        subscription=subscription,
        name=name.strip(),
        key_id=made.key_id,
        prefix=made.prefix,
        expires_at=expires_at,
        issued_by=actor.label[:200],
    )
    credential.digest, credential.digest_key = key_digest(made.value)
    credential.sealed = seal_key(made.value, credential.public_id)
    credential.value_digest = value_digest(made.value)
    credential.full_clean()
    credential.save()
    record_event("credential.issued", credential, actor=actor, after=facts_of_key(credential))
    return credential, made.value


@transaction.atomic
def revoke_credential(credential: Credential, *, actor: Actor, reason: str = "") -> Credential:
    """Take a key back for good. For the application's team. Raises TransitionNotAllowed when it ended already.

    This is the decision; a gateway refuses the key once its proof says removed. A rotation ends with it: the
    old key's is finished, the new key's aborted, and then the old one stays.
    """
    credential = lock_credential(credential.pk)
    actor.require(Verb.CREDENTIAL_MANAGE, credential.subscription.application.team)
    revoke_key(credential, actor=actor, reason=reason)
    settle_rotation_of(credential, actor=actor)
    return credential


def revoke_keys_of(subscription: Subscription, *, actor: Actor, reason: str) -> None:
    """Revoke every usable key of a subscription that ends. The caller holds its lock and has checked the right."""
    end_rotations_of(subscription, actor=actor)
    for key in subscription.credentials.usable().order_by("pk"):
        revoke_key(lock_credential(key.pk), actor=actor, reason=reason)


def expire_credentials(*, now: datetime, most: int = 500) -> int:
    """End up to `most` keys whose time is over, each in its own transaction; the number ended."""
    due = Credential.objects.usable().filter(expires_at__lte=now).order_by("expires_at")
    return sum(_expire(credential, now) for credential in due[:most])


@transaction.atomic
def _expire(credential: Credential, now: datetime) -> bool:
    credential = lock_credential(credential.pk)
    due = credential.expires_at is not None and credential.expires_at <= now
    if not due or not credential.may_move_to(Credential.State.EXPIRED):
        return False
    expire_key(credential)
    settle_rotation_of(credential, actor=SYSTEM)
    return True


def require_active(subscription: Subscription) -> None:
    """Raise ActionRefused unless keys may be issued."""
    if subscription.state != Subscription.State.ACTIVE:
        raise ActionRefused(
            _("The subscription is %(state)s: no key is issued until it is active.")
            % {"state": subscription.get_state_display().lower()},
            code="subscription_not_active",
        )


def _require_room(subscription: Subscription) -> None:
    """Raise ActionRefused unless there is room for another key."""
    if subscription.credentials.active().count() >= MOST_KEYS:
        raise ActionRefused(
            _("This subscription has %(most)s keys in use, the most at once. Revoke one first.")
            % {"most": MOST_KEYS},
            code="too_many_keys",
        )
