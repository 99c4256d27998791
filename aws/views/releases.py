"""Versions and aliases of a function: publish, point, weigh, roll back, keep warm, prune."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from aws import actions
from aws.function_forms import AliasForm, ProvisionedForm, PublishForm, ReservedForm
from aws.function_queries import shares_of
from aws.models import FunctionAlias, LambdaFunction
from aws.views.function_lookup import own_alias, own_function
from teams.access import HtmxHttpRequest, page
from teams.access.refusals import tried
from teams.models import Verb

INVALID = 422


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
def version_publish(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Freeze what is handed in as a version."""
    function = own_function(request, public_id)
    form = PublishForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        note = form.cleaned_data["note"]
        if tried(form, actions.publish_version, function, actor=request.actor, note=note) is not None:
            return redirect("aws-function", public_id)
    return _page(request, "version_publish", function, {"form": form})


@page(Verb.FUNCTION_EDIT, methods=("POST",))
def versions_prune(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Delete old versions that nothing stands for."""
    chosen = actions.prune_versions(own_function(request, public_id), actor=request.actor)
    words = ngettext("%(n)s version is being deleted.", "%(n)s versions are being deleted.", len(chosen))
    messages.success(request, words % {"n": len(chosen)})
    return redirect("aws-function", public_id)


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
def function_reserve(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """How many calls at once are kept for it."""
    function = own_function(request, public_id)
    initial = {"reserved": function.reserved}
    form = ReservedForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        done = tried(form, actions.set_reserved, function, actor=request.actor, **form.cleaned_data)
        if done is not None:
            return redirect("aws-function", public_id)
    return _page(request, "function_reserve", function, {"form": form})


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
def alias_create(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """A name for a version."""
    function = own_function(request, public_id)
    form = AliasForm(request.POST if request.method == "POST" else None, function=function)
    if form.is_valid() and _set(request, function, form, form.cleaned_data["name"]):
        return redirect("aws-function", public_id)
    return _page(request, "alias_form", function, {"form": form})


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
def alias_edit(request: HtmxHttpRequest, public_id: str, name: str) -> HttpResponseBase:
    """Point it elsewhere, or share its calls between two versions."""
    alias = own_alias(request, public_id, name)
    form = AliasForm(request.POST if request.method == "POST" else None, function=alias.function, alias=alias)
    if form.is_valid() and _set(request, alias.function, form, alias.name):
        return redirect("aws-function", public_id)
    return _alias_page(request, alias, {"form": form})


@page(Verb.FUNCTION_EDIT, methods=("POST",))
def alias_warm(request: HtmxHttpRequest, public_id: str, name: str) -> HttpResponseBase:
    """Keep environments of it warm."""
    alias = own_alias(request, public_id, name)
    form = ProvisionedForm(request.POST)
    if form.is_valid():
        done = tried(form, actions.set_provisioned, alias, actor=request.actor, **form.cleaned_data)
        if done is not None:
            return redirect("aws-function", public_id)
    return _alias_page(request, alias, {"warm_form": form})


@page(Verb.FUNCTION_EDIT, methods=("POST",))
def alias_roll_back(request: HtmxHttpRequest, public_id: str, name: str) -> HttpResponseBase:
    """Back to what it stood for."""
    alias = actions.roll_back_alias(own_alias(request, public_id, name), actor=request.actor)
    words = _("%(alias)s stands for %(version)s again.")
    messages.success(request, words % {"alias": alias, "version": alias.version})
    return redirect("aws-function", public_id)


@page(Verb.FUNCTION_EDIT, methods=("POST",))
def alias_remove(request: HtmxHttpRequest, public_id: str, name: str) -> HttpResponseBase:
    """Take it away."""
    alias = actions.remove_alias(own_alias(request, public_id, name), actor=request.actor)
    messages.success(request, _("%(alias)s is taken away.") % {"alias": alias})
    return redirect("aws-function", public_id)


def _set(request: HtmxHttpRequest, function: LambdaFunction, form: AliasForm, name: str) -> bool:
    data = form.cleaned_data
    given = {"version": data["version"], "second": data["second"], "weight": data["weight"]}
    return tried(form, actions.set_alias, function, actor=request.actor, name=name, **given) is not None


def _alias_page(request: HtmxHttpRequest, alias: FunctionAlias, context: dict[str, Any]) -> HttpResponseBase:
    found = FunctionAlias.objects.select_related("version", "second", "previous").get(pk=alias.pk)
    usual = {
        "form": AliasForm(function=alias.function, alias=found),
        "warm_form": ProvisionedForm(initial={"provisioned": found.provisioned}),
        "alias": found,
        "shares": shares_of(found),
    }
    return _page(request, "alias_form", alias.function, usual | context)


def _page(
    request: HtmxHttpRequest, name: str, function: LambdaFunction, context: dict[str, Any]
) -> HttpResponseBase:
    status = INVALID if request.method == "POST" else 200
    context = {"function": function, "account": function.account, **context}
    return render(request, f"aws/functions/{name}.html", context, status=status)
