"""`manage.py master_keys`: which master keys are needed, and `--seal-anew` to need the newest alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.sealing import SealBroken, current_key
from portal.master_keys import needs, seal_anew


class Command(BaseCommand):
    """Prints how many secrets need each key, never a secret."""

    help = (
        "Show how many stored secrets need each key of GATEHOUSE_MASTER_KEYS. With --seal-anew, seal with the newest "
        "one what an older one holds; the portal may run meanwhile, once all its processes know the newest."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seal-anew", action="store_true", help="Write; without it nothing is changed.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seal_anew"]:
            self._seal_anew()
        total: Counter[int] = Counter()
        for kind, counts in needs():
            total += counts
            for number, count in sorted(counts.items()):
                ends = f"; they end {kind.ends}" if kind.ends and number != current_key() else ""
                self.stdout.write(f"{kind.name}: {count} need master key {number}{ends}")
        self._advise(total)

    def _seal_anew(self) -> None:
        try:
            written = seal_anew()
        except SealBroken as error:
            raise CommandError(f"{error}. `manage.py verify` names every such row.") from error
        self.stdout.write(f"{written} secrets are now sealed with master key {current_key()}.")

    def _advise(self, total: Counter[int]) -> None:
        for number in sorted(settings.MASTER_KEYS):
            if number != current_key() and not total[number]:
                self.stdout.write(
                    f"Nothing needs master key {number} any more: take it out of GATEHOUSE_MASTER_KEYS."
                )
        for number in sorted(total.keys() - settings.MASTER_KEYS.keys()):
            self.stderr.write(self.style.ERROR(f"Master key {number} is needed and not configured."))
