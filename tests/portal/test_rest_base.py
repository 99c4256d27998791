"""What every REST answer has: problem documents, limits told, versions checked, pages by cursor."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.models import AuditEvent
from portal.views import server_error
from teams.models import Team, TeamRole, User
from tests import factories

pytestmark = pytest.mark.django_db

PROBLEM = "application/problem+json"


def problem(answer, status: int) -> dict:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == PROBLEM
    body = json.loads(answer.content)
    assert body["status"] == status
    assert body["type"].startswith("urn:gatehouse:")
    assert body["detail"]
    return body


def test_an_unknown_route_is_a_problem_document(api_of, alice: User) -> None:
    for path in ("/api/v1/nothing", "/api/v2/teams", "/api/", "/api/v1/teams/"):
        problem(api_of(alice).get(path), 404)


def test_a_method_that_is_not_there_is_405(api_of, alice: User, shop: Team) -> None:
    problem(api_of(alice).put(f"/api/v1/teams/{shop.slug}", {}), 405)
    problem(APIClient().delete("/api/v1/me"), 405)


def test_a_body_that_is_no_json_is_400_or_415(api_of, alice: User) -> None:
    client = api_of(alice)
    problem(client.post("/api/v1/teams", "{", content_type="application/json"), 400)
    problem(client.post("/api/v1/teams", "a=b", content_type="application/x-www-form-urlencoded"), 415)


def test_wrong_values_are_named_field_by_field(api_of, alice: User) -> None:
    body = problem(api_of(alice).post("/api/v1/teams", {"name": "", "slug": "x"}), 422)
    assert body["errors"][0]["field"] == "/name"


def test_an_answer_says_how_many_calls_are_left(api_of, alice: User) -> None:
    client = api_of(alice)
    first, second = client.get("/api/v1/me"), client.get("/api/v1/me")
    assert first["RateLimit-Policy"] == '"token";q=600;w=60'
    assert int(first["RateLimit-Remaining"]) - int(second["RateLimit-Remaining"]) == 1
    assert second["RateLimit"].startswith('"token";r=598;t=')


def test_over_the_limit_is_429_with_the_seconds_to_wait(api_of, alice: User, bob: User, settings) -> None:
    rates = {"token": "3/min"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
    client = api_of(alice)
    answers = [client.get("/api/v1/me") for _n in range(5)]
    assert answers[-1].status_code == 429
    problem(answers[-1], 429)
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1]["RateLimit-Remaining"] == "0"
    assert api_of(bob).get("/api/v1/me").status_code == 200


def test_refused_tokens_are_counted_by_address_whatever_header_they_send(settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {"token": "3/min"}}
    codes = [
        APIClient()
        .get("/api/v1/me", HTTP_AUTHORIZATION=f"Bearer wrong{n}", HTTP_X_FORWARDED_FOR=f"10.0.0.{n}")
        .status_code
        for n in range(8)
    ]
    assert codes[0] == 401
    assert codes[-1] == 429


def test_nothing_is_stored_by_caches_and_answers_differ_by_token(api_of, alice: User) -> None:
    answer = api_of(alice).get("/api/v1/teams")
    assert answer["Cache-Control"] == "no-store"
    assert "Authorization" in answer["Vary"]


def test_a_cookie_opens_nothing(alice: User) -> None:
    browser = Client()
    browser.force_login(alice)
    problem(browser.get("/api/v1/me"), 401)
    problem(browser.post("/api/v1/teams", "{}", content_type="application/json"), 401)


def test_a_reader_who_has_it_already_is_told_304(api_of, alice: User, shop: Team) -> None:
    client, url = api_of(alice), f"/api/v1/teams/{shop.slug}"
    tag = client.get(url)["ETag"]
    again = client.get(url, HTTP_IF_NONE_MATCH=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert client.patch(url, {"name": "Shop 2"}).status_code == 200
    assert client.get(url, HTTP_IF_NONE_MATCH=tag).status_code == 200


def test_a_change_of_what_one_has_not_read_is_412(api_of, alice: User, shop: Team) -> None:
    client, url = api_of(alice), f"/api/v1/teams/{shop.slug}"
    read, written = client.get(url)["ETag"], client.patch(url, {"name": "One"})["ETag"]
    problem(client.patch(url, {"name": "Two"}, HTTP_IF_MATCH=read), 412)
    assert client.patch(url, {"name": "Two"}, HTTP_IF_MATCH=written).status_code == 200
    assert client.patch(url, {"name": "Three"}, HTTP_IF_MATCH=client.get(url)["ETag"]).status_code == 200
    assert client.patch(url, {"name": "Four"}, HTTP_IF_MATCH="*").status_code == 200


def test_pages_by_cursor_miss_nothing_and_repeat_nothing(api_of, alice: User, shop: Team) -> None:
    for number in range(7):
        factories.make_service_account(shop, name=f"robot {number}")
    client, url, names = api_of(alice), f"/api/v1/teams/{shop.slug}/service-accounts?limit=3", []
    while url:
        page = client.get(url).json()
        names += [row["name"] for row in page["results"]]
        url = page["next"]
    assert sorted(names) == [f"robot {number}" for number in range(7)]


def test_the_reference_needs_a_sign_in_and_makes_a_reading_token(client_of, alice: User) -> None:
    assert Client().get("/api/v1/docs/").status_code == 302
    browser = client_of(alice)
    assert browser.get("/api/v1/docs/").status_code == 200
    page = browser.post("/api/v1/docs/")
    value = page.context["value"]
    assert page["Cache-Control"] == "no-store"
    with_it = {"HTTP_AUTHORIZATION": f"Bearer {value}"}
    assert APIClient().get("/api/v1/me", **with_it).json()["scopes"] == ["read"]
    problem(APIClient().post("/api/v1/teams", {"name": "New"}, **with_it), 403)
    assert AuditEvent.objects.filter(name="token.created").count() == 1
    assert value not in browser.get("/api/v1/docs/").content.decode()


def test_an_error_of_ours_is_a_problem_document_too(rf) -> None:
    problem(server_error(rf.get("/api/v1/me")), 500)
    assert server_error(rf.get("/teams/"))["Content-Type"].startswith("text/html")


def test_a_role_is_looked_at_anew_by_every_call(api_of, shop: Team, bob: User) -> None:
    client = api_of(bob)
    assert client.patch(f"/api/v1/teams/{shop.slug}", {"name": "x"}).status_code == 403
    bob.memberships.update(role=TeamRole.OWNER)
    assert client.patch(f"/api/v1/teams/{shop.slug}", {"name": "x"}).status_code == 200
    bob.memberships.all().delete()
    assert client.get(f"/api/v1/teams/{shop.slug}").status_code in (403, 404)
