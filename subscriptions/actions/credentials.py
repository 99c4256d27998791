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
from subscriptions.actions.locks import lock_credential, lock_subscription
from subscriptions.keys import key_digest, make_key, seal_key, value_digest
from subscriptions.models import Credential, Subscription
from teams.models import SYSTEM, Actor, Verb

MOST_KEYS = 5
"""Usable keys of one subscription at once."""


@sensitive_variables("made")
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
    MOST_KEYS usable keys and (with `after`) no newer key; ValidationError when `expires_at` is past.
    """
    subscription = lock_subscription(subscription.pk)
    actor.require(Verb.CREDENTIAL_MANAGE, subscription.application.team)
    _require_room(subscription)
    if after is not None and subscription.credentials.count() != after:
        raise ActionRefused(
            _(
                "A key was issued since this form was opened. Look at the keys, then ask for another if needed."
            ),
            code="issued_meanwhile",
        )
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
    record_event("credential.issued", credential, actor=actor, after=_facts(credential))
    return credential, made.value


@transaction.atomic
def revoke_credential(credential: Credential, *, actor: Actor, reason: str = "") -> Credential:
    """Take a key back for good. For the application's team. Raises TransitionNotAllowed when it ended already.

    This is the decision; a gateway refuses the key once its proof says removed.
    """
    credential = lock_credential(credential.pk)
    actor.require(Verb.CREDENTIAL_MANAGE, credential.subscription.application.team)
    _end(credential, Credential.State.REVOKED, reason)
    record_event("credential.revoked", credential, actor=actor, after=_facts(credential), note=reason.strip())
    return credential


def revoke_keys_of(subscription: Subscription, *, actor: Actor, reason: str) -> None:
    """Revoke every usable key of a subscription that ends. The caller holds its lock and has checked the right."""
    for key in subscription.credentials.usable().order_by("pk"):
        credential = lock_credential(key.pk)
        if credential.may_move_to(Credential.State.REVOKED):
            _end(credential, Credential.State.REVOKED, reason)
            record_event("credential.revoked", credential, actor=actor, after=_facts(credential), note=reason)


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
    _end(credential, Credential.State.EXPIRED, "")
    record_event("credential.expired", credential, actor=SYSTEM, after=_facts(credential))
    return True


def _end(credential: Credential, state: Credential.State, reason: str) -> None:
    credential.move_to(state)
    credential.ended_at, credential.end_reason = timezone.now(), reason.strip()[:400]
    credential.full_clean()
    credential.save()


def _require_room(subscription: Subscription) -> None:
    """Raise ActionRefused unless another key may be issued."""
    if subscription.state != Subscription.State.ACTIVE:
        raise ActionRefused(
            _("The subscription is %(state)s: no key is issued until it is active.")
            % {"state": subscription.get_state_display().lower()},
            code="subscription_not_active",
        )
    if subscription.credentials.usable().count() >= MOST_KEYS:
        raise ActionRefused(
            _("This subscription has %(most)s keys in use, the most at once. Revoke one first.")
            % {"most": MOST_KEYS},
            code="too_many_keys",
        )


def _facts(credential: Credential) -> dict[str, str | None]:
    """What may be kept about a key in the audit trail."""
    expires = credential.expires_at.isoformat() if credential.expires_at else None
    return {
        "key_id": credential.key_id,
        "name": credential.name,
        "expires_at": expires,
        "subscription": credential.subscription.public_id,
    }
