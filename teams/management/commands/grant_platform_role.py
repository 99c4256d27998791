"""`manage.py grant_platform_role erin@example.com approver`: how the first of a role comes to it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from teams.actions import change_platform_roles
from teams.models import SYSTEM, PlatformRole, User, fold


class Command(BaseCommand):
    """Give or take a platform role, as the operator of this installation. Safe to repeat."""

    help = (
        "Give a person a platform role. In the portal nobody grants a role that they do not hold, so the first "
        "approver and the first auditor are made here. It is recorded in the audit trail."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="address of a person who has signed up")
        parser.add_argument("role", choices=PlatformRole.values)
        parser.add_argument("--take", action="store_true", help="take the role away instead")

    def handle(self, *args: Any, email: str, role: str, take: bool, **options: Any) -> None:
        person = User.objects.filter(email=fold(email), is_active=True).first()
        if person is None:
            raise CommandError(f"Nobody active has the address {email}. They sign up first.")
        held = set(person.platform_roles)
        wanted = held - {role} if take else held | {role}
        if wanted == held:
            self.stdout.write(f"Nothing to do: {person.email} {'has no' if take else 'has the'} role {role}.")
            return
        change_platform_roles(person, actor=SYSTEM, roles=wanted)
        self.stdout.write(f"{person.email} now has: {', '.join(sorted(wanted)) or 'no platform role'}.")
