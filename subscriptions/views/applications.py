"""My applications: listed, registered, changed, archived."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from subscriptions.actions import archive_application, change_application, create_application
from subscriptions.forms import ApplicationForm, ReasonForm, take_errors, teams_of
from subscriptions.models import Application
from subscriptions.queries import with_context
from subscriptions.views.listing import paged
from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.models import Verb


@page(SIGNED_IN)
def application_list(request: HtmxHttpRequest) -> HttpResponse:
    """Applications of the actor's own teams; those who oversee the platform may look at all."""
    actor = request.actor
    oversees = actor.everywhere(Verb.APPLICATION_VIEW)
    found = Application.objects.visible_to(actor)
    everybody = oversees and request.GET.get("show") == "all"
    if not everybody:
        found = found.filter(team_id__in=actor.team_ids(Verb.APPLICATION_VIEW))
    counted = found.select_related("team").annotate(
        open_subscriptions=Count("subscriptions", filter=~Q(subscriptions__state="closed"), distinct=True),
        waiting=Count("access_requests", filter=Q(access_requests__state="pending"), distinct=True),
    )
    context = {
        "applications": paged(request, counted.order_by("state", "name", "pk")),
        "oversees": oversees,
        "everybody": everybody,
        "may_register": bool(teams_of(actor)),
    }
    return render(request, "subscriptions/application_list.html", context)


@page(Verb.APPLICATION_EDIT, methods=("GET", "POST"))
def application_create(request: HtmxHttpRequest) -> HttpResponse:
    """Register an application."""
    form = ApplicationForm(request.POST or None, actor=request.actor)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = create_application(
                form.team_chosen(), values["name"], actor=request.actor, description=values["description"]
            )
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("%(name)s is registered.") % {"name": made})
            return redirect("application-detail", made.public_id)
    return render(request, "subscriptions/application_form.html", {"form": form}, status=_status(form))


@page(SIGNED_IN)
def application_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """One application: what it may call, what it waits for."""
    application = _visible(request, public_id)
    shown = "all" if request.GET.get("show") == "all" else "open"
    subscriptions = application.subscriptions.select_related(
        "api_version__api__team", "environment", "plan_revision__plan"
    )
    if shown == "open":
        subscriptions = subscriptions.exclude(state="closed")
    may_edit = request.actor.may(Verb.APPLICATION_EDIT, application.team)
    context = {
        "application": application,
        "subscriptions": paged(request, subscriptions.order_by("-pk")),
        "shown": shown,
        "closed": application.subscriptions.filter(state="closed").count(),
        "requests": with_context(application.access_requests.all()).order_by("-pk")[:10],
        "may_edit": may_edit and application.state == Application.State.ACTIVE,
        "archive_form": ReasonForm(),
    }
    return render(request, "subscriptions/application_detail.html", context)


@page(Verb.APPLICATION_EDIT, methods=("GET", "POST"))
def application_change(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Change the name and what it does."""
    application = _visible(request, public_id)
    request.actor.require(Verb.APPLICATION_EDIT, application.team)
    initial = {"name": application.name, "description": application.description}
    form = ApplicationForm(request.POST or None, actor=request.actor, fixed_team=True, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            change_application(application, actor=request.actor, **form.cleaned_data)
        except ValidationError as error:
            take_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("application-detail", application.public_id)
    context = {"form": form, "application": application}
    return render(request, "subscriptions/application_form.html", context, status=_status(form))


@page(Verb.APPLICATION_EDIT, methods=("GET", "POST"))
def application_archive(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Archive: the page that says what ends, and the deed."""
    application = _visible(request, public_id)
    request.actor.require(Verb.APPLICATION_EDIT, application.team)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        archive_application(application, actor=request.actor, reason=form.cleaned_data["reason"])
        messages.success(request, _("%(name)s is archived and its keys are revoked.") % {"name": application})
        return redirect("application-detail", application.public_id)
    context = {"application": application, "form": form}
    return render(request, "subscriptions/application_archive.html", context, status=_status(form))


def _visible(request: HtmxHttpRequest, public_id: str) -> Application:
    found = Application.objects.visible_to(request.actor).select_related("team")
    return get_object_or_404(found, public_id=public_id)


def _status(form: ApplicationForm | ReasonForm) -> int:
    return 422 if form.errors else 200
