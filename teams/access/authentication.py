"""Bearer tokens on the REST API. Cookies are not looked at here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from teams.models import ApiToken, User
from teams.queries import actor_of_token, find_token

USE_NOTED_EVERY = timedelta(minutes=1)
"""`last_used_at` is written at most this often, so that reading costs no write."""


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer ght...`; sets `request.actor` (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[User | None, ApiToken] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _space, value = header.partition(" ")
        token = find_token(value.strip()) if scheme.lower() == "bearer" and value.isascii() else None
        actor = actor_of_token(token) if token else None
        if token is None or actor is None or not actor.is_signed_in:
            raise AuthenticationFailed(
                _("This token is unknown, revoked or expired. Create a new one and repeat.")
            )
        note_use(token)
        request._request.actor = actor  # type: ignore[attr-defined]
        request.actor = actor  # type: ignore[attr-defined]
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Gatehouse"'


def note_use(token: ApiToken) -> None:
    """Keep when the token was last used, to the minute; a bare UPDATE, since it is no decision."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema names the token."""

    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A personal or service account token."}
