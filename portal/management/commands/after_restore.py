"""`manage.py after_restore`: what a restore brings back that must not simply be believed."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandParser

from audit.actions import protect_trail
from gateways.actions import hold_gateway
from gateways.actions.restored import RESTORED
from gateways.models import Gateway
from teams.actions import revoke_token
from teams.models import SYSTEM, ApiToken


class Command(BaseCommand):
    """Run as the owner of the tables, before web, worker and beat start. Safe to repeat."""

    help = (
        "After a restore: protect the audit trail again, hold every gateway until an administrator has looked at "
        "what a push would change, and end all sessions. Run it as the owner of the tables."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--revoke-tokens",
            action="store_true",
            help="Revoke every REST token: those that were revoked after the backup work again.",
        )

    def handle(self, *args: Any, revoke_tokens: bool, **options: Any) -> None:
        protect_trail()
        self.stdout.write("The portal's own role may only add to the audit trail.")
        for gateway in Gateway.objects.active().order_by("slug"):
            hold_gateway(gateway, reason=RESTORED, actor=SYSTEM, wake=False)
            self.stdout.write(f"{gateway.slug} is held until somebody has looked at its page.")
        ended, _by_model = Session.objects.all().delete()
        self.stdout.write(f"{ended} sessions ended: everybody signs in again.")
        tokens = ApiToken.objects.usable()
        if not revoke_tokens:
            self.stdout.write(f"{tokens.count()} REST tokens work, also what was revoked after the backup.")
            return
        for token in tokens.select_related("user", "service_account").iterator():
            revoke_token(token, actor=SYSTEM, note="The database was restored from a backup.")
        self.stdout.write("Every REST token is revoked.")
