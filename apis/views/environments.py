"""Environments: everybody signed in sees them, administrators set them up."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from apis.actions import change_environment, create_environment
from apis.forms import EnvironmentForm, add_errors
from apis.models import Environment
from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.models import Verb

INVALID = 422


@page(SIGNED_IN)
def environment_list(request: HtmxHttpRequest) -> HttpResponseBase:
    """All environments, in order."""
    context = {
        "environments": Environment.objects.prefetch_related("publishers"),
        "may_manage": request.actor.everywhere(Verb.ENVIRONMENT_MANAGE),
    }
    return render(request, "apis/environment_list.html", context)


@page(Verb.ENVIRONMENT_MANAGE, methods=("GET", "POST"))
def environment_create(request: HtmxHttpRequest) -> HttpResponseBase:
    """A new environment."""
    form = EnvironmentForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            create_environment(actor=request.actor, **form.cleaned_data)
        except ValidationError as error:
            add_errors(form, error)
        else:
            return redirect("environment-list")
    return render(
        request, "apis/environment_form.html", {"form": form}, status=INVALID if form.is_bound else 200
    )


@page(Verb.ENVIRONMENT_MANAGE, methods=("GET", "POST"))
def environment_edit(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """Name, order, and who may publish there."""
    environment = get_object_or_404(Environment, slug=slug)
    form = EnvironmentForm(request.POST if request.method == "POST" else None, instance=environment)
    if request.method == "POST" and form.is_valid():
        try:
            change_environment(environment, actor=request.actor, **form.cleaned_data)
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("environment-list")
    context = {"form": form, "environment": environment}
    return render(request, "apis/environment_form.html", context, status=INVALID if form.is_bound else 200)
