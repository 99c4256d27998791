"""`manage.py register_gateway edge --name "Edge" --listener production:8080:https://api.example.com`."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from apis.models import Environment
from audit.models import ActionRefused
from gateways.actions import ListenerValues, change_gateway, create_gateway, set_token
from gateways.models import Gateway
from gateways.tokens import token_matches
from teams.models import SYSTEM

TOKEN_VARIABLE = "GATEHOUSE_AGENT_TOKEN"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    """Make a gateway, or make one that is there already look like this. Safe to repeat."""

    help = (
        "Register a gateway or change a registered one. Its agents' token is taken from --token-file, "
        f"{TOKEN_VARIABLE}_FILE or {TOKEN_VARIABLE}; a new gateway without one gets one, which is printed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="short name, for good")
        parser.add_argument("--name", help="name shown to people (default: the short name)")
        parser.add_argument("--kind", default=Gateway.Kind.ENVOY, choices=Gateway.Kind.values)
        parser.add_argument(
            "--listener",
            action="append",
            default=[],
            type=listener_argument,
            metavar="ENVIRONMENT:PORT:PUBLIC_URL",
            help="where an environment is served; once per environment",
        )
        parser.add_argument(
            "--option", action="append", default=[], type=option_argument, metavar="NAME=VALUE"
        )
        parser.add_argument("--token-file", type=Path)

    def handle(self, *args: Any, slug: str, kind: str, **options: Any) -> None:
        try:
            listeners = [_listener(*parts) for parts in options["listener"]]
            token = _token(options["token_file"])
            found = Gateway.objects.filter(slug=slug).first()
            if found is None:
                self._create(slug, kind, listeners, token, options)
            else:
                self._change(found, kind, listeners, token, options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except ActionRefused as error:
            raise CommandError(error.message) from None

    def _create(
        self, slug: str, kind: str, listeners: list[ListenerValues], token: str, options: dict[str, Any]
    ) -> None:
        _gateway, value = create_gateway(
            actor=SYSTEM,
            slug=slug,
            name=options["name"] or slug,
            kind=kind,
            listeners=listeners,
            options=dict(options["option"]),
            token=token,
        )
        self.stdout.write(f"Registered {slug}.")
        if not token:
            self.stdout.write(f"Token for its agents, shown this once: {value}")

    def _change(
        self,
        gateway: Gateway,
        kind: str,
        listeners: list[ListenerValues],
        token: str,
        options: dict[str, Any],
    ) -> None:
        if gateway.kind != kind:
            raise CommandError(f"{gateway.slug} is of kind {gateway.kind}. Register another short name.")
        change_gateway(
            gateway,
            actor=SYSTEM,
            name=options["name"],
            options=dict(options["option"]) if options["option"] else None,
            listeners=listeners or None,
        )
        if token and not token_matches(gateway, token):
            set_token(gateway, actor=SYSTEM, token=token)
        self.stdout.write(f"{gateway.slug} is registered.")


def listener_argument(text: str) -> tuple[str, int, str]:
    """`production:8080:https://api.example.com` in its parts."""
    environment, _colon, rest = text.partition(":")
    port, _colon, url = rest.partition(":")
    if not environment or not port.isdecimal() or not url:
        raise ArgumentTypeError(f"{text!r} is not ENVIRONMENT:PORT:PUBLIC_URL")
    return environment, int(port), url


def option_argument(text: str) -> tuple[str, str]:
    """`listen=127.0.0.1` in its parts."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _listener(environment: str, port: int, url: str) -> ListenerValues:
    found = Environment.objects.filter(slug=environment).first()
    if found is None:
        known = ", ".join(Environment.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no environment {environment!r}. There are: {known}.")
    return ListenerValues(found, port, url)


def _token(path: Path | None) -> str:
    """The token that an operator gave, empty when there is none."""
    file = path or (Path(name) if (name := os.environ.get(f"{TOKEN_VARIABLE}_FILE")) else None)
    if file is None:
        return os.environ.get(TOKEN_VARIABLE, "").strip()
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
