"""Lambda functions: the list, a new one, one that is adopted, one of them with its pushes, its end."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from aws import actions
from aws import function_queries as queries
from aws.function_forms import (
    AdoptForm,
    CodeForm,
    ConfigurationForm,
    EndForm,
    FunctionForm,
    PublishForm,
    ReservedForm,
)
from aws.models import FunctionPush, LambdaFunction
from aws.views.function_lookup import find_function, own_function
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.access.refusals import tried
from teams.models import Verb

INVALID = 422
PAGE_SIZE = 50


@page(Verb.FUNCTION_VIEW)
def function_list(request: HtmxHttpRequest) -> HttpResponseBase:
    """The functions of the reader's teams."""
    found = queries.with_pushes(
        LambdaFunction.objects.visible_to(request.actor).current().order_by("name", "pk")
    )
    listed = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [
        {"function": one, "push": queries.last_push(one), "warned": queries.warnings_of(one)}
        for one in listed
    ]
    context = {"listed": listed, "rows": rows, "may_create": _may_create(request)}
    return render(request, "aws/functions/function_list.html", context)


def _may_create(request: HtmxHttpRequest) -> bool:
    teams = queries.editing_teams(request.actor)
    return teams.exists() and queries.usable_accounts(teams).exists()


@page(Verb.FUNCTION_VIEW)
def function_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """One function; while a push is under way, the part with it keeps itself up to date."""
    function = find_function(request, public_id)
    push = queries.last_push(function)
    context = {
        "function": function,
        "account": function.account,
        "push": push,
        "steps": steps_of(push),
        "moving": push is not None and not push.is_over,
        "pushes": function.pushes.order_by("-pk")[: queries.LAST_PUSHES],
        "versions": queries.shown_versions(function)[:PAGE_SIZE],
        "aliases": [(alias, queries.shares_of(alias)) for alias in queries.shown_aliases(function)],
        "warned": queries.warnings_of(function),
        "code": function.code,
        "may_edit": queries.may_edit(request.actor, function),
        "may_push": request.actor.may(Verb.FUNCTION_EDIT, function.team),
        "uses": actions.uses_of(function),
        "prunable": len(actions.prunable(function)),
        "publish_form": PublishForm(),
        "reserved_form": ReservedForm(initial={"reserved": function.reserved}),
    }
    template = "aws/functions/function_detail.html" + ("#live" if htmx_partial(request) else "")
    return render(request, template, context)


@page(Verb.FUNCTION_VIEW)
def function_push(request: HtmxHttpRequest, public_id: str, push: str) -> HttpResponseBase:
    """The journal of one push."""
    function = find_function(request, public_id)
    found = get_object_or_404(FunctionPush, function=function, public_id=push)
    is_last = queries.last_push(function) == found
    context = {
        "function": function,
        "account": function.account,
        "push": found,
        "steps": steps_of(found),
        "moving": not found.is_over,
        "may_push": is_last and request.actor.may(Verb.FUNCTION_EDIT, function.team),
    }
    template = "aws/functions/function_push.html" + ("#live" if htmx_partial(request) else "")
    return render(request, template, context)


def steps_of(push: FunctionPush | None) -> list[dict[str, Any]]:
    """As the component of steps shows them; `name` is put into words by the template."""
    rows = push.steps.order_by("position") if push is not None else ()
    return [{"step": step, "took": _took(step)} for step in rows]


def _took(step: Any) -> float | None:
    return (step.finished_at - step.started_at).total_seconds() if step.finished_at else None


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
@sensitive_post_parameters("environment")
def function_create(request: HtmxHttpRequest) -> HttpResponseBase:
    """A new function from a zip or a container image."""
    data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = FunctionForm(data, files, actor=request.actor)
    if form.is_valid():
        made = tried(form, actions.create_function, actor=request.actor, **form.arguments)
        if made is not None:
            return redirect("aws-function", made.public_id)
    return _page(request, "function_create", {"form": form})


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
def function_adopt(request: HtmxHttpRequest) -> HttpResponseBase:
    """Take over a function that is in an account already."""
    form = AdoptForm(request.POST if request.method == "POST" else None, actor=request.actor)
    if form.is_valid():
        made = tried(form, actions.adopt_function, actor=request.actor, **form.arguments)
        if made is not None:
            return redirect("aws-function", made.public_id)
    return _page(request, "function_adopt", {"form": form})


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
@sensitive_post_parameters("environment")
def function_edit(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Another configuration."""
    function = own_function(request, public_id)
    form = ConfigurationForm(request.POST if request.method == "POST" else None, function=function)
    if form.is_valid():
        given = {"name": form.cleaned_data["name"], "values": form.values}
        if tried(form, actions.change_function, function, actor=request.actor, **given) is not None:
            return redirect("aws-function", public_id)
    return _page(request, "function_edit", {"form": form, "function": function, "account": function.account})


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
def function_code(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Other code."""
    function = own_function(request, public_id)
    data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = CodeForm(data, files, function=function)
    if form.is_valid():
        done = tried(form, actions.upload_code, function, actor=request.actor, **form.arguments)
        if done is not None:
            return redirect("aws-function", public_id)
    return _page(request, "function_code", {"form": form, "function": function, "account": function.account})


@page(Verb.FUNCTION_EDIT, methods=("POST",))
def function_push_again(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Take up what failed, or look at AWS anew."""
    actions.push_again(own_function(request, public_id), actor=request.actor)
    return redirect("aws-function", public_id)


@page(Verb.FUNCTION_EDIT, methods=("GET", "POST"))
def function_delete(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Delete it in AWS; let an adopted one go."""
    function = own_function(request, public_id)
    form = EndForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        note = form.cleaned_data["note"]
        done = tried(form, actions.delete_function, function, actor=request.actor, note=note)
        if done is not None:
            words = (
                _("%(function)s is let go.") if function.is_adopted else _("%(function)s is being deleted.")
            )
            messages.success(request, words % {"function": function})
            return redirect("aws-functions")
    context = {
        "form": form,
        "function": function,
        "account": function.account,
        "uses": actions.uses_of(function),
    }
    return _page(request, "function_delete", context)


def _page(request: HtmxHttpRequest, name: str, context: dict[str, Any]) -> HttpResponseBase:
    status = INVALID if request.method == "POST" else 200
    return render(request, f"aws/functions/{name}.html", context, status=status)
