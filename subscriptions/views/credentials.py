"""Keys: issued and shown once, revoked."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from audit.models import ActionRefused
from subscriptions.actions import MOST_KEYS, issue_credential, revoke_credential
from subscriptions.forms import KeyForm, RevokeForm, take_errors
from subscriptions.models import Credential, Rotation, Subscription
from subscriptions.views.subscriptions import visible_subscription
from teams.access import HtmxHttpRequest, page
from teams.models import Verb


def _has_second_factor(request: HttpRequest) -> bool:
    return bool(request.user.is_authenticated and is_mfa_enabled(request.user))


type KeyView = Callable[[HtmxHttpRequest, str], HttpResponse]


def fresh_sign_in(view: KeyView) -> KeyView:
    """Who has a second factor shows it again before a key is made or taken back, then finds the form anew.

    allauth would keep the POST in the session and replay it past our middleware; so we only lead back.
    """
    guarded = reauthentication_required(view, allow_get=True, enabled=_has_second_factor)

    @wraps(view)
    def enter(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
        try:
            return cast("HttpResponse", guarded(request, public_id))
        except ReauthenticationRequired:
            methods = get_adapter().get_reauthentication_methods(request.user)
            return redirect(f"{methods[0]['url']}?{urlencode({'next': request.path})}")

    return enter


@page(Verb.CREDENTIAL_MANAGE, methods=("GET", "POST"))
@fresh_sign_in
@sensitive_variables("value")
def credential_issue(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """The form for a new key, and its one answer with the value. Asked for again, it is not shown again."""
    subscription = visible_subscription(request, public_id)
    request.actor.require(Verb.CREDENTIAL_MANAGE, subscription.application.team)
    form = KeyForm(request.POST) if request.method == "POST" else KeyForm.for_subscription(subscription)
    if request.method == "POST" and form.is_valid():
        try:
            credential, value = issue_credential(
                subscription,
                actor=request.actor,
                name=form.cleaned_data["name"],
                expires_at=form.expires_at,
                after=form.cleaned_data["after"],
            )
        except ValidationError as error:
            take_errors(form, error)
        except ActionRefused as refused:
            return back_with(request, subscription, refused)
        else:
            return shown_once(request, credential, value)
    context = {"subscription": subscription, "form": form, "most_keys": MOST_KEYS}
    return render(
        request, "subscriptions/credential_form.html", context, status=422 if form.is_bound else 200
    )


def back_with(request: HtmxHttpRequest, subscription: Subscription, refused: ActionRefused) -> HttpResponse:
    """Back to the keys, with the reason; a form sent twice ends here."""
    messages.warning(request, refused.message)
    return redirect("subscription-detail", subscription.public_id)


@sensitive_variables("value", "context")
def shown_once(
    request: HtmxHttpRequest, credential: Credential, value: str, rotation: Rotation | None = None
) -> HttpResponse:
    """The one answer with the value of a key; `rotation` made it, if any."""
    context: dict[str, Any] = {
        "rotation": rotation,
        "credential": credential,
        "subscription": credential.subscription,
        "value": value,
    }
    response = render(request, "subscriptions/credential_issued.html", context)
    response["Cache-Control"] = "no-store"
    return response


@page(Verb.CREDENTIAL_MANAGE, methods=("GET", "POST"))
@fresh_sign_in
def credential_revoke(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Say what revoking does, and do it."""
    found = Credential.objects.visible_to(request.actor).select_related(
        "subscription__application__team", "subscription__api_version__api__team", "subscription__environment"
    )
    credential = get_object_or_404(found, public_id=public_id)
    request.actor.require(Verb.CREDENTIAL_MANAGE, credential.subscription.application.team)
    form = RevokeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        revoke_credential(credential, actor=request.actor, reason=form.cleaned_data["reason"])
        messages.success(request, _("Revoked. Each gateway refuses the key once it says removed below."))
        return redirect("subscription-detail", credential.subscription.public_id)
    context = {"credential": credential, "subscription": credential.subscription, "form": form}
    return render(
        request, "subscriptions/credential_revoke.html", context, status=422 if form.errors else 200
    )
