"""The same over REST: resources, refusals, one answer that carries a key."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subscriptions.actions import approve_request
from subscriptions.models import AccessRequest, Application, Credential, Subscription
from teams.models import TeamRole
from teams.permissions import Scope
from tests import factories
from tests.factories import make_api_token, make_service_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(world):
    return factories.make_subscription(world.application, world.gold)


def order(world, **changes):
    return {
        "application": world.application.public_id,
        "api": "shop/orders",
        "version": 1,
        "environment": "production",
        "plan": "gold",
        "reason": "We plan tours.",
    } | changes


def test_the_whole_way_from_application_to_key(world, alice, dana, api_of):
    consumer, owner = api_of(dana), api_of(alice)
    made = consumer.post("/api/v1/applications", {"team": "logistics", "name": "Fleet map"})
    assert (made.status_code, made["ETag"]) == (201, '"1"')
    asked = consumer.post("/api/v1/access-requests", order(world, application=made.data["id"]))
    assert (asked.status_code, asked.data["state"], asked.data["limits"]["rate_calls"]) == (
        201,
        "pending",
        200,
    )
    waiting = owner.get("/api/v1/access-requests?state=pending&decidable=true").data["results"]
    assert [row["id"] for row in waiting] == [asked.data["id"]]
    assert consumer.get("/api/v1/access-requests?decidable=true").data["results"] == []
    approved = owner.post(f"/api/v1/access-requests/{asked.data['id']}/approve", {"note": "Fine."})
    assert (approved.status_code, approved.data["state"]) == (200, "approved")
    keys = f"/api/v1/subscriptions/{approved.data['subscription']}/credentials"
    issued = consumer.post(keys, {"name": "laptop"})
    assert issued.status_code == 201
    assert issued["Cache-Control"] == "no-store"
    assert len(issued.data["key"]) == 68
    listed = consumer.get(keys)
    assert "key" not in listed.data["results"][0]
    assert issued.data["key"][19:] not in listed.content.decode()
    one = f"/api/v1/credentials/{issued.data['id']}"
    assert "key" not in consumer.get(one).data
    assert consumer.post(f"{one}/revoke", {"reason": "Leaked."}).data["state"] == "revoked"
    assert consumer.post(f"{one}/revoke").status_code == 409


def test_an_automatic_plan_answers_with_its_subscription(world, dana, api_of):
    asked = api_of(dana).post("/api/v1/access-requests", order(world, plan="bronze"))
    assert (asked.data["state"], asked.data["decided_by_kind"]) == ("approved", "system")
    assert asked.data["subscription"] == Subscription.objects.get().public_id


def test_wrong_values_are_named_field_by_field(world, dana, api_of):
    answer = api_of(dana).post("/api/v1/access-requests", order(world, reason="", version="x"))
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"/reason", "/version"}


@pytest.mark.parametrize(
    "change",
    [{"application": "app_unknown"}, {"api": "shop/none"}, {"version": 9}, {"plan": "none"}, {"environment": "mars"}],
)  # fmt: skip
def test_what_is_not_there_is_404(world, dana, api_of, change):
    assert api_of(dana).post("/api/v1/access-requests", order(world, **change)).status_code == 404


def test_a_refusal_carries_its_code(world, waiting, dana, api_of):
    answer = api_of(dana).post("/api/v1/access-requests", order(world))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:gatehouse:already_waiting")


def test_a_rejection_needs_its_reason(waiting, alice, api_of):
    path = f"/api/v1/access-requests/{waiting.public_id}/reject"
    assert api_of(alice).post(path, {}).status_code == 422
    answer = api_of(alice).post(path, {"note": "Too much."})
    assert (answer.data["state"], answer.data["decision_note"]) == ("rejected", "Too much.")


def test_withdrawing_is_for_those_who_asked(waiting, alice, dana, api_of):
    path = f"/api/v1/access-requests/{waiting.public_id}/withdraw"
    assert api_of(alice).post(path).status_code == 403
    assert api_of(dana).post(path).data["state"] == "withdrawn"
    assert api_of(dana).post(path).status_code == 409


def test_t03_a_service_account_asks_but_does_not_decide_what_its_team_asked(world, alice, shop, api_of):
    robot = make_service_account(shop, TeamRole.PUBLISHER)
    _token, value = make_api_token(service_account=robot)
    client = api_of(None)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    own = factories.make_application(shop, "Own front")
    asked = client.post("/api/v1/access-requests", order(world, application=own.public_id))
    assert (asked.status_code, asked.data["requested_by_kind"]) == (201, "service")
    path = f"/api/v1/access-requests/{asked.data['id']}/approve"
    assert client.post(path).status_code == 403
    assert api_of(alice).post(path).status_code == 403  # she issues that account's tokens
    assert AccessRequest.objects.get().is_waiting


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        ([Scope.READ], 403),
        ([Scope.SUBSCRIPTIONS_WRITE, Scope.READ], 403),
        ([Scope.APPROVALS_WRITE, Scope.READ], 200),
    ],
)
def test_deciding_needs_the_scope(waiting, alice, api_of, scopes, status):
    path = f"/api/v1/access-requests/{waiting.public_id}/approve"
    assert api_of(alice, scopes=list(scopes)).post(path).status_code == status


def test_suspend_resume_close_and_plan_change(world, subscription, alice, dana, api_of):
    base = f"/api/v1/subscriptions/{subscription.public_id}"
    owner, consumer = api_of(alice), api_of(dana)
    assert consumer.post(f"{base}/suspend", {"reason": "x"}).status_code == 403
    assert owner.post(f"{base}/suspend", {}).status_code == 422
    assert owner.post(f"{base}/suspend", {"reason": "Overload."}).data["state"] == "suspended"
    assert owner.post(f"{base}/resume").data["state"] == "active"
    changed = consumer.post(f"{base}/plan-change", {"plan": "bronze", "reason": "Less."})
    assert (changed.status_code, changed.data["kind"], changed.data["state"]) == (
        201,
        "plan_change",
        "approved",
    )
    assert consumer.get(base).data["plan"] == "bronze"
    assert consumer.post(f"{base}/close", {"reason": "Done."}).data["state"] == "closed"
    assert [row["state"] for row in owner.get("/api/v1/subscriptions?state=closed").data["results"]] == [
        "closed"
    ]


def test_applications_are_changed_and_archived(world, dana, api_of):
    base, client = f"/api/v1/applications/{world.application.public_id}", api_of(dana)
    changed = client.patch(base, {"description": "Tours."}, HTTP_IF_MATCH='"1"')
    assert (changed.data["description"], changed.data["name"], changed["ETag"]) == (
        "Tours.",
        "Route planner",
        '"2"',
    )
    assert client.patch(base, {"name": "Other"}, HTTP_IF_MATCH='"1"').status_code == 412
    assert client.patch(base, {"state": "archived", "team": "shop"}).data["state"] == "active"
    assert client.post(f"{base}/archive", {}).data["state"] == "archived"
    assert client.patch(base, {"name": "Other"}).status_code == 409


def test_nobody_reads_or_moves_what_is_not_theirs(world, waiting, charlie, api_of):
    subscription = factories.make_subscription(world.application, world.bronze, environment=world.sandbox)
    credential, _value = factories.make_credential(subscription)
    client = api_of(charlie)
    for kind in ("applications", "access-requests", "subscriptions"):
        assert client.get(f"/api/v1/{kind}").data["results"] == []
    own = [
        (f"applications/{world.application.public_id}", ["archive"]),
        (f"access-requests/{waiting.public_id}", ["approve", "reject", "withdraw"]),
        (
            f"subscriptions/{subscription.public_id}",
            ["suspend", "resume", "close", "plan-change", "credentials"],
        ),
        (f"credentials/{credential.public_id}", ["revoke"]),
    ]
    body = {"reason": "Mine.", "note": "Mine.", "plan": "gold"}
    for path, deeds in own:
        assert client.get(f"/api/v1/{path}").status_code == 404
        for deed in deeds:
            assert client.post(f"/api/v1/{path}/{deed}", body).status_code == 404, deed
            assert api_of(None).post(f"/api/v1/{path}/{deed}", body).status_code == 401, deed
    assert Credential.objects.get().state == "active"
    assert Application.objects.get().state == "active"


def test_the_auditor_reads_all_and_moves_nothing(world, waiting, frank, api_of):
    client = api_of(frank)
    assert len(client.get("/api/v1/access-requests").data["results"]) == 1
    assert client.post(f"/api/v1/access-requests/{waiting.public_id}/approve").status_code == 403
    assert client.post("/api/v1/access-requests", order(world)).status_code == 403


def test_a_conditional_call_locks_in_the_order_of_the_actions(world, waiting, dana, alice, acting, api_of):
    """First the application, then what stands on it, so that it and an archiving never wait for each other."""
    subscription = approve_request(waiting, actor=acting(alice))
    with CaptureQueriesContext(connection) as said:
        closed = api_of(dana).post(
            f"/api/v1/subscriptions/{subscription.public_id}/close",
            {"reason": "Done."},
            headers={"If-Match": "*"},
        )
    assert closed.status_code == 200, closed.content
    locks = [query["sql"] for query in said if "FOR " in query["sql"] and "UPDATE" in query["sql"]]
    tables = [re.search(r'FROM "([a-z_]+)"', sql)[1] for sql in locks if "subscriptions_" in sql]
    assert tables.index("subscriptions_application") < tables.index("subscriptions_subscription")
