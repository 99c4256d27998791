"""What follows at once from events of other apps: subscribers are told, and disabled people's keys end.

A sweep finds what of the latter is lost here.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from apis.models import ApiVersion
from audit.models import AuditEvent
from audit.signals import event_recorded
from subscriptions.actions import follow_people, tell_subscribers
from teams.models import SYSTEM

FOLLOWED = frozenset({"user.disabled", "user.enabled", "user.anonymised"})
TITLES = {
    "version.deprecated": _("Deprecated: %(version)s is served until %(day)s"),
    "version.retired": _("Retired: %(version)s is not served any more"),
}


@receiver(event_recorded)
def follow_person(event: AuditEvent, **_kwargs: Any) -> None:
    """The keys of a disabled person end within the request that disabled them."""
    if event.name in FOLLOWED:
        follow_people()


@receiver(event_recorded)
def tell_of_the_end(event: AuditEvent, **_kwargs: Any) -> None:
    """The event itself is the record, this only spreads the word."""
    if event.name not in TITLES:
        return
    version = ApiVersion.objects.select_related("api__team").get(public_id=event.target_id)
    title = TITLES[event.name] % {"version": version, "day": version.sunset_on}
    tell_subscribers(version, event.name, title, event.note, actor=SYSTEM)
