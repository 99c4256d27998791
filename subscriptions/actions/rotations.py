"""Rotation: a new key at once, an overlap in which both work, and the end of the old one.

Both keys share the subscription's limits, whatever its plan becomes meanwhile: limits belong to the
subscription. A suspended subscription does not stop the clock: the old key ends in time. Ending a rotation
twice in the same way is answered like the first time and recorded once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from audit.actions import record_event
from audit.models import ActionRefused
from subscriptions.actions.credentials import make_credential, require_active
from subscriptions.actions.endings import end_rotation, facts_of_rotation, keep_old_key, revoke_key
from subscriptions.actions.locks import lock_credential, lock_rotation
from subscriptions.actions.telling import tell_rotation_near_end, tell_rotation_started
from subscriptions.models import MOST_OVERLAP, Credential, Rotation
from teams.models import SYSTEM, Actor, Verb

NO_OVERLAP = timedelta(0)


@sensitive_variables("value")
@transaction.atomic
def start_rotation(
    credential: Credential,
    *,
    actor: Actor,
    overlap: timedelta,
    name: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[Rotation, str]:
    """Issue the key that takes the place of `credential`; the rotation and the new key's value, shown once.

    Both work for `overlap`, at most MOST_OVERLAP and not beyond the old key's own expiry; without one the old
    key is revoked at once. The new key bears the old one's name unless `name` says otherwise. For the
    application's team. Raises ActionRefused unless the subscription is active and the key in use and in no
    other rotation; ValidationError for a wrong overlap, or a new key that would not outlive it.
    """
    old = lock_credential(credential.pk)
    actor.require(Verb.CREDENTIAL_MANAGE, old.subscription.application.team)
    require_active(old.subscription)
    _require_rotatable(old)
    ends_at = _end_of_overlap(old, overlap, expires_at)
    new, value = make_credential(
        old.subscription, actor=actor, name=old.name if name is None else name, expires_at=expires_at
    )
    old.move_to(Credential.State.ROTATING)
    old.full_clean()
    old.save()
    rotation = Rotation(old=old, new=new, started_by=actor.label[:200])
    rotation.end_at(ends_at)
    rotation.full_clean()
    rotation.save()
    tell_rotation_started(rotation, actor=actor)
    record_event("rotation.started", rotation, actor=actor, after=facts_of_rotation(rotation))
    if overlap == NO_OVERLAP:
        _finish(rotation, Rotation.Ending.AT_ONCE, actor=actor)
    return rotation, value


@transaction.atomic
def finish_rotation(rotation: Rotation, *, actor: Actor) -> Rotation:
    """Revoke the old key now. For the application's team. Raises TransitionNotAllowed when it was aborted."""
    rotation = lock_rotation(rotation.pk)
    actor.require(Verb.CREDENTIAL_MANAGE, rotation.subscription.application.team)
    if rotation.state == Rotation.State.FINISHED:
        return rotation
    return _finish(rotation, Rotation.Ending.BY_HAND, actor=actor)


@transaction.atomic
def abort_rotation(rotation: Rotation, *, actor: Actor) -> Rotation:
    """Revoke the new key and keep the old one. For the application's team. Raises TransitionNotAllowed when
    it was finished."""
    rotation = lock_rotation(rotation.pk)
    actor.require(Verb.CREDENTIAL_MANAGE, rotation.subscription.application.team)
    if rotation.state == Rotation.State.ABORTED:
        return rotation
    rotation.require_move_to(Rotation.State.ABORTED)
    revoke_key(rotation.new, actor=actor, reason=_("The rotation to it was aborted."))
    keep_old_key(rotation)
    return end_rotation(rotation, Rotation.State.ABORTED, Rotation.Ending.BY_HAND, actor=actor)


@transaction.atomic
def extend_rotation(rotation: Rotation, *, actor: Actor, ends_at: datetime) -> Rotation:
    """Let both keys work until `ends_at`. Said again it changes nothing. For the application's team.

    Raises ActionRefused when it has ended, or when its time was over and it only waits to be ended;
    ValidationError for an earlier end, or one beyond `Rotation.latest_end`.
    """
    rotation = lock_rotation(rotation.pk)
    actor.require(Verb.CREDENTIAL_MANAGE, rotation.subscription.application.team)
    if not rotation.is_running or rotation.ends_at <= timezone.now():
        raise ActionRefused(
            _("This rotation is over: the old key has ended. Start another one."), code="rotation_over"
        )
    if ends_at == rotation.ends_at:
        return rotation
    _require_later(rotation, ends_at)
    before = {"ends_at": rotation.ends_at.isoformat()}
    rotation.end_at(ends_at)
    rotation.full_clean()
    rotation.save()
    record_event("rotation.extended", rotation, actor=actor, before=before, after=facts_of_rotation(rotation))
    return rotation


def end_rotations(*, now: datetime, most: int = 500) -> int:
    """Finish up to `most` rotations whose overlap is over, each in its own transaction; the number finished."""
    due = Rotation.objects.due(now).order_by("ends_at")
    return sum(_finish_due(rotation, now) for rotation in due[:most])


@transaction.atomic
def _finish_due(rotation: Rotation, now: datetime) -> bool:
    rotation = lock_rotation(rotation.pk)
    if not rotation.is_running or rotation.ends_at > now:
        return False
    _finish(rotation, Rotation.Ending.ON_TIME, actor=SYSTEM)
    return True


@transaction.atomic
def warn_of_rotation(rotation: Rotation, *, used_at: datetime, now: datetime) -> bool:
    """Tell the team that the old key, last used at `used_at`, ends soon. Once; whether it did."""
    rotation = lock_rotation(rotation.pk)
    if not Rotation.objects.to_warn(now).filter(pk=rotation.pk).exists():
        return False
    rotation.warn_at = None
    rotation.save()
    tell_rotation_near_end(rotation, used_at)
    record_event("rotation.warned", rotation, actor=SYSTEM, after=facts_of_rotation(rotation))
    return True


def _finish(rotation: Rotation, ending: Rotation.Ending, *, actor: Actor) -> Rotation:
    rotation.require_move_to(Rotation.State.FINISHED)
    revoke_key(
        rotation.old, actor=actor, reason=_("Rotated: %(new)s took its place.") % {"new": rotation.new}
    )
    return end_rotation(rotation, Rotation.State.FINISHED, ending, actor=actor)


def _require_rotatable(old: Credential) -> None:
    """Raise ActionRefused unless `old` is in use and in no running rotation, on either side."""
    if old.state == Credential.State.ROTATING or Rotation.objects.running().filter(new=old).exists():
        raise ActionRefused(
            _("%(key)s is in a rotation already. Finish or abort that one first.") % {"key": old},
            code="rotation_running",
        )
    if not old.is_usable or (old.expires_at is not None and old.expires_at <= timezone.now()):
        raise ActionRefused(
            _("%(key)s has ended: there is nothing to rotate. Create a new key.") % {"key": old},
            code="key_ended",
        )


def _end_of_overlap(old: Credential, overlap: timedelta, expires_at: datetime | None) -> datetime:
    """When the old key ends. Raises ValidationError."""
    if not NO_OVERLAP <= overlap <= MOST_OVERLAP:
        raise ValidationError(
            {"overlap": _("Choose an overlap of at most %(days)s days.") % {"days": MOST_OVERLAP.days}}
        )
    ends_at = timezone.now() + overlap
    if old.expires_at is not None:
        ends_at = min(ends_at, old.expires_at)
    if expires_at is not None and timezone.now() < expires_at <= ends_at:
        raise ValidationError({"expires_at": _("The new key has to outlive the overlap.")})
    return ends_at


def _require_later(rotation: Rotation, ends_at: datetime) -> None:
    """Raise ValidationError unless the overlap may be extended to `ends_at`."""
    if ends_at < rotation.ends_at:
        raise ValidationError({"ends_at": _("That is before the present end. To end sooner, finish it now.")})
    if ends_at > rotation.latest_end:
        raise ValidationError(
            {
                "ends_at": _(
                    "The overlap ends by %(moment)s UTC at the latest: %(days)s days after the start, or when one"
                    " of the keys expires."
                )
                % {"moment": f"{rotation.latest_end:%Y-%m-%d %H:%M}", "days": MOST_OVERLAP.days}
            }
        )
