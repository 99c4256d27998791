"""Notices: in the inbox at once, by mail once, whatever the broker and the mail server do."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from teams import actions, tasks
from teams.actions.mail import MOST_ATTEMPTS, claim_notice, pause_after
from teams.invitations import opens, secret_of
from teams.models import Invitation, Notice, Team, User
from teams.queries import actor_of_user, unread_count
from tests import factories

pytestmark = pytest.mark.django_db


def tell(*people: User, **values: str) -> list[Notice]:
    return actions.notify(people, **{"name": "test.done", "title": "Done", "path": "/teams/", **values})


def test_each_active_person_is_told_once(alice: User, bob: User) -> None:
    gone = factories.make_user(is_active=False)
    assert len(tell(alice, bob, alice, gone)) == 2
    assert unread_count(alice) == unread_count(bob) == 1


def test_a_mail_goes_out_once_however_often_it_is_rung(alice: User, mailoutbox) -> None:
    notice = tell(alice)[0]
    assert [tasks.send_notice_mail(notice.pk) for _n in range(3)] == [True, False, False]
    assert len(mailoutbox) == 1
    assert mailoutbox[0].to == [alice.email]
    assert mailoutbox[0].subject == "Gatehouse: Done"


def test_an_attempt_belongs_to_one_worker(alice: User) -> None:
    notice = tell(alice)[0]
    assert claim_notice(notice.pk) is not None
    assert claim_notice(notice.pk) is None


def test_a_mail_server_that_is_away_is_tried_again_later_and_not_for_ever(
    alice: User, mailoutbox, settings
) -> None:
    good = settings.MAILERS
    notice = tell(alice)[0]
    options = {"host": "127.0.0.1", "port": 1}
    settings.MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}
    }
    assert tasks.send_notice_mail(notice.pk) is False
    notice.refresh_from_db()
    assert (notice.mail_attempts, notice.mailed_at) == (1, None)
    assert notice.mail_due_at > timezone.now() + timedelta(seconds=30)
    settings.MAILERS = good
    assert tasks.send_notice_mail(notice.pk) is False
    Notice.objects.update(mail_due_at=timezone.now())
    assert tasks.send_notice_mail(notice.pk) is True
    Notice.objects.update(mail_due_at=timezone.now(), mailed_at=None, mail_attempts=MOST_ATTEMPTS)
    assert tasks.send_notice_mail(notice.pk) is False


def test_pauses_grow_to_six_hours() -> None:
    pauses = [pause_after(attempts) for attempts in range(MOST_ATTEMPTS)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(minutes=1), timedelta(hours=6))


def test_who_wants_no_mails_gets_none(alice: User) -> None:
    actions.change_profile(actor=actor_of_user(alice), mail_notices=False)
    notice = tell(User.objects.get(pk=alice.pk))[0]
    assert tasks.send_notice_mail(notice.pk) is False
    assert unread_count(alice) == 1


@pytest.mark.django_db(transaction=True)
def test_the_broker_is_given_ids_and_no_words(alice: User, bob: User, shop: Team) -> None:
    redis = cache._cache.get_client()  # type: ignore[attr-defined]
    redis.delete("mail")
    tell(alice, title="Secret title")
    actions.invite_member(shop, actor=actor_of_user(alice), email="new@example.test")
    invitation = Invitation.objects.get()
    messages = [json.loads(message) for message in redis.lrange("mail", 0, -1)]
    redis.delete("mail")
    assert sorted(message["headers"]["task"] for message in messages) == [
        "teams.tasks.send_invitation_mail",
        "teams.tasks.send_notice_mail",
    ]
    assert "Secret title" not in str(messages)
    assert secret_of(invitation) not in str(messages)
    assert "new@example.test" not in str(messages)


@pytest.mark.django_db(transaction=True)
def test_the_sweep_rings_again_for_what_no_bell_announced(alice: User) -> None:
    redis = cache._cache.get_client()  # type: ignore[attr-defined]
    tell(alice)
    redis.delete("mail")
    assert tasks.mail_notices() == 1
    assert redis.llen("mail") == 1
    redis.delete("mail")
    tasks.send_notice_mail(Notice.objects.get().pk)
    assert tasks.mail_notices() == 0


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_fails_no_action(alice: User, settings) -> None:
    from celery import current_app

    working = current_app.conf.broker_url
    current_app.conf.broker_url = "redis://127.0.0.1:1/0"
    current_app.pool.force_close_all()
    current_app._pool = None
    try:
        tell(alice)
    finally:
        current_app.conf.broker_url = working
        current_app._pool = None
    assert unread_count(alice) == 1


def test_the_link_of_an_invitation_is_stored_nowhere_and_opens_only_its_own(
    shop: Team, alice: User, mailoutbox, client_of, dana: User
) -> None:
    first = actions.invite_member(shop, actor=actor_of_user(alice), email=dana.email)
    second = actions.invite_member(shop, actor=actor_of_user(alice), email="other@example.test")
    assert tasks.send_invitation_mail(first.pk)
    path = f"/invitations/{first.public_id}/{secret_of(first)}/"
    assert f"http://localhost:8000{path}" in mailoutbox[0].body
    row = Invitation.objects.filter(pk=first.pk).values().get()
    assert secret_of(first) not in str(row)
    assert opens(first, secret_of(first))
    assert not opens(first, secret_of(second))
    browser = client_of(dana)
    assert browser.get(f"/invitations/{first.public_id}/{secret_of(second)}/").status_code == 404
    assert browser.get(path).status_code == 200
    assert browser.post(path)["Location"] == f"/teams/{shop.slug}/"


def test_a_withdrawn_invitation_is_not_mailed(shop: Team, alice: User, mailoutbox) -> None:
    invitation = actions.invite_member(shop, actor=actor_of_user(alice), email="new@example.test")
    actions.revoke_invitation(invitation, actor=actor_of_user(alice))
    assert tasks.send_invitation_mail(invitation.pk) is False
    assert not mailoutbox


def test_the_inbox_shows_ones_own_notices_and_marks_them(client_of, alice: User, bob: User) -> None:
    notice, other = tell(alice, title="For Alice")[0], tell(bob, title="For Bob")[0]
    browser = client_of(alice)
    page = browser.get("/notices/").content.decode()
    assert "For Alice" in page
    assert "For Bob" not in page
    assert browser.post(f"/notices/{other.public_id}/open/").status_code == 404
    marked = browser.post(f"/notices/{notice.public_id}/open/", HTTP_HX_REQUEST="true")
    assert marked.status_code == 200
    assert "<html" not in marked.content.decode()
    assert unread_count(alice) == 0
    tell(alice)
    assert browser.post("/notices/read/").status_code == 302
    assert unread_count(alice) == 0
    assert browser.post(f"/notices/{notice.public_id}/open/")["Location"] == "/teams/"


def test_notices_over_rest_are_ones_own(api_of, alice: User, bob: User) -> None:
    notice = tell(alice)[0]
    assert api_of(bob).get(f"/api/v1/notices/{notice.public_id}").status_code == 404
    client = api_of(alice)
    assert client.get("/api/v1/notices").json()["results"][0]["read_at"] is None
    assert client.post(f"/api/v1/notices/{notice.public_id}/read").json()["read_at"] is not None
