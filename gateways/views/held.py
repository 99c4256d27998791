"""A held gateway: what a push would bring back and take away, and the confirmation of exactly that."""

from __future__ import annotations

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from audit.models import ActionRefused
from gateways.actions import difference_of, release_gateway
from gateways.forms import ReleaseForm
from gateways.views.lookup import managed_gateway
from teams.access import HtmxHttpRequest, page
from teams.models import Verb

MOST_SHOWN = 200


@page(Verb.GATEWAY_VIEW, methods=("GET", "POST"))
def gateway_held(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """Show what differs; push again once an administrator confirms it."""
    gateway = managed_gateway(request, slug)
    if gateway.held_since is None:
        messages.info(request, _("%(gateway)s is not held.") % {"gateway": gateway})
        return redirect("gateway-detail", gateway.slug)
    form = ReleaseForm(request.POST or None)
    error = ""
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            deployment = release_gateway(
                gateway, actor=request.actor, seen=values["seen"], note=values["note"]
            )
            return redirect("deployment-detail", deployment.public_id)
        except ActionRefused as refused:
            error = refused.message
    context = {
        "gateway": gateway,
        "difference": difference_of(gateway),
        "form": form,
        "error": error,
        "most": MOST_SHOWN,
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "gateways/gateway_held.html", context, status=status)
