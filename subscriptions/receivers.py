"""What follows at once from events of other apps. A sweep finds what is lost here."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from audit.models import AuditEvent
from audit.signals import event_recorded
from subscriptions.actions import follow_people

FOLLOWED = frozenset({"user.disabled", "user.enabled", "user.anonymised"})


@receiver(event_recorded)
def follow_person(event: AuditEvent, **_kwargs: Any) -> None:
    """The keys of a disabled person end within the request that disabled them."""
    if event.name in FOLLOWED:
        follow_people()
