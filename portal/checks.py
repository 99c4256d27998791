"""System checks: wrong, missing or default settings refuse to start, each with an id and a cure."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution

from portal import environment

GUESSABLE = (
    "change",
    "default",
    "secret",
    "password",
    "insecure",
    "example",
    "placeholder",
    "unset",
    "admin",
    "test",
)


@register()
def readable_settings(**_: Any) -> list[CheckMessage]:
    """Values that could not be read at all (E001-E003, E012)."""
    return [Error(wrong, hint=cure, id=code) for code, wrong, cure in environment.PROBLEMS]


@register()
def secrets_are_set(**_: Any) -> list[CheckMessage]:
    """SECRET_KEY and the master keys are there, long, and not a placeholder."""
    found: list[CheckMessage] = []
    key = settings.SECRET_KEY
    if key == "unset":
        found.append(
            Error("SECRET_KEY is not set.", hint="Set it to 50 random characters.", id="gatehouse.E010")
        )
    elif (
        len(key) < 32
        or len(set(key)) < 10
        or (len(key) < 50 and any(word in key.lower() for word in GUESSABLE))
    ):
        found.append(
            Error(
                "SECRET_KEY is short or a placeholder.",
                hint="Set it to 50 random characters.",
                id="gatehouse.E011",
            )
        )
    problems = {code for code, _wrong, _cure in environment.PROBLEMS}
    if not settings.MASTER_KEYS and "gatehouse.E012" not in problems:
        found.append(
            Error(
                "GATEHOUSE_MASTER_KEYS is not set.",
                hint='Set it to "1:" and 32 random bytes in base64; keep it apart from the database backup.',
                id="gatehouse.E013",
            )
        )
    if any(len(set(value)) < 8 for value in settings.MASTER_KEYS.values()):
        found.append(
            Error(
                "A master key is a placeholder.", hint="Use 32 random bytes in base64.", id="gatehouse.E014"
            )
        )
    return found


@register()
def production_shape(**_: Any) -> list[CheckMessage]:
    """What only the embedded default may do."""
    if settings.EMBEDDED:
        return []
    found: list[CheckMessage] = []
    if environment.text("GATEHOUSE_FAILPOINTS"):
        found.append(
            Error(
                "GATEHOUSE_FAILPOINTS is set, which is for tests.",
                hint="Unset GATEHOUSE_FAILPOINTS.",
                id="gatehouse.E023",
            )
        )
    if settings.DEBUG:
        found.append(Error("DEBUG is on.", hint="Unset DEBUG outside development.", id="gatehouse.E020"))
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Error("ALLOWED_HOSTS admits every host.", hint="Name the portal's hosts.", id="gatehouse.E021")
        )
    if not settings.HTTPS:
        found.append(
            Caution(
                "PORTAL_URL is not https.",
                hint="Serve the portal over TLS; cookies need it.",
                id="gatehouse.W022",
            )
        )
    return found
