"""Pages of tokens: one's own, and those of service accounts. A value is shown once, in the answer that made it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from teams import actions
from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.forms import ServiceAccountForm, TokenForm, grantable_roles, tried
from teams.models import ApiToken, ServiceAccount, Team, Verb
from teams.views.shared import confirm_page, form_page


@page(SIGNED_IN)
def token_list(request: HtmxHttpRequest) -> HttpResponse:
    tokens = ApiToken.objects.visible_to(request.actor).filter(user=request.actor.user)
    usable, ended = tokens.usable(), tokens.exclude(pk__in=tokens.usable().values("pk"))[:20]
    return render(request, "teams/token_list.html", {"usable": usable, "ended": ended})


@page(SIGNED_IN, methods=("GET", "POST"))
def token_create(request: HtmxHttpRequest) -> HttpResponse:
    form = TokenForm(request.POST or None)
    return _made(request, form) or form_page(
        request, form, _("New token"), _("Create token"), back="tokens", crumb=_("Tokens")
    )


@page(SIGNED_IN, methods=("GET", "POST"))
def token_revoke(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Ends an own token, or one of a service account that the actor manages."""
    tokens = ApiToken.objects.visible_to(request.actor).select_related("service_account__team")
    token = get_object_or_404(tokens, public_id=public_id)
    back = _account_url(token.service_account) if token.service_account else reverse("tokens")
    if request.method == "POST":
        actions.revoke_token(token, actor=request.actor)
        return redirect(back)
    text = _("Calls with it are refused from the next one on. This cannot be undone.")
    title = _("Revoke the token %(name)s?") % {"name": token.name}
    crumb = str(token.service_account or _("Tokens"))
    return confirm_page(request, title, text, _("Revoke token"), back=back, crumb=crumb)


@page(Verb.SERVICE_ACCOUNT_MANAGE, methods=("GET", "POST"))
def service_account_create(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    team = _team(request, slug)
    roles = _roles(request, team)
    form = ServiceAccountForm(request.POST or None, roles=roles, initial={"role": "developer"})
    if request.method == "POST" and form.is_valid():
        account = tried(form, actions.create_service_account, team, actor=request.actor, **form.cleaned_data)
        if account is not None:
            return redirect(_account_url(account))
    return form_page(request, form, _("New service account"), _("Create service account"), team=team)


@page(Verb.TEAM_VIEW)
def service_account_detail(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponse:
    """What a program of the team may do and which tokens it has."""
    accounts = ServiceAccount.objects.visible_to(request.actor).select_related("team")
    account = get_object_or_404(accounts, team__slug=slug, public_id=public_id)
    manages = request.actor.may(Verb.SERVICE_ACCOUNT_MANAGE, account.team)
    context = {"account": account, "team": account.team, "manages": manages}
    if manages:
        tokens = account.api_tokens.all()
        context |= {
            "usable": tokens.usable(),
            "ended": tokens.exclude(pk__in=tokens.usable().values("pk"))[:20],
        }
    return render(request, "teams/service_account_detail.html", context)


@page(Verb.SERVICE_ACCOUNT_MANAGE, methods=("GET", "POST"))
def service_account_change(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponse:
    team, account = _account(request, slug, public_id)
    initial = {"name": account.name, "role": account.role}
    form = ServiceAccountForm(request.POST or None, roles=_roles(request, team), initial=initial)
    if (
        request.method == "POST"
        and form.is_valid()
        and tried(form, actions.change_service_account, account, actor=request.actor, **form.cleaned_data)
        is not None
    ):
        return redirect(_account_url(account))
    return form_page(request, form, account.name, _("Save"), team=team)


@page(Verb.SERVICE_ACCOUNT_MANAGE, methods=("GET", "POST"))
def service_account_disable(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponse:
    team, account = _account(request, slug, public_id)
    if request.method == "POST":
        actions.disable_service_account(account, actor=request.actor)
        return redirect("team-detail", team.slug)
    title = _("Disable %(name)s for good?") % {"name": account.name}
    text = _("All its tokens are revoked at once. Its history stays; the account cannot be enabled again.")
    return confirm_page(request, title, text, _("Disable"), back=_account_url(account), team=team)


@page(Verb.SERVICE_ACCOUNT_MANAGE, methods=("GET", "POST"))
def service_account_token(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponse:
    team, account = _account(request, slug, public_id)
    form = TokenForm(request.POST or None)
    title = _("New token for %(name)s") % {"name": account.name}
    return _made(request, form, account) or form_page(request, form, title, _("Create token"), team=team)


def _made(
    request: HtmxHttpRequest, form: TokenForm, account: ServiceAccount | None = None
) -> HttpResponse | None:
    """The page that shows a new token's value, this once; None while the form is not right."""
    if request.method != "POST" or not form.is_valid():
        return None
    made = tried(
        form,
        actions.create_token,
        actor=request.actor,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        expires_at=form.expires_at(),
        service_account=account,
    )
    if made is None:
        return None
    token, value = made
    back = _account_url(account) if account else reverse("tokens")
    context = {
        "token": token,
        "value": value,
        "back": back,
        "account": account,
        "portal_url": settings.PORTAL_URL,
    }
    return render(request, "teams/token_new.html", context)  # the middleware says no-store


def _team(request: HtmxHttpRequest, slug: str) -> Team:
    team = get_object_or_404(Team.objects.visible_to(request.actor), slug=slug)
    request.actor.require(Verb.SERVICE_ACCOUNT_MANAGE, team)
    return team


def _account(request: HtmxHttpRequest, slug: str, public_id: str) -> tuple[Team, ServiceAccount]:
    team = _team(request, slug)
    return team, get_object_or_404(team.service_accounts.select_related("team"), public_id=public_id)


def _roles(request: HtmxHttpRequest, team: Team) -> list[tuple[str, object]]:
    return grantable_roles(request.actor, team)


def _account_url(account: ServiceAccount) -> str:
    return reverse("service-account-detail", args=[account.team.slug, account.public_id])
