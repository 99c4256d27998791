"""Telling people something: the row is the outbox, the mail follows it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from audit.models import ActionRefused
from teams.bell import ring
from teams.models import Actor, Notice, User

TITLE_LENGTH = 200
PATH_LENGTH = 300
MAIL_TASK = "teams.tasks.send_notice_mail"


@transaction.atomic
def notify(
    users: Iterable[User], *, name: str, title: object, body: object = "", path: str = ""
) -> list[Notice]:
    """Tell each active person among `users` once: in the inbox at once, by mail after commit.

    `name` is the event that caused it ("request.approved"); `path` is the local path that it leads to. A title
    is one line, since it becomes the subject of a mail. Call it inside the action, before `record_event`.
    """
    one_line = " ".join(str(title).split())[:TITLE_LENGTH]
    people = {user.pk: user for user in users if user.is_active}
    notices = Notice.objects.bulk_create(
        Notice(
            user=user,
            name=name,
            title=one_line,
            body=str(body),
            path=local_path(path),
            mail_wanted=user.mail_notices,
        )
        for user in people.values()
    )
    for notice in notices:
        if notice.mail_wanted:
            ring(MAIL_TASK, notice.pk)
    return notices


def local_path(path: str) -> str:
    """`path` if it stays on this site. Raises ValueError otherwise: a notice must not lead elsewhere."""
    if path and (
        not path.startswith("/") or path.startswith("//") or "\\" in path or len(path) > PATH_LENGTH
    ):
        raise ValueError(f"a notice leads to a local path, not to {path!r}")
    return path


@transaction.atomic
def mark_notices_read(*, actor: Actor, notices: Iterable[Notice] | None = None) -> int:
    """Mark the actor's own `notices` (all of them when None) as read; how many were unread until now."""
    if actor.user is None:
        raise ActionRefused("Only a person has notices.", code="not_a_person")
    unread = Notice.objects.filter(user=actor.user, read_at=None)
    if notices is not None:
        unread = unread.filter(pk__in=[notice.pk for notice in notices])
    return unread.update(read_at=timezone.now())
