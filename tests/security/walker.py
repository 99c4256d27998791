"""Calls any route as anybody, with real ids and valid bodies, and takes back what a call changed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from rest_framework.test import APIClient

from tests.security.bodies import body_of
from tests.security.routes import Route
from tests.security.world import Role, World


class Walker:
    """Calls routes as anybody, and takes back whatever a call changed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sessions: dict[str, str] = {}
        for role in world.roles.values():
            if role.has_session:
                self.sign_in(role)

    def sign_in(self, role: Role) -> None:
        client = Client()
        client.force_login(role.user)
        self.sessions[role.name] = client.cookies[settings.SESSION_COOKIE_NAME].value

    def url(self, route: Route) -> str:
        return route.url(self.world.kwargs_of(route))

    def call(
        self,
        route: Route,
        role: Role,
        *,
        query: str = "",
        body: dict[str, Any] | None = None,
        htmx: bool = False,
        keep: bool = False,
    ) -> HttpResponse:
        """The answer to a call with real ids and a valid body; `keep` lets stand what it changed."""
        url = self.url(route) + (query or self._query(route))
        if body is None and route.is_write and route.is_ours and not route.path.startswith("agent/"):
            body = body_of(self.world, route)
        with transaction.atomic():
            answer = self._rest(route, role, url, body) if route.is_rest else self._page(
                route, role, url, body or {}, {"HX-Request": "true"} if htmx else {}
            )  # fmt: skip
            transaction.set_rollback(not keep)
        return answer

    def _query(self, route: Route) -> str:
        """What a route cannot do without."""
        return f"?api={self.world.api.public_id}" if route.path.startswith("api/v1/usage/") else ""

    def _page(
        self, route: Route, role: Role, url: str, body: dict[str, Any], headers: dict[str, str]
    ) -> HttpResponse:
        client = Client(raise_request_exception=False, headers=headers)
        if role.name in self.sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[role.name]
        return client.post(url, body) if route.is_write else client.get(url)  # type: ignore[return-value]

    @staticmethod
    def _rest(route: Route, role: Role, url: str, body: dict[str, Any] | None) -> HttpResponse:
        client = APIClient(raise_request_exception=False)
        if role.token:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {role.token}")
        return getattr(client, route.method.lower())(url, body, format="json")  # type: ignore[no-any-return]


def text_of(answer: HttpResponse) -> str:
    content = b"".join(answer) if answer.streaming else answer.content  # type: ignore[attr-defined]
    return content.decode(errors="replace")
