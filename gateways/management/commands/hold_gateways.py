"""`manage.py hold_gateways`: after a restore, before anything else is started."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateways.actions import hold_gateway
from gateways.actions.restored import RESTORED
from gateways.models import Gateway
from teams.models import SYSTEM


class Command(BaseCommand):
    """Hold gateways until an administrator has looked at each. Safe to repeat; needs no broker."""

    help = (
        "Push nothing to gateways but the end of access, until an administrator has seen on each one's page what "
        "the restored portal would change. Run it after a restore, before web, worker and beat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slugs", nargs="*", help="short names; all active gateways without any")
        parser.add_argument("--reason", default=RESTORED)

    def handle(self, *args: Any, slugs: list[str], reason: str, **options: Any) -> None:
        gateways = Gateway.objects.active().order_by("slug")
        if missing := sorted(set(slugs) - set(gateways.values_list("slug", flat=True))):
            raise CommandError(f"There is no active gateway {missing[0]!r}.")
        for gateway in gateways.filter(slug__in=slugs) if slugs else gateways:
            hold_gateway(gateway, reason=reason, actor=SYSTEM, wake=False)
            self.stdout.write(f"{gateway.slug} is held since {gateway.held_since:%Y-%m-%d %H:%M} UTC.")
