"""`manage.py verify`: does what is stored still prove what it claims?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.queries import VERIFICATIONS, verify_chain


class Command(BaseCommand):
    help = "Check the audit chain and what other apps can prove. Exits with 1 when something does not hold."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor", default="", help="The head that an earlier run printed; kept elsewhere."
        )

    def handle(self, *args: Any, anchor: str = "", **options: Any) -> None:
        report = verify_chain(anchor=anchor)
        findings = [f"audit chain: {finding}" for finding in report.findings]
        self.stdout.write(f"audit chain: {report.checked} sealed, {report.unsealed} not sealed yet")
        self.stdout.write(f"audit chain: head {report.head} (keep it; give it as --anchor next time)")
        for name, check in VERIFICATIONS.items():
            found = [f"{name}: {finding}" for finding in check()]
            findings += found
            self.stdout.write(f"{name}: {len(found)} findings")
        for finding in findings:
            self.stderr.write(self.style.ERROR(finding))
        if findings:
            raise CommandError(f"{len(findings)} findings. Nothing was changed.", returncode=1)
