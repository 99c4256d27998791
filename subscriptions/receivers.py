"""What subscribers are told when the end of what they call was announced or has come."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from apis.models import ApiVersion
from audit.models import AuditEvent
from audit.signals import event_recorded
from subscriptions.actions import tell_subscribers
from teams.models import SYSTEM

TITLES = {
    "version.deprecated": _("Deprecated: %(version)s is served until %(day)s"),
    "version.retired": _("Retired: %(version)s is not served any more"),
}


@receiver(event_recorded)
def tell_of_the_end(event: AuditEvent, **_kwargs: Any) -> None:
    """After the commit: the event itself is the record, this only spreads the word."""
    if event.name not in TITLES:
        return
    version = ApiVersion.objects.select_related("api__team").get(public_id=event.target_id)
    title = TITLES[event.name] % {"version": version, "day": version.sunset_on}
    tell_subscribers(version, event.name, title, event.note, actor=SYSTEM)
