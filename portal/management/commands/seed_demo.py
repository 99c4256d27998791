"""Seed the demo of the embedded default, once."""

from __future__ import annotations

import json
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from portal.demo import PEOPLE, seed
from teams.models import User


class Command(BaseCommand):
    help = "Seed the demo: two teams, two APIs, an application and a request that waits. Does nothing the second time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", help="address of the sample service for orders")
        parser.add_argument("--weather", help="address of the sample service for weather")
        parser.add_argument("--look", action="store_true", help="seed nothing, say who can sign in")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("GATEHOUSE_DEMO_PASSWORD", "")
        if not settings.EMBEDDED:
            raise CommandError(
                "The demo has known sign-ins. It is for `make run` (GATEHOUSE_EMBEDDED=1) only."
            )
        if len(password) < 12:
            raise CommandError("Set GATEHOUSE_DEMO_PASSWORD to 12 characters or more.")
        if options["look"] or User.objects.filter(email=PEOPLE[0].email).exists():
            self._show_sign_ins(password)
            return
        with transaction.atomic():
            tokens = seed(
                password, {"orders": _address(options, "orders"), "weather": _address(options, "weather")}
            )
            _keep(tokens)
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
    default = {"orders": "9201", "weather": "9202"}[name]
    port = os.environ.get(f"SAMPLE_{name.upper()}_PORT", default)
    return options[name] or f"http://127.0.0.1:{port}"


def _keep(tokens: dict[str, str]) -> None:
    """Keep the tokens for the example, readable by their owner alone."""
    path = settings.STATE_DIR / "secrets" / "demo_tokens.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(tokens), encoding="utf-8")
