"""Pages of teams: which there are, one of them, making and changing one, the table of roles."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from teams import actions
from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.forms import TeamChangeForm, TeamForm, tried
from teams.models import Membership, Team, Verb
from teams.permissions import PLATFORM_TABLE, ROLE_ORDER, SCOPE_OF, TEAM_TABLE
from teams.queries import open_invitations_of
from teams.views.shared import form_page, managed_team

TEAMS_A_PAGE = 50
PLATFORM_ORDER = ("administrator", "approver", "auditor")


@page(SIGNED_IN)
def team_list(request: HtmxHttpRequest) -> HttpResponse:
    """The actor's teams first; every team for those who see all. Open invitations stand on top."""
    actor, words = request.actor, request.GET.get("q", "").strip()
    teams = (
        Team.objects.visible_to(actor)
        .annotate(size=Count("memberships", distinct=True))
        .order_by("name", "pk")
    )
    if words:
        teams = teams.filter(Q(name__icontains=words) | Q(slug__icontains=words))
    listed = Paginator(teams, TEAMS_A_PAGE).get_page(request.GET.get("page"))
    roles = {m.team_id: m for m in Membership.objects.filter(user=actor.user)}
    return render(
        request,
        "teams/team_list.html",
        {
            "rows": [(team, roles.get(team.pk)) for team in listed],
            "listed": listed,
            "words": words,
            "searchable": bool(words) or listed.paginator.count > 10,
            "invitations": open_invitations_of(actor.user) if actor.user else [],
        },
    )


@page(Verb.TEAM_VIEW)
def team_detail(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """Who is in a team, what it owns, and what waits."""
    actor = request.actor
    team = get_object_or_404(Team.objects.visible_to(actor), slug=slug)
    manages = actor.may(Verb.TEAM_MANAGE, team)
    return render(
        request,
        "teams/team_detail.html",
        {
            "team": team,
            "members": team.memberships.select_related("user").order_by("user__name", "user__email"),
            "invitations": team.invitations.filter(state="pending").select_related("invited_by")
            if manages
            else [],
            "accounts": team.service_accounts.annotate(tokens=_usable_tokens()).order_by(
                "disabled_at", "name"
            ),
            "groups": team.approver_groups.prefetch_related("people"),
            "manages": manages,
            "manages_groups": manages and actor.may(Verb.REQUEST_DECIDE, team),
            "manages_accounts": actor.may(Verb.SERVICE_ACCOUNT_MANAGE, team),
            "sees_trail": actor.may(Verb.AUDIT_VIEW, team),
            "own_role": actor.roles.get(team.pk, ""),
        },
    )


@page(SIGNED_IN, methods=("GET", "POST"))
def team_create(request: HtmxHttpRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        team = tried(form, actions.create_team, actor=request.actor, **form.cleaned_data)
        if team is not None:
            return redirect("team-detail", team.slug)
    return form_page(request, form, _("New team"), _("Create team"), back="teams")


@page(Verb.TEAM_MANAGE, methods=("GET", "POST"))
def team_change(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    team = managed_team(request, slug)
    initial = {"name": team.name, "description": team.description}
    form = TeamChangeForm(request.POST or None, initial=initial)
    if (
        request.method == "POST"
        and form.is_valid()
        and tried(form, actions.change_team, team, actor=request.actor, **form.cleaned_data) is not None
    ):
        return redirect("team-detail", team.slug)
    return form_page(request, form, _("Change team"), _("Save"), team=team)


@page(SIGNED_IN)
def role_table(request: HtmxHttpRequest) -> HttpResponse:
    """The table of permissions, printed from the code that enforces it."""
    team_roles, platform_roles = ROLE_ORDER[::-1], PLATFORM_ORDER
    rows = [
        (
            verb.value,
            SCOPE_OF[verb].value,
            [(role, role in TEAM_TABLE[verb]) for role in team_roles],
            [(role, role in PLATFORM_TABLE[verb]) for role in platform_roles],
        )
        for verb in Verb
    ]
    context = {"rows": rows, "team_roles": team_roles, "platform_roles": platform_roles}
    return render(request, "teams/role_table.html", context)


def _usable_tokens() -> Count:
    return Count("api_tokens", filter=Q(api_tokens__revoked_at=None), distinct=True)
