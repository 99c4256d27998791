"""Taking mails out of the outbox. Whoever moves `mail_due_at` on by a conditional UPDATE owns the attempt.

A crash between the mail server's answer and `mailed_at` sends a mail again at the next attempt: at least once,
and hardly ever twice.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from teams.models import Invitation, Notice

MOST_ATTEMPTS = 10
FIRST_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(hours=6)


def claim_notice(notice_id: int) -> Notice | None:
    """The notice, if its mail is due and nobody else is sending it; the attempt is now this caller's."""
    waiting = Notice.objects.waiting_for_mail().filter(
        pk=notice_id, mail_due_at__lte=timezone.now(), mail_attempts__lt=MOST_ATTEMPTS
    )
    attempts = waiting.values_list("mail_attempts", flat=True).first()
    if attempts is None:
        return None
    claimed = waiting.filter(mail_attempts=attempts).update(
        mail_attempts=F("mail_attempts") + 1, mail_due_at=timezone.now() + pause_after(attempts)
    )
    return Notice.objects.select_related("user").get(pk=notice_id) if claimed else None


def claim_invitation(invitation_id: int) -> Invitation | None:
    """Likewise for the mail of an open invitation."""
    waiting = Invitation.objects.waiting_for_mail().filter(
        pk=invitation_id, mail_due_at__lte=timezone.now(), mail_attempts__lt=MOST_ATTEMPTS
    )
    attempts = waiting.values_list("mail_attempts", flat=True).first()
    if attempts is None:
        return None
    claimed = waiting.filter(mail_attempts=attempts).update(
        mail_attempts=F("mail_attempts") + 1, mail_due_at=timezone.now() + pause_after(attempts)
    )
    return Invitation.objects.select_related("team", "invited_by").get(pk=invitation_id) if claimed else None


def mark_mailed(row: Notice | Invitation) -> None:
    """The mail server took it: no more attempts."""
    type(row)._default_manager.filter(pk=row.pk).update(mailed_at=timezone.now())


def pause_after(attempts: int) -> timedelta:
    """How long an attempt may take before the next: 1, 2, 4 ... minutes, six hours at most."""
    return min(FIRST_PAUSE * (1 << attempts), LONGEST_PAUSE)
