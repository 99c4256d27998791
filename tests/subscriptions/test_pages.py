"""The pages of applications, requests, approvals, subscriptions and keys: who sees what, and what they do."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.urls import reverse

from audit.models import AuditEvent
from subscriptions.actions import (
    finish_rotation,
    issue_credential,
    request_plan_change,
    start_rotation,
    suspend_subscription,
)
from subscriptions.models import AccessRequest, Application, Credential, Subscription
from teams.models import TeamRole
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(world):
    return factories.make_subscription(world.application, world.gold)


@pytest.fixture
def credential(subscription):
    return factories.make_credential(subscription)[0]


@pytest.fixture
def rotation(subscription, dana, acting):
    old = factories.make_credential(subscription, name="server")[0]
    return start_rotation(old, actor=acting(dana), overlap=timedelta(days=1))[0]


def paths(world, waiting, subscription, credential, rotation):
    """Every page with a GET, by name."""
    return {
        "applications": reverse("applications"),
        "application-create": reverse("application-create"),
        "application-detail": reverse("application-detail", args=[world.application.public_id]),
        "application-change": reverse("application-change", args=[world.application.public_id]),
        "application-archive": reverse("application-archive", args=[world.application.public_id]),
        "request-access": reverse("request-access", args=["shop", "orders", 1]),
        "request-detail": reverse("request-detail", args=[waiting.public_id]),
        "approvals": reverse("approvals"),
        "approval-detail": reverse("approval-detail", args=[waiting.public_id]),
        "approval-reject": reverse("approval-reject", args=[waiting.public_id]),
        "subscribers": reverse("subscribers", args=["shop", "orders"]),
        "subscription-detail": reverse("subscription-detail", args=[subscription.public_id]),
        "subscription-plan": reverse("subscription-plan", args=[subscription.public_id]),
        "subscription-suspend": reverse("subscription-suspend", args=[subscription.public_id]),
        "subscription-close": reverse("subscription-close", args=[subscription.public_id]),
        "credential-issue": reverse("credential-issue", args=[subscription.public_id]),
        "credential-revoke": reverse("credential-revoke", args=[credential.public_id]),
        "rotation-start": reverse("rotation-start", args=[credential.public_id]),
        "rotation-finish": reverse("rotation-finish", args=[rotation.public_id]),
        "rotation-extend": reverse("rotation-extend", args=[rotation.public_id]),
        "rotation-abort": reverse("rotation-abort", args=[rotation.public_id]),
    }


OWN_LISTS = {"applications", "application-create", "approvals", "request-access"}
CONSUMER = {
    "application-detail",
    "application-change",
    "application-archive",
    "request-detail",
    "subscription-detail",
    "subscription-plan",
    "subscription-close",
    "credential-issue",
    "credential-revoke",
    "rotation-start",
    "rotation-finish",
    "rotation-extend",
    "rotation-abort",
}
API_SIDE = {
    "approval-detail",
    "approval-reject",
    "request-detail",
    "subscribers",
    "subscription-detail",
}
SEES = {
    "dana": OWN_LISTS | CONSUMER,
    "alice": OWN_LISTS | API_SIDE | {"subscription-suspend", "subscription-close"},
    "bob": OWN_LISTS | API_SIDE,
    "charlie": OWN_LISTS,
}


@pytest.fixture
def elsewhere(world, subscription):
    """A request that does not collide with the open subscription."""
    return lambda by: factories.make_request(world.application, world.gold, by=by, environment=world.sandbox)


@pytest.mark.parametrize("who", ["alice", "bob", "charlie", "dana"])
def test_every_page_opens_for_those_it_is_for_and_exists_for_nobody_else(
    request, world, dana, subscription, credential, rotation, elsewhere, client_of, who
):
    client = client_of(request.getfixturevalue(who))
    found = {
        name: client.get(path).status_code
        for name, path in paths(world, elsewhere(dana), subscription, credential, rotation).items()
    }
    opened = {name for name, status in found.items() if status == 200}
    assert opened == SEES[who]
    assert {status for name, status in found.items() if name not in SEES[who]} <= {403, 404}


def test_a_stranger_reads_404_and_the_signed_out_are_led_to_sign_in(
    world, dana, charlie, subscription, credential, rotation, elsewhere, client_of
):
    for name, path in paths(world, elsewhere(dana), subscription, credential, rotation).items():
        assert client_of(None).get(path).status_code == 302, name
        if name not in OWN_LISTS:
            assert client_of(charlie).get(path).status_code == 404, name


@pytest.mark.parametrize(
    "name",
    ["request-withdraw", "approval-approve", "approval-reject", "subscription-resume", "subscription-close"],
)
def test_no_deed_of_a_stranger_does_anything(charlie, dana, subscription, elsewhere, client_of, name):
    target = subscription if name.startswith("subscription") else elsewhere(dana)
    answer = client_of(charlie).post(
        reverse(name, args=[target.public_id]), {"reason": "Mine.", "note": "Mine."}
    )
    assert answer.status_code == 404
    before = target.state
    target.refresh_from_db()
    assert target.state == before


def test_registering_asking_and_following_the_request(world, dana, client_of):
    client = client_of(dana)
    asked = client.post(
        reverse("request-access", args=["shop", "orders", 1]),
        {
            "application": "new",
            "new_name": "Fleet map",
            "new_team": world.application.team.public_id,
            "environment": "production",
            "plan": "gold",
            "reason": "A map of all trucks.",
        },
    )
    request = AccessRequest.objects.get()
    assert asked.headers["Location"] == reverse("request-detail", args=[request.public_id])
    assert request.application.name == "Fleet map"
    page = client.get(asked.headers["Location"]).content.decode()
    assert "Shop decides" in page
    assert 'hx-trigger="every 5s"' in page
    client.post(reverse("request-withdraw", args=[request.public_id]))
    page = client.get(asked.headers["Location"]).content.decode()
    assert "every 5s" not in page
    assert "Ask again" in page


def test_an_automatic_plan_leads_straight_to_the_subscription(world, dana, client_of):
    answer = client_of(dana).post(
        reverse("request-access", args=["shop", "orders", 1]),
        {
            "application": world.application.public_id,
            "environment": "sandbox",
            "plan": "bronze",
            "reason": "Trying it out.",
        },
    )
    subscription = Subscription.objects.get()
    assert answer.headers["Location"] == reverse("subscription-detail", args=[subscription.public_id])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reason": ""}, "This field is required"),
        ({"plan": "platinum"}, "platinum"),
        ({"application": "new"}, "This field is required"),
        ({"application": "app_of_somebody_else"}, "valid choice"),
        ({"environment": "mars"}, "valid choice"),
    ],
)
def test_a_wrong_request_is_answered_with_the_form_and_saves_nothing(world, dana, client_of, change, words):
    values = {
        "application": world.application.public_id,
        "environment": "production",
        "plan": "gold",
        "reason": "Because.",
    }
    answer = client_of(dana).post(reverse("request-access", args=["shop", "orders", 1]), values | change)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not AccessRequest.objects.exists()
    assert Application.objects.count() == 1


def test_a_refusal_stands_on_the_form(world, waiting, dana, client_of):
    answer = client_of(dana).post(
        reverse("request-access", args=["shop", "orders", 1]),
        {
            "application": world.application.public_id,
            "environment": "production",
            "plan": "gold",
            "reason": "Because.",
        },
    )
    assert answer.status_code == 422
    assert "already waiting" in answer.content.decode()


def test_the_card_shows_what_the_decision_needs(world, waiting, alice, client_of):
    other = factories.make_application(world.application.team, "Fleet map")
    factories.make_subscription(other, world.gold)
    page = client_of(alice).get(reverse("approval-detail", args=[waiting.public_id])).content.decode()
    for words in (
        "Route planner asks for Orders v1 on Gold",
        "We plan delivery tours.",
        "200 /s",
        "200 calls/s to 1 subscription",
        "400 /s with this",
        "1 of 1",
    ):
        assert words in page, words


def test_a_decision_leads_on_to_the_next_one_that_waits(world, waiting, dana, alice, client_of):
    second = factories.make_request(world.application, world.gold, by=dana, environment=world.sandbox)
    client = client_of(alice)
    answer = client.post(reverse("approval-approve", args=[waiting.public_id]))
    assert answer.headers["Location"] == reverse("approval-detail", args=[second.public_id])
    answer = client.post(reverse("approval-reject", args=[second.public_id]), {"note": "Not in sandbox."})
    assert answer.headers["Location"] == reverse("approvals")
    assert "Nothing waits for you" in client.get(reverse("approvals")).content.decode()
    assert "Route planner asks" in client.get(reverse("approvals") + "?show=mine").content.decode()


def test_rejecting_without_a_reason_keeps_the_request(waiting, alice, client_of):
    answer = client_of(alice).post(reverse("approval-reject", args=[waiting.public_id]), {"note": " "})
    assert answer.status_code == 422
    assert "data-open" in answer.content.decode()
    waiting.refresh_from_db()
    assert waiting.is_waiting


def test_a_request_that_can_no_longer_be_granted_says_why_on_the_card(world, waiting, alice, client_of):
    plan = world.gold.plan
    plan.state = "deprecated"
    plan.save()
    answer = client_of(alice).post(reverse("approval-approve", args=[waiting.public_id]))
    assert answer.status_code == 409
    assert "no longer offered" in answer.content.decode()


def test_the_second_decider_learns_that_it_was_decided(waiting, alice, erin, client_of):
    client_of(alice).post(reverse("approval-approve", args=[waiting.public_id]))
    answer = client_of(erin).post(reverse("approval-approve", args=[waiting.public_id]))
    assert answer.status_code == 409
    assert Subscription.objects.count() == 1


def test_who_follows_but_may_not_decide_sees_no_buttons(waiting, bob, client_of):
    page = client_of(bob).get(reverse("approval-detail", args=[waiting.public_id])).content.decode()
    assert "You can follow this request" in page
    assert reverse("approval-approve", args=[waiting.public_id]) not in page
    assert client_of(bob).post(reverse("approval-approve", args=[waiting.public_id])).status_code == 403


def test_t06_a_key_is_shown_once_on_the_answer_that_makes_it(subscription, dana, client_of):
    client, path = client_of(dana), reverse("credential-issue", args=[subscription.public_id])
    answer = client.post(path, {"name": "laptop", "after": "0"})
    page = answer.content.decode()
    value = re.search(r"ghp[0-9A-Za-z]{65}", page)
    assert value is not None
    assert page.count(value[0]) == 1
    assert answer.headers["Cache-Control"] == "no-store"
    again = client.post(path, {"name": "laptop", "after": "0"})
    assert again.status_code == 302
    assert Credential.objects.count() == 1
    for other in (path, reverse("subscription-detail", args=[subscription.public_id])):
        assert value[0][19:] not in client.get(other).content.decode()


def test_who_has_a_second_factor_shows_it_before_a_key_is_made(subscription, dana, client_of):
    Authenticator.objects.create(user=dana, type=Authenticator.Type.TOTP, data={"secret": "x"})
    path = reverse("credential-issue", args=[subscription.public_id])
    client = client_of(dana)
    assert client.get(path).status_code == 200
    answer = client.post(path, {"after": "0"})
    assert answer.status_code == 302
    assert "reauthenticate" in answer.headers["Location"]
    assert path.replace("/", "%2F") in answer.headers["Location"]
    assert not Credential.objects.exists()


def test_revoking_says_what_happens_and_by_whom(subscription, credential, dana, client_of):
    client, path = client_of(dana), reverse("credential-revoke", args=[credential.public_id])
    assert "401" in client.get(path).content.decode()
    client.post(path, {"reason": "Leaked."})
    credential.refresh_from_db()
    assert credential.state == Credential.State.REVOKED
    page = client.get(reverse("subscription-detail", args=[subscription.public_id])).content.decode()
    assert "by you" in page
    assert "Nothing is left to revoke" in client.get(path).content.decode()


def test_suspending_and_resuming_by_the_apis_team(subscription, alice, dana, client_of):
    client = client_of(alice)
    path = reverse("subscription-suspend", args=[subscription.public_id])
    assert client.post(path, {"reason": ""}).status_code == 422
    client.post(path, {"reason": "Overload."})
    assert (
        "Overload."
        in client_of(dana).get(reverse("subscription-detail", args=[subscription.public_id])).content.decode()
    )
    client.post(reverse("subscription-resume", args=[subscription.public_id]))
    subscription.refresh_from_db()
    assert subscription.state == Subscription.State.ACTIVE


def test_asking_for_another_plan(world, subscription, dana, client_of):
    client, path = client_of(dana), reverse("subscription-plan", args=[subscription.public_id])
    assert client.post(path, {"plan": "gold", "reason": "Same."}).status_code == 422
    client.post(path, {"plan": "bronze", "reason": "Less is enough."})
    subscription.refresh_from_db()
    assert subscription.plan_revision == world.bronze


def test_what_waits_and_what_blocks_stands_on_the_subscription(
    world, subscription, dana, alice, acting, client_of
):
    Subscription.objects.update(plan_revision=world.bronze)
    subscription.refresh_from_db()
    request_plan_change(subscription, world.gold.plan, actor=acting(dana), reason="More.")
    suspend_subscription(subscription, actor=acting(alice), reason="Overload.")
    page = client_of(dana).get(reverse("subscription-detail", args=[subscription.public_id])).content.decode()
    assert "A move to Gold waits" in page
    assert "Suspended by Shop" in page
    assert "New key" not in page


def test_a_hostile_name_is_only_text(world, dana, client_of):
    name = "<script>alert(1)</script>"
    client = client_of(dana)
    client.post(reverse("application-create"), {"team": world.application.team.public_id, "name": name})
    made = Application.objects.get(name=name)
    page = client.get(reverse("application-detail", args=[made.public_id])).content.decode()
    assert name not in page
    assert "&lt;script&gt;" in page


def test_a_viewer_reads_the_application_and_changes_nothing(world, logistics, client_of):
    viewer = factories.make_user()
    factories.join(logistics, viewer, TeamRole.VIEWER)
    client, detail = client_of(viewer), reverse("application-detail", args=[world.application.public_id])
    assert client.get(detail).status_code == 200
    answer = client.post(reverse("application-archive", args=[world.application.public_id]), {"reason": "x"})
    assert answer.status_code in (403, 404)
    assert not AuditEvent.objects.filter(name="application.archived").exists()


def test_subscribers_are_listed_for_the_apis_team_and_the_auditor(
    world, subscription, acting, dana, alice, frank, client_of
):
    issue_credential(subscription, actor=acting(dana))
    path = reverse("subscribers", args=["shop", "orders"])
    for person in (alice, frank):
        assert "Route planner" in client_of(person).get(path).content.decode()
    assert "Suspend…" not in client_of(frank).get(path).content.decode()


def test_t06_rotating_shows_the_new_key_once(subscription, credential, dana, client_of):
    client, path = client_of(dana), reverse("rotation-start", args=[credential.public_id])
    assert "Rotate" in client.get(path).content.decode()
    answer = client.post(path, {"overlap": "24", "name": "server"})
    page = answer.content.decode()
    value = re.search(r"ghp[0-9A-Za-z]{65}", page)
    assert value is not None
    assert answer.headers["Cache-Control"] == "no-store"
    assert "goes on working until" in page
    assert client.post(path, {"overlap": "24"}).status_code == 302, "sent twice it makes no second key"
    assert Credential.objects.count() == 2
    detail = client.get(reverse("subscription-detail", args=[subscription.public_id])).content.decode()
    assert value[0][19:] not in detail
    for words in ("rotating out", "both work until", "Finish now", "Extend", "Abort", "1 rotating out"):
        assert words in detail, words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"overlap": "other"}, "This field is required"),
        ({"overlap": "other", "hours": "721"}, "less than or equal to 720"),
        ({"overlap": "other", "hours": "0"}, "greater than or equal to 1"),
        ({"overlap": "5"}, "valid choice"),
        ({"overlap": "other", "hours": "720", "lifetime": "30"}, "outlive the overlap"),
    ],
)
def test_a_wrong_rotation_is_answered_with_the_form(credential, dana, client_of, values, words):
    answer = client_of(dana).post(reverse("rotation-start", args=[credential.public_id]), values)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    credential.refresh_from_db()
    assert credential.state == Credential.State.ACTIVE


def test_finishing_says_what_it_does_and_does_it_once(subscription, rotation, dana, client_of):
    client, path = client_of(dana), reverse("rotation-finish", args=[rotation.public_id])
    page = client.get(path).content.decode()
    assert "is revoked now and cannot come back" in page
    assert reverse("usage-key", args=[rotation.old.public_id]) in page, "the use of the key that ends"
    for _time in range(2):
        answer = client.post(path)
        assert answer.headers["Location"] == reverse("subscription-detail", args=[subscription.public_id])
    rotation.refresh_from_db()
    assert rotation.state == "finished"
    assert AuditEvent.objects.filter(name="rotation.finished").count() == 1
    detail = client.get(answer.headers["Location"]).content.decode()
    assert "refuses the old key once it says removed" in detail
    assert "Finish now" not in detail
    assert "has ended already" in client.get(path).content.decode()


def test_aborting_keeps_the_old_key(rotation, dana, client_of):
    client, path = client_of(dana), reverse("rotation-abort", args=[rotation.public_id])
    assert "works on as before" in client.get(path).content.decode()
    client.post(path)
    rotation.old.refresh_from_db()
    assert rotation.old.state == Credential.State.ACTIVE
    assert client.post(reverse("rotation-finish", args=[rotation.public_id])).status_code == 409


def test_extending_twice_by_the_same_form_extends_once(rotation, dana, client_of):
    client, path = client_of(dana), reverse("rotation-extend", args=[rotation.public_id])
    shown = {"shown": rotation.ends_at.isoformat()}
    assert client.post(path, shown | {"overlap": "other"}).status_code == 422
    assert client.post(path, {"overlap": "1", "shown": "soon"}).status_code == 422
    beyond = client.post(path, shown | {"overlap": "other", "hours": "720"})
    assert beyond.status_code == 422
    assert "at the latest" in beyond.content.decode()
    first = rotation.ends_at
    for _time in range(2):
        assert client.post(path, shown | {"overlap": "24"}).status_code == 302
    rotation.refresh_from_db()
    assert rotation.ends_at == first + timedelta(days=1)


def test_the_card_follows_a_rotation_and_reloads_the_page_when_it_is_over(
    rotation, alice, dana, acting, client_of
):
    path = reverse("rotation-detail", args=[rotation.public_id])
    assert client_of(dana).get(path).status_code == 302, "without htmx it is the subscription's page"
    part = client_of(alice).get(path, headers={"HX-Request": "true"})
    assert 'hx-trigger="every 10s"' in part.content.decode()
    assert "HX-Refresh" not in part.headers
    finish_rotation(rotation, actor=acting(dana))
    over = client_of(dana).get(path, headers={"HX-Request": "true"})
    assert over.headers["HX-Refresh"] == "true"
    assert "hx-trigger" not in over.content.decode()


def test_the_apis_team_sees_the_rotation_and_no_button(subscription, rotation, alice, client_of):
    page = (
        client_of(alice).get(reverse("subscription-detail", args=[subscription.public_id])).content.decode()
    )
    assert "rotating out" in page
    assert "Finish now" not in page
    for name in ("rotation-finish", "rotation-extend", "rotation-abort"):
        assert client_of(alice).post(reverse(name, args=[rotation.public_id])).status_code in (403, 404)
    rotation.refresh_from_db()
    assert rotation.is_running


def test_who_has_a_second_factor_shows_it_before_a_key_is_rotated(credential, rotation, dana, client_of):
    Authenticator.objects.create(user=dana, type=Authenticator.Type.TOTP, data={"secret": "x"})
    client = client_of(dana)
    for name, target in (("rotation-start", credential), ("rotation-finish", rotation)):
        answer = client.post(reverse(name, args=[target.public_id]), {"overlap": "0"})
        assert "reauthenticate" in answer.headers["Location"]
    assert Credential.objects.filter(state="revoked").count() == 0
