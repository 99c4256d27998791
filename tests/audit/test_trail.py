"""The audit trail as people read it: whose events, which filters, page after page, as CSV, over REST."""

from __future__ import annotations

import csv
import io

import pytest
from django.test import Client

from audit.actions import record_event
from audit.models import AuditEvent
from teams.actions import create_personal_team
from teams.models import SYSTEM, Team, User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db


def shown(page) -> list[str]:
    assert page.status_code == 200
    return [event.target_label for event in page.context["events"]]


@pytest.fixture
def two_teams(shop: Team, logistics: Team, alice: User, dana: User) -> None:
    record_event("team.changed", shop, actor=actor_of_user(alice), after={"name": "Shop"})
    record_event("team.changed", logistics, actor=actor_of_user(dana))
    record_event("token.created", shop, actor=SYSTEM, note="something noted")


@pytest.mark.usefixtures("two_teams")
def test_an_owner_sees_the_own_teams_events_and_no_others(client_of, alice: User, dana: User) -> None:
    assert shown(client_of(alice).get("/audit/")) == ["Shop", "Shop"]
    assert shown(client_of(dana).get("/audit/")) == ["Logistics"]


@pytest.mark.usefixtures("two_teams")
def test_administrators_and_auditors_see_all(client_of, ada: User, frank: User) -> None:
    for person in (ada, frank):
        assert len(shown(client_of(person).get("/audit/"))) == 3


@pytest.mark.usefixtures("two_teams")
def test_who_owns_no_team_finds_no_trail(client_of, bob: User, erin: User) -> None:
    for person in (bob, erin):
        for path in ("/audit/", "/audit/export.csv"):
            assert client_of(person).get(path).status_code == 404
    assert Client().get("/audit/").status_code == 302


@pytest.mark.usefixtures("two_teams")
@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("team=shop", 2), ("team=nobody", 0), ("name=token.", 1), ("name=t", 3), ("target=Logi", 1),
        ("actor=Dana", 1), ("actor=nobody", 0), ("after=2020-01-01T00:00", 3), ("until=2020-01-01T00:00", 0),
        ("team=shop&name=team.", 1),
    ],
)  # fmt: skip
def test_filters_narrow_the_page_the_export_and_the_rest_list_alike(
    client_of, api_of, frank: User, query: str, count: int
) -> None:
    browser = client_of(frank)
    assert len(shown(browser.get(f"/audit/?{query}"))) == count
    rows = csv.DictReader(io.StringIO(b"".join(browser.get(f"/audit/export.csv?{query}")).decode()))
    assert len(list(rows)) == count
    times = query.replace("T00:00", "T00:00:00Z")
    assert len(api_of(frank).get(f"/api/v1/audit-events?{times}").json()["results"]) == count


def test_a_filter_that_is_no_time_is_said_so(client_of, api_of, frank: User) -> None:
    assert client_of(frank).get("/audit/?after=yesterday").status_code == 422
    assert api_of(frank).get("/api/v1/audit-events?after=yesterday").status_code == 422


def test_page_after_page_each_event_once_while_more_arrive(client_of, frank: User, shop: Team) -> None:
    for number in range(120):
        record_event("team.changed", shop, actor=SYSTEM, note=str(number))
    browser, seen, url = client_of(frank), [], "/audit/"
    while url:
        page = browser.get(url)
        seen += [event.note for event in page.context["events"]]
        url = f"/audit/?{page.context['older']}" if page.context["older"] else ""
        record_event("team.changed", shop, actor=SYSTEM, note="late")
    assert seen == [str(number) for number in range(119, -1, -1)]


def test_a_cursor_of_a_foreign_event_tells_nothing(
    client_of, alice: User, dana: User, logistics: Team
) -> None:
    foreign = record_event("team.changed", logistics, actor=SYSTEM)
    page = client_of(alice).get(f"/audit/?before={foreign.public_id}")
    assert page.context["later"] is False


@pytest.mark.usefixtures("two_teams")
def test_rest_shows_the_same_events_to_the_same_people(api_of, alice: User, bob: User, charlie: User) -> None:
    assert len(api_of(alice).get("/api/v1/audit-events").json()["results"]) == 2
    assert api_of(bob).get("/api/v1/audit-events").status_code == 403
    event = AuditEvent.objects.filter(target_label="Shop").first()
    assert event is not None
    assert api_of(charlie).get(f"/api/v1/audit-events/{event.public_id}").status_code == 404
    assert api_of(alice).get(f"/api/v1/audit-events/{event.public_id}").json()["target_label"] == "Shop"


def test_a_personal_token_is_recorded_in_the_personal_team(alice: User) -> None:
    team = create_personal_team(alice, actor=actor_of_user(alice))
    token, _value = factories.make_api_token(user=alice)
    assert token.audit_team_id == team.public_id
