"""System checks: wrong, missing or default settings refuse to start, each with an id and a cure."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution

from portal import environment, tracing

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
    """Values that could not be read at all (E001-E009, E012), or are missing (E015, E016)."""
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


@register()
def numbers_are_guarded(**_: Any) -> list[CheckMessage]:
    """Who may read the metrics: a token that nobody guesses, or a port that nobody else reaches."""
    found: list[CheckMessage] = []
    token, listen = settings.METRICS_TOKEN, settings.WORKER_METRICS_LISTEN
    if token and (len(token) < 32 or len(set(token)) < 10):
        found.append(
            Error(
                "METRICS_TOKEN is short or a placeholder.",
                hint="Set it to 40 random characters, or unset it to hand out no metrics.",
                id="gatehouse.E030",
            )
        )
    host, _colon, port = listen.rpartition(":")
    if listen and not (host and port.isdecimal() and 0 < int(port) < 65_536):
        found.append(
            Error(
                "WORKER_METRICS_LISTEN is no address with a port.",
                hint="Write it like 127.0.0.1:9102.",
                id="gatehouse.E031",
            )
        )
    elif listen and not token and not _is_loopback(host):
        found.append(
            Error(
                "WORKER_METRICS_LISTEN lets other machines read the metrics.",
                hint="Set METRICS_TOKEN too, or listen on 127.0.0.1.",
                id="gatehouse.E032",
            )
        )
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@register()
def traces_can_be_sent(**_: Any) -> list[CheckMessage]:
    """Traces that are asked for and cannot be sent would be missed only when they are needed."""
    missing = tracing.missing_packages() if tracing.wanted() else []
    if not missing:
        return []
    return [
        Error(
            f"OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and {missing[0]} is not installed.",
            hint="Install requirements/tracing.txt, or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
            id="gatehouse.E040",
        )
    ]
