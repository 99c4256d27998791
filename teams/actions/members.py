"""Who is in a team: asking in, coming in, other roles, leaving. Nobody grants more than they hold.

A platform administrator manages every team: takes people out and lowers roles. Giving is another matter: they give
no more than their platform role lets them do themselves, which is what a viewer may. One exception: a team
that has lost its last active owner gets a new one, with an event of its own and a notice to everybody in it.

Each action locks the team first, so that two owners cannot leave in the same moment.
"""

from __future__ import annotations

from datetime import timedelta

from allauth.account.models import EmailAddress
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.models import ActionRefused
from teams.actions.notices import notify
from teams.actions.people import forget_answers
from teams.actions.teams import person_of
from teams.bell import ring
from teams.invitations import set_digest
from teams.models import Actor, Invitation, Membership, Team, TeamRole, Verb, fold
from teams.permissions import may_grant
from teams.queries import actor_of_user, people_of

INVITATION_LASTS = timedelta(days=14)
MOST_INVITATIONS = 200
"""Open invitations of one team."""
MAIL_TASK = "teams.tasks.send_invitation_mail"


@transaction.atomic
def invite_member(team: Team, *, actor: Actor, email: str, role: str = TeamRole.DEVELOPER) -> Invitation:
    """Ask the holder of `email` into the team; the link goes out by mail after commit.

    Raises ValidationError (no address, a member already, asked already), PermissionDenied (a role above the
    actor's own), ActionRefused (too many open invitations).
    """
    team = _lock(team)
    actor.require(Verb.TEAM_MANAGE, team)
    check_may_grant(team, role, actor)
    email = fold(email)
    _close_expired(team, email)
    _check_invitable(team, email)
    invitation = Invitation(
        team=team,
        email=email,
        role=role,
        invited_by=person_of(actor),
        expires_at=timezone.now() + INVITATION_LASTS,
    )
    set_digest(invitation)
    invitation.full_clean()
    invitation.save()
    ring(MAIL_TASK, invitation.pk)
    if rescues(team, role, actor):
        _tell_of_rescue(team, email, actor)
    record_event("invitation.sent", invitation, actor=actor, after={"email": email, "role": role})
    return invitation


@transaction.atomic
def accept_invitation(invitation: Invitation, *, actor: Actor) -> Membership:
    """Come into the team. The actor must hold the invited address, confirmed; the inviter must still be able
    to grant the role. Raises ActionRefused with what to do otherwise."""
    user = person_of(actor)
    if not actor.within_scope(Verb.TEAM_MANAGE):
        actor.require(Verb.TEAM_MANAGE)
    team = _lock(invitation.team)
    invitation = Invitation.objects.select_for_update(of=("self",)).get(pk=invitation.pk)
    _check_open(invitation)
    _check_addressee(invitation, actor)
    membership, made = Membership.objects.get_or_create(
        team=team, user=user, defaults={"role": invitation.role}
    )
    if not made:
        raise ActionRefused(_("You are in %(team)s already.") % {"team": team}, code="member_already")
    invitation.state, invitation.accepted_at = Invitation.State.ACCEPTED, timezone.now()
    invitation.save()
    notify(
        [invitation.invited_by],
        name="invitation.accepted",
        title=_("%(person)s is now in %(team)s") % {"person": user, "team": team},
        path=reverse("team-detail", args=[team.slug]),
    )
    record_event("invitation.accepted", invitation, actor=actor)
    record_event("membership.added", membership, actor=actor, after={"role": membership.role})
    return membership


@transaction.atomic
def revoke_invitation(invitation: Invitation, *, actor: Actor, note: str = "") -> Invitation:
    """Close an open invitation: its link stops working."""
    actor.require(Verb.TEAM_MANAGE, invitation.team_id)
    invitation = Invitation.objects.select_for_update(of=("self",)).get(pk=invitation.pk)
    if invitation.state != Invitation.State.PENDING:
        raise ActionRefused(_("This invitation is no longer open."), code="not_open")
    invitation.state = Invitation.State.REVOKED
    invitation.save()
    record_event("invitation.revoked", invitation, actor=actor, note=note)
    return invitation


@transaction.atomic
def change_role(membership: Membership, *, actor: Actor, role: str) -> Membership:
    """Give a member another role, felt by their next request. The last owner cannot step down."""
    team = _lock(membership.team)
    actor.require(Verb.TEAM_MANAGE, team)
    membership = Membership.objects.select_for_update(of=("self",)).get(pk=membership.pk)
    before = membership.role
    _check_may_take(team, before, actor)
    check_may_grant(team, role, actor, instead_of=before)
    if actor.user == membership.user and not may_grant(before, role):
        raise PermissionDenied(_("Nobody raises their own role. Ask another owner of the team."))
    if role != TeamRole.OWNER:
        _check_not_last_owner(membership)
    rescues_team = rescues(team, role, actor)
    membership.role = role
    membership.full_clean()
    membership.save()
    forget_answers(membership.user.public_id)
    _tell(membership, "membership.changed", _("You are now %(role)s in %(team)s"))
    if rescues_team:
        _tell_of_rescue(team, str(membership.user), actor)
    record_event("membership.changed", membership, actor=actor, before={"role": before}, after={"role": role})
    return membership


@transaction.atomic
def remove_member(membership: Membership, *, actor: Actor, note: str = "") -> None:
    """End a membership, felt by the person's next request: by an owner, or by the person leaving.

    The invitations they sent and their seats in the team's approver groups end with it.
    """
    team = _lock(membership.team)
    membership = Membership.objects.select_for_update(of=("self",)).get(pk=membership.pk)
    _check_may_remove(membership, actor)
    _check_not_last_owner(membership)
    user, role = membership.user, membership.role
    Invitation.objects.filter(team=team, invited_by=user, state=Invitation.State.PENDING).update(
        state=Invitation.State.REVOKED
    )
    for group in team.approver_groups.filter(people=user):
        group.people.remove(user)
    forget_answers(user.public_id)
    if actor.user != user:
        _tell(membership, "membership.removed", _("You are no longer in %(team)s (you were %(role)s)"))
    record_event("membership.removed", membership, actor=actor, before={"role": role}, note=note)
    membership.delete()


def _lock(team: Team) -> Team:
    return Team.objects.select_for_update().get(pk=team.pk)


def may_give(team: Team, role: str, actor: Actor, *, instead_of: str = "") -> bool:
    """Whether `actor` may give `role` in `team`: by the role held there, else as a platform administrator, who
    may also lower a role (`instead_of` is the present one): whoever loses rights is given none.
    """
    if actor.is_system or may_grant(actor.roles.get(team.pk), role):
        return True
    if not actor.everywhere(Verb.TEAM_MANAGE):
        return False
    return role == TeamRole.VIEWER or may_grant(instead_of, role) or rescues(team, role, actor)


def rescues(team: Team, role: str, actor: Actor) -> bool:
    """Whether giving `role` is a platform administrator's rescue of a team without an active owner."""
    if role != TeamRole.OWNER or actor.is_system or may_grant(actor.roles.get(team.pk), role):
        return False
    return actor.everywhere(Verb.TEAM_MANAGE) and not _active_owners(team).exists()


def check_may_grant(team: Team, role: str, actor: Actor, *, instead_of: str = "") -> None:
    """Raises ValidationError for what is no role, PermissionDenied unless `actor` may give `role` in `team`."""
    if role not in TeamRole:
        raise ValidationError(
            {"role": _("Choose one of: %(roles)s.") % {"roles": ", ".join(TeamRole.values)}}
        )
    if not may_give(team, role, actor, instead_of=instead_of):
        raise PermissionDenied(_("Nobody grants more than they hold. Ask an owner of the team."))


def check_holds(team: Team, role: str, actor: Actor) -> None:
    """Raises unless `actor` holds `role` or more in `team` by membership; a platform role does not do."""
    check_may_grant(team, role, actor)
    if not actor.is_system and not may_grant(actor.roles.get(team.pk), role):
        raise PermissionDenied(_("Nobody grants more than they hold. Ask an owner of the team."))


def _check_may_take(team: Team, role: str, actor: Actor) -> None:
    """Who takes `role` away holds it or more, or administers the platform."""
    if not actor.everywhere(Verb.TEAM_MANAGE) and not may_grant(actor.roles.get(team.pk), role):
        raise PermissionDenied(_("Nobody changes a role above their own. Ask an owner of the team."))


def _active_owners(team: Team) -> QuerySet[Membership]:
    return Membership.objects.filter(team=team, role=TeamRole.OWNER, user__is_active=True)


def _check_invitable(team: Team, email: str) -> None:
    if EmailAddress.objects.filter(email__iexact=email, verified=True, user__memberships__team=team).exists():
        raise ValidationError({"email": _("This person is in the team already.")})
    if team.invitations.filter(email__iexact=email, state=Invitation.State.PENDING).exists():
        raise ValidationError({"email": _("This address already has an open invitation to the team.")})
    if team.invitations.filter(state=Invitation.State.PENDING).count() >= MOST_INVITATIONS:
        raise ActionRefused(_("Too many open invitations. Withdraw some, then repeat."), code="too_many")


def _close_expired(team: Team, email: str) -> None:
    """An expired invitation must not stand in the way of a new one."""
    team.invitations.filter(
        email__iexact=email, state=Invitation.State.PENDING, expires_at__lte=timezone.now()
    ).update(state=Invitation.State.REVOKED)


def _check_open(invitation: Invitation) -> None:
    if not invitation.is_open:
        raise ActionRefused(
            _("This invitation is no longer open. Ask %(person)s for a new one.")
            % {"person": invitation.invited_by},
            code="not_open",
        )


def _check_addressee(invitation: Invitation, actor: Actor) -> None:
    """An invitation is for one address, and gives only what its sender could still give."""
    user, sender = person_of(actor), actor_of_user(invitation.invited_by)
    if not EmailAddress.objects.filter(user=user, email__iexact=invitation.email, verified=True).exists():
        raise ActionRefused(
            _("This invitation is for %(email)s. Sign in with that address, or add and confirm it first.")
            % {"email": invitation.email},
            code="other_address",
        )
    if invitation.invited_by == user:
        raise PermissionDenied(_("Nobody lets themselves into a team. Ask an owner of the team."))
    try:
        sender.require(Verb.TEAM_MANAGE, invitation.team_id)
        check_may_grant(invitation.team, invitation.role, sender)
    except PermissionDenied:
        raise ActionRefused(
            _("%(person)s can no longer grant this role. Ask an owner of the team for a new invitation.")
            % {"person": invitation.invited_by},
            code="sender_lost_right",
        ) from None


def _check_may_remove(membership: Membership, actor: Actor) -> None:
    leaves = actor.user is not None and actor.user == membership.user
    if leaves and actor.within_scope(Verb.TEAM_MANAGE):
        return
    actor.require(Verb.TEAM_MANAGE, membership.team_id)
    _check_may_take(membership.team, membership.role, actor)


def _check_not_last_owner(membership: Membership) -> None:
    if membership.role != TeamRole.OWNER:
        return
    if not _active_owners(membership.team).exclude(pk=membership.pk).exists():
        raise ActionRefused(
            _("%(person)s is the last owner of %(team)s. Make another member owner first.")
            % {"person": membership.user, "team": membership.team},
            code="last_owner",
        )


def _tell(membership: Membership, name: str, title: str) -> None:
    words = {"role": TeamRole(membership.role).label, "team": membership.team}
    notify([membership.user], name=name, title=title % words, path=reverse("teams"))


def _tell_of_rescue(team: Team, who: str, actor: Actor) -> None:
    """A rescue is never silent: everybody in the team hears of it, and it has an event of its own."""
    notify(
        people_of(team.pk),
        name="team.rescued",
        title=_("%(team)s had no owner left; %(actor)s, a platform administrator, names %(person)s")
        % {"team": team, "actor": actor.label, "person": who},
        path=reverse("team-detail", args=[team.slug]),
    )
    record_event("team.rescued", team, actor=actor, after={"owner": who})
