"""`manage.py verify`: does what is stored still prove what it claims, and do the gateways serve it?"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.verification import Result, exit_code, verify


class Command(BaseCommand):
    """Prints what was looked at and each finding. Changes nothing."""

    help = (
        "Check the audit chain, sealed secrets, foreign keys, and what every gateway really holds. Exits with the "
        "sum of 1 (audit trail), 2 (secrets), 4 (rows), 8 (a gateway differs), 16 (a gateway cannot be looked at)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor", default="", help="The head that an earlier run printed; kept elsewhere."
        )
        parser.add_argument("--no-gateways", action="store_true", help="Look at the database alone.")
        parser.add_argument("--json", action="store_true", help="One JSON object, for machines.")

    def handle(self, *args: Any, anchor: str, no_gateways: bool, **options: Any) -> None:
        results = list(verify(anchor=anchor, gateways=not no_gateways))
        code = exit_code(results)
        if options["json"]:
            self._print_json(results, code)
        else:
            for result in results:
                self._print(result)
        count = sum(len(result.findings) for result in results)
        if code:
            raise CommandError(f"{count} findings. Nothing was changed.", returncode=code)

    def _print_json(self, results: list[Result], code: int) -> None:
        checks = [
            {"name": r.name, "looked_at": r.looked_at, "findings": r.findings, "notes": r.notes, **r.facts}
            for r in results
        ]
        self.stdout.write(json.dumps({"sound": code == 0, "exit_code": code, "checks": checks}, indent=2))

    def _print(self, result: Result) -> None:
        self.stdout.write(f"{result.name}: {result.looked_at} looked at, {len(result.findings)} findings")
        if "head" in result.facts:
            self.stdout.write(f"{result.name}: {result.facts['unsealed']} not sealed yet")
            self.stdout.write(
                f"{result.name}: head {result.facts['head']} (keep it; give it as --anchor next time)"
            )
        for note in result.notes:
            self.stdout.write(f"{result.name}: note: {note}")
        for finding in result.findings:
            self.stderr.write(self.style.ERROR(f"{result.name}: {finding}"))
