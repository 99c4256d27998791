"""What the pages of this app share: finding a team one manages, and showing a form as a page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from teams.access import HtmxHttpRequest
from teams.models import Team


def managed_team(request: HtmxHttpRequest, slug: str) -> Team:
    """The team `slug`, if the actor may change it; else 404."""
    team: Team = get_object_or_404(Team.objects.manageable_by(request.actor), slug=slug)
    return team


def form_page(
    request: HtmxHttpRequest,
    form: forms.Form,
    title: str,
    submit: str,
    *,
    team: Team | None = None,
    back: str = "",
    **more: Any,
) -> HttpResponse:
    """A page with one form; 422 once it carries errors. `back` is where Cancel leads when there is no team."""
    url = reverse("team-detail", args=[team.slug]) if team else reverse(back)
    context = {"form": form, "title": title, "submit": submit, "team": team, "back": url, **more}
    return render(request, "teams/form.html", context, status=422 if form.errors else 200)


def confirm_page(
    request: HtmxHttpRequest,
    title: str,
    text: str,
    submit: str,
    *,
    back: str,
    team: Team | None = None,
    crumb: str = "",
) -> HttpResponse:
    """A page that asks once more; its form posts to the same address. `crumb` names `back` where there is no team."""
    context = {"title": title, "text": text, "submit": submit, "back": back, "team": team, "crumb": crumb}
    return render(request, "teams/confirm.html", context)
