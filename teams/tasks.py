"""Mails and housekeeping in the background. Arguments are ids; what is due is read from the row."""

from __future__ import annotations

import smtplib

import structlog
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone

from teams.actions.answers import forget_old_answers
from teams.actions.mail import MOST_ATTEMPTS, claim_invitation, claim_notice, mark_mailed
from teams.mails import Mail, mail_of_invitation, mail_of_notice
from teams.models import Invitation, Notice

log = structlog.get_logger(__name__)
MOST_PER_SWEEP = 200


@shared_task
def send_notice_mail(notice_id: int) -> bool:
    """Mail one notice, unless it is mailed, not due or somebody else is at it; whether it went out."""
    notice = claim_notice(notice_id)
    return notice is not None and _send(notice, mail_of_notice(notice))


@shared_task
def send_invitation_mail(invitation_id: int) -> bool:
    """Mail the link of one open invitation; whether it went out."""
    invitation = claim_invitation(invitation_id)
    return invitation is not None and _send(invitation, mail_of_invitation(invitation))


@shared_task
def mail_notices() -> int:
    """Ring again for every mail that is due, oldest first: heals lost messages and failed attempts."""
    now, rung = timezone.now(), 0
    for model, task in ((Notice, send_notice_mail), (Invitation, send_invitation_mail)):
        due = model.objects.waiting_for_mail().filter(mail_due_at__lte=now, mail_attempts__lt=MOST_ATTEMPTS)
        for pk in due.values_list("pk", flat=True)[:MOST_PER_SWEEP]:
            task.delay(pk)
            rung += 1
    return rung


@shared_task
def forget_what_is_old() -> int:
    """Drop kept answers past their day and sessions past their end; the number of answers."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return forget_old_answers()


def _send(row: Notice | Invitation, mail: Mail) -> bool:
    """Hand `mail` to the mail server. A failure is logged; the row says when the next attempt is due."""
    try:
        _message(mail).send()
    except (smtplib.SMTPException, OSError) as error:
        log.warning(
            "mail_not_sent", row=row.public_id, attempts=row.mail_attempts, error=type(error).__name__
        )
        return False
    mark_mailed(row)
    return True


def _message(mail: Mail) -> EmailMultiAlternatives:
    """Text and HTML of one mail. Django refuses header values with line breaks; `subject` has none."""
    context = {**mail.context, "subject": mail.subject, "portal_url": settings.PORTAL_URL}
    text = render_to_string(f"mail/teams/{mail.template}.txt", context)
    message = EmailMultiAlternatives(
        settings.ACCOUNT_EMAIL_SUBJECT_PREFIX + mail.subject,
        text,
        settings.DEFAULT_FROM_EMAIL,
        [mail.to],
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no out-of-office answers
    )
    message.attach_alternative(render_to_string(f"mail/teams/{mail.template}.html", context), "text/html")
    return message
