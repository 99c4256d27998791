"""AWS accounts: the list, connecting one, one of them with its proof, its quotas and what waits, and its end."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from aws import actions, queries
from aws.client.errors import MustWait
from aws.client.regions import known_regions
from aws.forms import ChangeForm, ConnectForm, RetireForm
from aws.models import AwsAccount
from aws.policies.template import template_text
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.access.refusals import tried
from teams.models import Verb

INVALID = 422


@page(Verb.AWS_VIEW)
def account_list(request: HtmxHttpRequest) -> HttpResponseBase:
    """Every account that the reader sees, with its last proof."""
    visible = AwsAccount.objects.visible_to(request.actor)
    accounts = queries.with_teams_and_proof(visible.current().order_by("name", "pk"))
    context = {
        "rows": [_row(account, request) for account in accounts],
        "retired": visible.filter(state=AwsAccount.State.RETIRED).count(),
        "may_manage": request.actor.everywhere(Verb.AWS_MANAGE),
    }
    return render(request, "aws/account_list.html", context)


def _row(account: AwsAccount, request: HtmxHttpRequest) -> dict[str, Any]:
    teams = queries.shown_teams(account, request.actor)
    return {"account": account, "teams": teams, "proof": queries.last_proof(account)}


@page(Verb.AWS_VIEW)
def account_detail(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """One account; while it is looked at, the part with the proof keeps itself up to date."""
    account = find_account(request, slug)
    proof = queries.last_proof(account)
    context = {
        "account": account,
        "proof": proof,
        "moving": proof is not None and not proof.is_over,
        "quotas": queries.quota_rows(proof),
        "unproven": queries.unproven(account, proof),
        "teams": queries.shown_teams(account, request.actor),
        "rights": queries.rights_of(account),
        "may_manage": _may_manage(request, account),
    }
    template = "aws/account_detail.html" + ("#proof" if htmx_partial(request) else "")
    return render(request, template, context)


@page(Verb.AWS_VIEW)
def account_waits(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """What waits on which limit of AWS, and for how long yet."""
    account = find_account(request, slug)
    context: dict[str, Any] = {"account": account}
    try:
        context["waits"] = queries.waits_of(account, request.actor)
    except MustWait:
        context["unread"] = True
    template = "aws/account_waits.html" + ("#waits" if htmx_partial(request) else "")
    return render(request, template, context)


@page(Verb.AWS_VIEW)
def account_template(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """The CloudFormation template for what is switched on, as a file."""
    account = managed_account(request, slug)
    answer = HttpResponse(template_text(queries.wanted_by(account)), content_type="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="{account.prefix}-{account.slug}.json"'
    return answer


@page(Verb.AWS_MANAGE, methods=("GET", "POST"))
@sensitive_variables("external_id", "made")
def account_connect(request: HtmxHttpRequest) -> HttpResponseBase:
    """Connect an account; the external id is shown once, on the answer itself."""
    form = ConnectForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        made = tried(form, actions.connect_account, actor=request.actor, **form.arguments)
        if made is not None:
            account, external_id = made
            return _next_steps(request, account, external_id)
    context = {"form": form, "regions": known_regions()}
    return _form_page(request, "aws/account_form.html", context)


@page(Verb.AWS_VIEW, methods=("GET", "POST"))
def account_edit(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """Change name, Regions, features and teams."""
    account = managed_account(request, slug)
    form = ChangeForm(request.POST if request.method == "POST" else None, account=account)
    if form.is_valid():
        changed = tried(form, actions.change_account, account, actor=request.actor, **form.values)
        if changed is not None:
            messages.success(request, _said_of_change(account, changed))
            return redirect("aws-account", slug)
    context = {"form": form, "account": account, "regions": known_regions()}
    return _form_page(request, "aws/account_form.html", context)


def _said_of_change(before: AwsAccount, after: AwsAccount) -> str:
    same = (before.regions, before.features, before.role_arn) == (
        after.regions,
        after.features,
        after.role_arn,
    )
    if same:
        return _("Saved.")
    return _("Saved. Update the stack with the new template, then prove the account again.")


@page(Verb.AWS_VIEW, methods=("POST",))
def account_prove(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """Ask for a look at the account; its page follows it."""
    actions.ask_proof(managed_account(request, slug), actor=request.actor)
    return redirect("aws-account", slug)


@page(Verb.AWS_VIEW, methods=("GET", "POST"))
@sensitive_variables("external_id")
def account_external_id(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """Another external id, shown once."""
    account = managed_account(request, slug)
    if request.method == "POST":
        external_id = actions.renew_external_id(account, actor=request.actor)
        return _next_steps(request, account, external_id, renewed=True)
    return render(request, "aws/external_id_confirm.html", {"account": account})


@page(Verb.AWS_VIEW, methods=("GET", "POST"))
def account_retire(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """End a connection for good."""
    account = managed_account(request, slug)
    form = RetireForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        note = form.cleaned_data["note"]
        if tried(form, actions.retire_account, account, actor=request.actor, note=note) is not None:
            messages.success(request, _("%(account)s is retired.") % {"account": account})
            return redirect("aws-accounts")
    return _form_page(request, "aws/account_retire.html", {"form": form, "account": account})


def find_account(request: HtmxHttpRequest, slug: str) -> AwsAccount:
    """An account that the reader may see, with its teams and its last proof."""
    visible = AwsAccount.objects.visible_to(request.actor)
    return get_object_or_404(queries.with_teams_and_proof(visible), slug=slug)


def managed_account(request: HtmxHttpRequest, slug: str) -> AwsAccount:
    """An account that the actor may change; 404 for those who may not see it. Raises PermissionDenied."""
    account = find_account(request, slug)
    request.actor.require(Verb.AWS_MANAGE)
    return account


def _may_manage(request: HtmxHttpRequest, account: AwsAccount) -> bool:
    return request.actor.everywhere(Verb.AWS_MANAGE) and account.state != AwsAccount.State.RETIRED


@sensitive_variables("external_id")
def _next_steps(
    request: HtmxHttpRequest, account: AwsAccount, external_id: str, *, renewed: bool = False
) -> HttpResponseBase:
    context = {
        "account": account,
        "external_id": external_id,
        "renewed": renewed,
        "has_principal": bool(settings.AWS_PRINCIPAL),
    }
    answer = render(request, "aws/account_next.html", context, status=201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _form_page(request: HtmxHttpRequest, template: str, context: dict[str, Any]) -> HttpResponseBase:
    return render(request, template, context, status=INVALID if request.method == "POST" else 200)
