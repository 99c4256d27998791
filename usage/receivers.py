"""What usage does when something was decided elsewhere."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from audit.models import AuditEvent
from audit.signals import event_recorded
from subscriptions.models import Subscription
from usage.actions import reconsider_quotas


@receiver(event_recorded)
def weigh_quotas_anew(event: AuditEvent, **_: Any) -> None:
    """Another plan brings another quota: block or unblock at once."""
    if event.name == "subscription.plan_changed":
        reconsider_quotas(Subscription.objects.get(public_id=event.target_id))
