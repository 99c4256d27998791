"""`manage.py createsuperuser`: Django's command, by the way that everybody comes in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.db import transaction

from teams.actions import install_administrator
from teams.models import User


class Command(createsuperuser.Command):
    """Make a platform administrator, with personal team, confirmed address and events in the audit trail."""

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        for user in User.objects.filter(is_superuser=True, personal_team=None):
            install_administrator(user)
