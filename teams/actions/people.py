"""People: coming in, changing what is said of them, being locked out, being forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.models import ActionRefused
from teams.actions.teams import create_personal_team, person_of
from teams.models import (
    SYSTEM,
    Actor,
    ApiToken,
    IdempotentAnswer,
    Invitation,
    Membership,
    PlatformRole,
    Team,
    TeamRole,
    User,
    Verb,
    fold,
)
from teams.queries import actor_of_user

FORGOTTEN = "anonymised.invalid"  # RFC 2606: no mail ever arrives there


@transaction.atomic
def sign_up(user: User, *, way: str = "password") -> User:
    """Save a person who just came in, with a personal team; `way` says how ("password", "oidc").

    Called twice for one person (allauth's form and its social sign-up share a path) it does it once.
    """
    user.email = fold(user.email)
    user.full_clean(exclude=["password"])
    user.save()
    if Team.objects.filter(personal_of=user).exists():
        return user
    actor = actor_of_user(user)
    create_personal_team(user, actor=actor)
    record_event("user.signed_up", user, actor=actor, after={"way": way})
    return user


@transaction.atomic
def install_administrator(user: User) -> User:
    """Complete a person whom the operator made on the server, as sign-up would, and let them administer.

    The operator vouches for the address: the first administrator may come before any mail can be sent.
    """
    sign_up(user, way="command")
    EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
    if PlatformRole.ADMINISTRATOR in user.platform_roles:
        return user
    return change_platform_roles(user, actor=SYSTEM, roles=[*user.platform_roles, PlatformRole.ADMINISTRATOR])


@transaction.atomic
def change_profile(*, actor: Actor, name: str | None = None, mail_notices: bool | None = None) -> User:
    """Change one's own name or whether notices also go out by mail. None leaves as is."""
    user = User.objects.select_for_update().get(pk=person_of(actor).pk)
    before = _values(user)
    user.name = user.name if name is None else name.strip()
    user.mail_notices = user.mail_notices if mail_notices is None else mail_notices
    user.full_clean(exclude=["password"])
    user.save()
    record_event("user.changed", user, actor=actor, before=before, after=_values(user))
    return user


@transaction.atomic
def change_platform_roles(user: User, *, actor: Actor, roles: Iterable[str]) -> User:
    """Give or take platform roles. Nobody grants more than they hold, and nobody changes their own."""
    wanted = sorted(set(roles))
    if unknown := [role for role in wanted if role not in PlatformRole]:
        raise ValidationError(
            {"platform_roles": _("No such role: %(roles)s.") % {"roles": ", ".join(unknown)}}
        )
    user = User.objects.select_for_update().get(pk=user.pk)
    _check_may_change_roles(user, set(wanted) ^ set(user.platform_roles), actor)
    before = list(user.platform_roles)
    user.platform_roles = wanted
    user.save()
    forget_answers(user.public_id)
    record_event(
        "user.roles_changed",
        user,
        actor=actor,
        before={"platform_roles": before},
        after={"platform_roles": wanted},
    )
    return user


@transaction.atomic
def disable_user(user: User, *, actor: Actor, note: str = "") -> User:
    """Lock a person out at once: sessions end, tokens are revoked. Their memberships stay for their return."""
    _check_operates(actor)
    user = User.objects.select_for_update().get(pk=user.pk)
    if not user.is_active:
        raise ActionRefused(_("This person is disabled already."), code="disabled")
    user.is_active = False
    user.save()
    _end_every_access(user)
    record_event("user.disabled", user, actor=actor, note=note)
    return user


@transaction.atomic
def enable_user(user: User, *, actor: Actor, note: str = "") -> User:
    """Let a disabled person in again; the tokens stay revoked."""
    _check_operates(actor)
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.is_active or user.anonymised_at is not None:
        raise ActionRefused(_("Only a person who is disabled and not anonymised can be enabled."))
    user.is_active = True
    user.save()
    record_event("user.enabled", user, actor=actor, note=note)
    return user


@transaction.atomic
def anonymise_user(user: User, *, actor: Actor) -> User:
    """Take name and address out of a person's row for good. The row stays, since others refer to it.

    Oneself may, or a platform administrator. Raises ActionRefused while the person is the last owner of a
    team with other members. The audit trail keeps what it has recorded.
    """
    if actor.user != user:
        _check_operates(actor)
    elif actor.scopes is not None:
        raise PermissionDenied(_("Sign in to do this; a token cannot."))
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.anonymised_at is not None:
        raise ActionRefused(_("This person is anonymised already."))
    _check_leaves_no_team_ownerless(user)
    _end_every_access(user)
    _forget(user)
    record_event("user.anonymised", user, actor=actor)
    return user


def forget_answers(actor_id: str) -> None:
    """Drop the kept answers of an actor who lost a right: none of them may be shown again."""
    IdempotentAnswer.objects.filter(actor_id=actor_id).delete()


def _values(user: User) -> dict[str, object]:
    return {"name": user.name, "mail_notices": user.mail_notices}


def _check_operates(actor: Actor) -> None:
    if not actor.everywhere(Verb.TEAM_MANAGE):
        raise PermissionDenied(_("Only a platform administrator can do this."))


def _check_may_change_roles(user: User, changed: set[str], actor: Actor) -> None:
    _check_operates(actor)
    if actor.is_system:
        return
    if actor.user == user:
        raise PermissionDenied(_("Nobody changes their own platform roles. Ask another administrator."))
    if missing := sorted(changed - actor.platform_roles):
        raise PermissionDenied(
            _("Nobody grants more than they hold. Ask somebody who holds: %(roles)s.")
            % {"roles": ", ".join(missing)}
        )


def _check_leaves_no_team_ownerless(user: User) -> None:
    for membership in user.memberships.filter(role=TeamRole.OWNER).select_related("team"):
        others = Membership.objects.filter(team=membership.team).exclude(user=user)
        if others.exists() and not others.filter(role=TeamRole.OWNER, user__is_active=True).exists():
            raise ActionRefused(
                _("%(person)s is the last owner of %(team)s. Make another member owner first.")
                % {"person": user, "team": membership.team},
                code="last_owner",
            )


def _end_every_access(user: User) -> None:
    """Sessions and tokens. An inactive user is refused by each request anyhow; this makes it last."""
    keys = list(UserSession.objects.filter(user=user).values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(user=user).delete()
    for token in ApiToken.objects.filter(user=user, revoked_at=None):
        token.revoked_at = timezone.now()
        token.save()
    Invitation.objects.filter(invited_by=user, state=Invitation.State.PENDING).update(
        state=Invitation.State.REVOKED
    )
    forget_answers(user.public_id)


def _forget(user: User) -> None:
    for model in (EmailAddress, Authenticator, SocialAccount):
        model.objects.filter(user=user).delete()
    user.notices.all().delete()
    user.approver_groups.clear()
    user.memberships.all().delete()
    Team.objects.filter(personal_of=user).update(name=_("Former personal team"))
    user.email, user.name = f"{user.public_id}@{FORGOTTEN}", ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.platform_roles, user.anonymised_at = [], timezone.now()
    user.set_unusable_password()
    user.save()
