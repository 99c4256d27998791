"""T36: hostile names neither break out of a mail nor run in a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest
from django.core import mail

from audit.actions import record_event
from audit.queries import csv_line
from teams import actions, tasks
from teams.models import Invitation, Notice, Team, User
from teams.queries import actor_of_user

pytestmark = pytest.mark.django_db

HOSTILE = [
    "Shop\r\nBcc: victim@example.test",
    "Shop\nContent-Type: text/html\n\n<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ 7|add:7 }}{% debug %}",
    '"><a href="https://evil.example">click</a>',
    "Shop\u2028X-Header: 1",
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://evil.example")']


def html_of(message: mail.EmailMultiAlternatives) -> str:
    return str(message.alternatives[0].content)


def check(message: mail.EmailMultiAlternatives, to: str) -> None:
    source = message.message()
    assert source.get_all("Bcc") is None
    assert source.get_all("X-Header") is None
    assert message.recipients() == [to]
    assert len(message.subject.splitlines()) == 1
    for raw in ("<script", "<img", 'href="https://evil.example"'):
        assert raw not in html_of(message)
    assert "1414" not in html_of(message)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_notice_with_a_hostile_text_is_only_text(alice: User, text: str, mailoutbox) -> None:
    notices = actions.notify([alice], name="test.done", title=text, body=text, path="/teams/")
    assert tasks.send_notice_mail(notices[0].pk)
    check(mailoutbox[0], alice.email)
    assert "http://localhost:8000/teams/" in mailoutbox[0].body


@pytest.mark.parametrize("text", HOSTILE)
def test_an_invitation_from_hostile_names_is_only_text(
    shop: Team, alice: User, text: str, mailoutbox
) -> None:
    Team.objects.filter(pk=shop.pk).update(name=text)
    User.objects.filter(pk=alice.pk).update(name=text)
    invitation = actions.invite_member(shop, actor=actor_of_user(alice), email="new@example.test")
    assert tasks.send_invitation_mail(invitation.pk)
    check(mailoutbox[0], "new@example.test")


@pytest.mark.parametrize(
    "path", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_a_notice_leads_nowhere_else(alice: User, path: str) -> None:
    with pytest.raises(ValueError, match="local path"):
        actions.notify([alice], name="x", title="x", path=path)
    assert not Notice.objects.exists()


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_of_the_export_is_no_formula(alice: User, shop: Team, text: str, client_of) -> None:
    assert csv_line([text]).strip('"').startswith("'")
    Team.objects.filter(pk=shop.pk).update(name=text)
    shop.refresh_from_db()
    record_event("team.changed", shop, actor=actor_of_user(alice), note=text)
    answer = client_of(alice).get("/audit/export.csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode(), newline="")))
    assert rows[0]["note"] == rows[0]["target_label"] == f"'{text}"
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]


@pytest.mark.parametrize(
    "email", ["a@example.test\nBcc: b@example.test", "a@example.test, b@example.test", "x"]
)
def test_what_is_no_single_address_is_not_invited(shop: Team, alice: User, email: str) -> None:
    with pytest.raises(Exception, match="valid email"):
        actions.invite_member(shop, actor=actor_of_user(alice), email=email)
    assert not Invitation.objects.exists()
