"""How keys end, and what becomes of a rotation that loses one of its two.

Whoever calls holds the lock of the subscription and has checked the right.
"""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from audit.actions import record_event
from subscriptions.actions.locks import lock_rotation
from subscriptions.actions.telling import tell_rotation_ended
from subscriptions.models import Credential, Rotation, Subscription
from teams.models import SYSTEM, Actor


def revoke_key(credential: Credential, *, actor: Actor, reason: str) -> None:
    """Take a key back for good. Raises TransitionNotAllowed when it ended already."""
    _end_key(credential, Credential.State.REVOKED, reason)
    record_event(
        "credential.revoked", credential, actor=actor, after=facts_of_key(credential), note=reason.strip()
    )


def expire_key(credential: Credential) -> None:
    """End a key whose time is over."""
    _end_key(credential, Credential.State.EXPIRED, "")
    record_event("credential.expired", credential, actor=SYSTEM, after=facts_of_key(credential))


def settle_rotation_of(credential: Credential, *, actor: Actor) -> None:
    """End the running rotation of a key that has just ended.

    Without the old key nothing is left to do: it is finished. Without the new one the old key stays, or the
    timed end would leave its programs with none: it is aborted.
    """
    found = Rotation.objects.running().filter(Q(old=credential) | Q(new=credential)).first()
    if found is None:
        return
    rotation = lock_rotation(found.pk)
    if rotation.old_id == credential.pk:
        end_rotation(rotation, Rotation.State.FINISHED, Rotation.Ending.OLD_KEY_ENDED, actor=actor)
    else:
        keep_old_key(rotation)
        end_rotation(rotation, Rotation.State.ABORTED, Rotation.Ending.NEW_KEY_ENDED, actor=actor)


def end_rotations_of(subscription: Subscription, *, actor: Actor) -> None:
    """End the running rotations of a subscription that closes; both keys are revoked with it."""
    for found in Rotation.objects.running().filter(old__subscription=subscription).order_by("pk"):
        rotation = lock_rotation(found.pk)
        end_rotation(rotation, Rotation.State.ABORTED, Rotation.Ending.SUBSCRIPTION_CLOSED, actor=actor)


def keep_old_key(rotation: Rotation) -> None:
    """The key that was rotating out is an ordinary one again."""
    rotation.old.move_to(Credential.State.ACTIVE)
    rotation.old.full_clean()
    rotation.old.save()


def end_rotation(
    rotation: Rotation, state: Rotation.State, ending: Rotation.Ending, *, actor: Actor
) -> Rotation:
    """Note how a rotation ended, and tell the team. Raises TransitionNotAllowed when it had ended already."""
    rotation.move_to(state)
    rotation.ended_at, rotation.ended_by, rotation.ending = timezone.now(), actor.label[:200], ending
    rotation.warn_at = None
    rotation.full_clean()
    rotation.save()
    if ending not in (Rotation.Ending.SUBSCRIPTION_CLOSED, Rotation.Ending.AT_ONCE):  # told with their cause
        tell_rotation_ended(rotation, actor=actor)
    record_event(f"rotation.{state}", rotation, actor=actor, after=facts_of_rotation(rotation))
    return rotation


def facts_of_key(credential: Credential) -> dict[str, str | None]:
    """What may be kept about a key in the audit trail."""
    expires = credential.expires_at.isoformat() if credential.expires_at else None
    return {
        "key_id": credential.key_id,
        "name": credential.name,
        "expires_at": expires,
        "subscription": credential.subscription.public_id,
    }


def facts_of_rotation(rotation: Rotation) -> dict[str, str]:
    """What is kept about a rotation in the audit trail."""
    return {
        "old": rotation.old.public_id,
        "new": rotation.new.public_id,
        "ends_at": rotation.ends_at.isoformat(),
        "ending": rotation.ending,
    }


def _end_key(credential: Credential, state: Credential.State, reason: str) -> None:
    credential.move_to(state)
    credential.ended_at, credential.end_reason = timezone.now(), reason.strip()[:400]
    credential.full_clean()
    credential.save()
