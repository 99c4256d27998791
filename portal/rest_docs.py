"""The reference of the REST API as a page, with a short-lived token to try it."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.actions import create_token
from teams.models import Scope

TRIAL = timedelta(hours=1)


@page(SIGNED_IN, methods=("GET", "POST"))
def rest_docs(request: HtmxHttpRequest) -> HttpResponse:
    """GET: the reference. POST: the same, with a token of one hour that may read, shown this once."""
    context: dict[str, object] = {}
    if request.method == "POST":
        token, value = create_token(
            actor=request.actor,
            name=_("Reference page"),
            scopes=[Scope.READ],
            expires_at=timezone.now() + TRIAL,
        )
        context = {"token": token, "value": value}
    return render(request, "portal/rest_docs.html", context)
