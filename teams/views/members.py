"""Pages of who is in a team: inviting, accepting, roles, leaving; and its approver groups."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from teams import actions
from teams.access import OPEN, SIGNED_IN, HtmxHttpRequest, page
from teams.accounts import INVITATION
from teams.forms import ApproverGroupForm, InviteForm, RoleForm, grantable_roles, tried
from teams.invitations import opens
from teams.models import ApproverGroup, Invitation, Membership, Team, User, Verb
from teams.queries import colleagues_of, open_invitations_of
from teams.views.shared import confirm_page, form_page, managed_team


@page(Verb.TEAM_MANAGE, methods=("GET", "POST"))
def invite(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    team = managed_team(request, slug)
    roles = grantable_roles(request.actor, team)
    form = InviteForm(request.POST or None, roles=roles, initial={"role": "developer"})
    if request.method == "POST" and form.is_valid():
        sent = tried(form, actions.invite_member, team, actor=request.actor, **form.cleaned_data)
        if sent is not None:
            messages.success(request, _("Invitation to %(email)s is on its way.") % {"email": sent.email})
            return redirect("team-detail", team.slug)
    return form_page(request, form, _("Invite to %(team)s") % {"team": team}, _("Send invitation"), team=team)


@page(Verb.TEAM_MANAGE, methods=("GET", "POST"))
def invitation_revoke(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponse:
    team = managed_team(request, slug)
    invitation = get_object_or_404(team.invitations, public_id=public_id)
    if request.method == "POST":
        actions.revoke_invitation(invitation, actor=request.actor)
        return redirect("team-detail", team.slug)
    title = _("Withdraw the invitation to %(email)s?") % {"email": invitation.email}
    text = _("The link in the mail stops working. You can invite the address again.")
    return confirm_page(request, title, text, _("Withdraw invitation"), back=_home(team), team=team)


@page(OPEN, methods=("GET", "POST"))
def invitation(request: HtmxHttpRequest, public_id: str, secret: str) -> HttpResponse:
    """Where the link of an invitation leads. Signed out: to sign in or up first, then back here."""
    found = Invitation.objects.select_related("team", "invited_by").filter(public_id=public_id).first()
    if found is None or not opens(found, secret):
        raise Http404
    if not request.actor.is_signed_in:
        if found.is_open:
            request.session[INVITATION] = found.public_id
        return render(request, "teams/invitation.html", {"invitation": found, "next": request.path})
    if request.method == "POST":
        return _accept(request, found)
    return render(request, "teams/invitation.html", {"invitation": found})


@page(SIGNED_IN, methods=("POST",))
def invitation_accept(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Accept from the list of teams: the confirmed address stands in for the link's secret."""
    if request.actor.user is None:
        raise Http404
    return _accept(request, get_object_or_404(open_invitations_of(request.actor.user), public_id=public_id))


@page(Verb.TEAM_MANAGE, methods=("GET", "POST"))
def member_role(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponse:
    team, member = _member(request, slug, public_id)
    roles = grantable_roles(request.actor, team, instead_of=member.role)
    form = RoleForm(request.POST or None, roles=roles, initial={"role": member.role})
    if request.method == "POST" and form.is_valid():
        role = form.cleaned_data["role"]
        if tried(form, actions.change_role, member, actor=request.actor, role=role) is not None:
            return redirect("team-detail", team.slug)
    return form_page(request, form, _("Role of %(person)s") % {"person": member.user}, _("Save"), team=team)


@page(Verb.TEAM_VIEW, methods=("GET", "POST"))
def member_remove(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponse:
    """Remove a member (owners), or leave (oneself)."""
    team, member = _member(request, slug, public_id)
    leaves = member.user == request.actor.user
    if not leaves and not request.actor.may(Verb.TEAM_MANAGE, team):
        raise Http404
    if request.method == "POST":
        actions.remove_member(member, actor=request.actor)
        return redirect("teams" if leaves else _home(team))
    words = {"person": member.user, "team": team}
    title = _("Leave %(team)s?") if leaves else _("Remove %(person)s from %(team)s?")
    text = _(
        "It takes effect with the next request. Keys of the team's applications and tokens of its service "
        "accounts go on working: revoke those that this person knows."
    )
    submit = _("Leave team") if leaves else _("Remove member")
    return confirm_page(request, title % words, text, submit, back=_home(team), team=team)


@page(Verb.TEAM_MANAGE, methods=("GET", "POST"))
def approver_group_create(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    team = _team_of_groups(request, slug)
    form = ApproverGroupForm(request.POST or None, people=colleagues_of(request.actor))
    if (
        request.method == "POST"
        and form.is_valid()
        and tried(form, actions.create_approver_group, team, actor=request.actor, **form.cleaned_data)
        is not None
    ):
        return redirect("team-detail", team.slug)
    return form_page(request, form, _("New approver group"), _("Create group"), team=team)


@page(Verb.TEAM_MANAGE, methods=("GET", "POST"))
def approver_group_change(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponse:
    team = _team_of_groups(request, slug)
    group: ApproverGroup = get_object_or_404(team.approver_groups, public_id=public_id)
    known = User.objects.filter(pk__in=colleagues_of(request.actor).values("pk")) | group.people.all()
    initial = {"name": group.name, "people": group.people.all()}
    form = ApproverGroupForm(request.POST or None, people=known.distinct().order_by("email"), initial=initial)
    if (
        request.method == "POST"
        and form.is_valid()
        and tried(form, actions.change_approver_group, group, actor=request.actor, **form.cleaned_data)
        is not None
    ):
        return redirect("team-detail", team.slug)
    return form_page(request, form, group.name, _("Save"), team=team)


def _accept(request: HtmxHttpRequest, invitation: Invitation) -> HttpResponse:
    membership = actions.accept_invitation(invitation, actor=request.actor)
    messages.success(request, _("You are now in %(team)s.") % {"team": membership.team})
    return redirect("team-detail", membership.team.slug)


def _member(request: HtmxHttpRequest, slug: str, public_id: str) -> tuple[Team, Membership]:
    team = get_object_or_404(Team.objects.visible_to(request.actor), slug=slug)
    return team, get_object_or_404(team.memberships.select_related("user", "team"), public_id=public_id)


def _team_of_groups(request: HtmxHttpRequest, slug: str) -> Team:
    team = managed_team(request, slug)
    request.actor.require(Verb.REQUEST_DECIDE, team)
    return team


def _home(team: Team) -> str:
    return reverse("team-detail", args=[team.slug])
