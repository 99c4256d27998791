"""Rotations: started with a new key shown once, followed, extended, finished, aborted."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from audit.models import ActionRefused
from subscriptions.actions import abort_rotation, extend_rotation, finish_rotation, start_rotation
from subscriptions.forms import ExtendForm, RotateForm, take_errors
from subscriptions.models import Credential, Rotation
from subscriptions.views.credentials import back_with, fresh_sign_in, shown_once
from teams.access import SIGNED_IN, HtmxHttpRequest, htmx_partial, page
from teams.models import Verb


@page(Verb.CREDENTIAL_MANAGE, methods=("GET", "POST"))
@fresh_sign_in
@sensitive_variables("value")
def rotation_start(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """The form for a key's replacement, and its one answer with the new value."""
    found = Credential.objects.visible_to(request.actor).select_related(
        "subscription__application__team", "subscription__api_version__api__team", "subscription__environment"
    )
    credential = get_object_or_404(found, public_id=public_id)
    request.actor.require(Verb.CREDENTIAL_MANAGE, credential.subscription.application.team)
    form = RotateForm(request.POST or None, initial={"name": credential.name})
    if request.method == "POST" and form.is_valid():
        try:
            rotation, value = start_rotation(
                credential,
                actor=request.actor,
                overlap=form.length,
                name=form.cleaned_data["name"],
                expires_at=form.expires_at,
            )
        except ValidationError as error:
            take_errors(form, error)
        except ActionRefused as refused:
            return back_with(request, credential.subscription, refused)
        else:
            return shown_once(request, rotation.new, value, rotation)
    context = {"credential": credential, "subscription": credential.subscription, "form": form}
    return render(request, "subscriptions/rotation_form.html", context, status=_status(form))


@page(SIGNED_IN)
def rotation_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """How a rotation stands: a page, and the part of the subscription's page that follows it."""
    rotation = _visible_rotation(request, public_id)
    if not htmx_partial(request):
        return redirect("subscription-detail", rotation.subscription.public_id)
    answer = render(request, "subscriptions/rotation_card.html#status", {"rotation": rotation})
    if not rotation.is_running:  # keys, history and buttons are others now
        answer["HX-Refresh"] = "true"
    return answer


@page(Verb.CREDENTIAL_MANAGE, methods=("GET", "POST"))
@fresh_sign_in
def rotation_finish(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Say what finishing now does, and do it."""
    done = _("Finished. Each gateway refuses the old key once it says removed below.")
    return _end(request, public_id, finish_rotation, "finish", done)


@page(Verb.CREDENTIAL_MANAGE, methods=("GET", "POST"))
@fresh_sign_in
def rotation_abort(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Say what aborting does, and do it."""
    done = _("Aborted. The old key stays; each gateway refuses the new one once it says removed below.")
    return _end(request, public_id, abort_rotation, "abort", done)


@page(Verb.CREDENTIAL_MANAGE, methods=("GET", "POST"))
@fresh_sign_in
def rotation_extend(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Ask how much longer both keys work, and let them."""
    rotation = _manageable_rotation(request, public_id)
    form = ExtendForm(request.POST) if request.method == "POST" else ExtendForm.for_rotation(rotation)
    if request.method == "POST" and form.is_valid():
        try:
            extend_rotation(rotation, actor=request.actor, ends_at=form.ends_at)
        except ValidationError as error:
            take_errors(form, error)
        except ActionRefused as refused:
            return back_with(request, rotation.subscription, refused)
        else:
            messages.success(request, _("Extended. Both keys work until the new end."))
            return redirect("subscription-detail", rotation.subscription.public_id)
    return _confirm(request, rotation, "extend", form)


def _end(
    request: HtmxHttpRequest, public_id: str, action: Callable[..., Rotation], deed: str, done: str
) -> HttpResponse:
    rotation = _manageable_rotation(request, public_id)
    if request.method == "POST":
        action(rotation, actor=request.actor)
        messages.success(request, done)
        return redirect("subscription-detail", rotation.subscription.public_id)
    return _confirm(request, rotation, deed)


def _confirm(
    request: HtmxHttpRequest, rotation: Rotation, deed: str, form: ExtendForm | None = None
) -> HttpResponse:
    context = {"rotation": rotation, "subscription": rotation.subscription, "deed": deed, "form": form}
    return render(request, "subscriptions/rotation_confirm.html", context, status=_status(form))


def _visible_rotation(request: HtmxHttpRequest, public_id: str) -> Rotation:
    """Raises Http404."""
    found = Rotation.objects.visible_to(request.actor).select_related(
        "new",
        "old__subscription__application__team",
        "old__subscription__api_version__api__team",
        "old__subscription__environment",
    )
    return get_object_or_404(found, public_id=public_id)


def _manageable_rotation(request: HtmxHttpRequest, public_id: str) -> Rotation:
    """Raises Http404, PermissionDenied."""
    rotation = _visible_rotation(request, public_id)
    request.actor.require(Verb.CREDENTIAL_MANAGE, rotation.subscription.application.team)
    return rotation


def _status(form: RotateForm | ExtendForm | None) -> int:
    return 422 if form is not None and form.errors else 200
