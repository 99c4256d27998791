"""Seed the demo of the embedded default, once."""

from __future__ import annotations

import json
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from portal.demo import PEOPLE, Seeded, seed
from portal.demo_ai import start_tests
from teams.models import User

PORTS = {
    "SAMPLE_ORDERS_PORT": "9201",
    "SAMPLE_WEATHER_PORT": "9202",
    "TOY_MODEL_PORT": "9203",
    "ECHO_MODEL_PORT": "9204",
}
"""As in embedded/ports.py, which the portal does not import."""


class Command(BaseCommand):
    help = "Seed the demo: two teams, three APIs, an application and waiting requests. Does nothing the second time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", help="address of the sample service for orders")
        parser.add_argument("--weather", help="address of the sample service for weather")
        parser.add_argument("--without-toy", action="store_true", help="the toy model does not run here")
        parser.add_argument("--start-tests", action="store_true", help="seed nothing, run the prompt's tests")
        parser.add_argument("--look", action="store_true", help="seed nothing, say who can sign in")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("GATEHOUSE_DEMO_PASSWORD", "")
        if not settings.EMBEDDED:
            raise CommandError(
                "The demo has known sign-ins. It is for `make run` (GATEHOUSE_EMBEDDED=1) only."
            )
        if len(password) < 12:
            raise CommandError("Set GATEHOUSE_DEMO_PASSWORD to 12 characters or more.")
        if options["start_tests"]:
            start_tests()
            return
        if options["look"] or User.objects.filter(email=PEOPLE[0].email).exists():
            self._show_sign_ins(password)
            return
        with transaction.atomic():
            upstreams = {"orders": _address(options, "orders"), "weather": _address(options, "weather")}
            models = ("echo",) if options["without_toy"] else ("toy", "echo")
            _keep(
                seed(password, upstreams, {name: _on_port(f"{name.upper()}_MODEL_PORT") for name in models})
            )
        self._show_sign_ins(password)

    def _show_sign_ins(self, password: str) -> None:
        """`make run` shows these lines below its table (embedded/report.py); it reads the mark at their end."""
        active = {user.email: user for user in User.objects.filter(is_active=True)}
        for person in PEOPLE:
            if user := active.get(person.email):
                mark = "" if user.check_password(password) else "  (another password)"
                self.stdout.write(f"{person.email:<20}  {person.part}{mark}")


def _address(options: dict[str, Any], name: str) -> str:
    """The address given, or that of the sample service on this machine."""
    return options[name] or _on_port(f"SAMPLE_{name.upper()}_PORT")


def _on_port(setting: str) -> str:
    """The address of what listens on this machine where `setting` says."""
    return f"http://127.0.0.1:{os.environ.get(setting) or PORTS[setting]}"


def _keep(seeded: Seeded) -> None:
    """Keep the tokens for the example and the key for the call that `make run` shows, readable by their owner alone."""
    kept = {"demo_tokens.json": json.dumps(seeded.tokens), "demo_prompt_key": seeded.key}
    for name, text in kept.items():
        path = settings.STATE_DIR / "secrets" / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
