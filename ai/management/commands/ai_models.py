"""`manage.py ai_models update`: models and prices of the installed catalogue, now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ai.actions import update_models
from teams.models import SYSTEM


class Command(BaseCommand):
    """Bring the models and prices of all providers up to the catalogue at hand. Safe to repeat."""

    help = (
        "Add new models, and a price valid from now where the catalogue's has changed. Prices entered in the portal "
        "and models changed by hand stay as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deed", choices=["update"])

    def handle(self, *args: Any, **options: Any) -> None:
        outcome = update_models(actor=SYSTEM)
        self.stdout.write(f"{outcome.models} new models, {outcome.prices} new prices")
