"""Puts the Actor on every request, and answers errors that actions raise with a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject

from audit.models import ActionRefused
from teams.models import Actor, User
from teams.queries import actor_of_user


class ActorMiddleware:
    """`request.actor` of the session's user, worked out on first use; the REST API sets its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = cast("User", request.user)
        request.actor = cast("Actor", SimpleLazyObject(lambda: actor_of_user(user)))  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_exception(self, request: Any, error: Exception) -> HttpResponse | None:
        """A refused action becomes a page (or, for htmx, a toast) that says why and what to do."""
        if not isinstance(error, ActionRefused):
            return None
        if request.htmx:
            return render(request, "errors/refused_toast.html", {"error": error}, status=error.status)
        return render(request, "errors/refused.html", {"error": error}, status=error.status)
