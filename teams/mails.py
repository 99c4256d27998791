"""What a mail says, as plain values; the templates in mail/teams say how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from teams.addresses import absolute
from teams.invitations import secret_of
from teams.models import Invitation, Notice


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. `subject` is one line; `template` names mail/teams/NAME.txt and .html."""

    to: str
    subject: str
    template: str
    context: Mapping[str, Any]


def mail_of_notice(notice: Notice) -> Mail:
    """The mail that tells what `notice` tells, with a link to where it leads."""
    return Mail(
        notice.user.email,
        one_line(notice.title),
        "notice",
        {
            "notice": notice,
            "url": absolute(notice.path or reverse("notices")),
            "settings_url": absolute(reverse("profile")),
        },
    )


def mail_of_invitation(invitation: Invitation) -> Mail:
    """The mail with the link that opens `invitation`."""
    path = reverse("invitation", args=[invitation.public_id, secret_of(invitation)])
    words = {"person": invitation.invited_by, "team": invitation.team}
    subject = _("%(person)s invites you to %(team)s") % words
    return Mail(
        invitation.email, one_line(subject), "invitation", {"invitation": invitation, "url": absolute(path)}
    )


def one_line(text: str) -> str:
    """`text` fit for a header: no line breaks or other control characters (T36)."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
