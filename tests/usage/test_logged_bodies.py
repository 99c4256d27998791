"""Bodies are logged only where a team opts in, redacted, with expiry; and nobody else ever reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from psycopg import sql
from rest_framework.test import APIClient

from ai.prompts.guards import Guard
from ai.runtime.bodies import loggable
from apis.actions import set_body_logging
from apis.models import Environment, Upstream
from audit.models import ActionRefused, AuditEvent
from gateways.desired import endpoint_rows, endpoints_of, publications_on
from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import SYSTEM, Team, TeamRole, User
from teams.queries import actor_of_user
from tests import factories
from tests.usage.ai_feeds import ai_line, take_in
from usage.actions import keep_partitions
from usage.models import AiBucket, AiRun, LedgerEntry, LoggedBody

type Enter = Callable[[User | None], Client]
type Rest = Callable[..., APIClient]

ASKED, ANSWERED = "The museum opens at nine", "Le musée ouvre à neuf heures"
BODIES = {"input": {"text": ASKED}, "output": ANSWERED, "is_cut": False}
BODY = "/api/v1/usage/ai-records/run_1/body"


def production() -> Environment:
    return factories.make_environment()


def turn(upstream: Upstream | None, *, on: bool) -> None:
    assert upstream is not None
    set_body_logging(upstream, actor=SYSTEM, environment=production(), log_bodies=on)


@pytest.fixture
def opted_in(translate: Publication) -> Publication:
    """The shop wants bodies kept."""
    turn(translate.revision.upstream, on=True)
    return translate


@pytest.fixture
def kept(opted_in: Publication, runtime: Gateway, ai_key: Credential) -> LoggedBody:
    take_in(runtime, 0, ai_line(opted_in, ai_key, bodies=BODIES))
    return LoggedBody.objects.get()


# ---- only where a team opts in ----


def test_nothing_is_kept_unless_the_team_said_so(
    runtime: Gateway, translate: Publication, ai_key: Credential
) -> None:
    """Off by default; and a runtime that tells of bodies all the same is not believed."""
    assert not translate.revision.upstream.bindings.filter(log_bodies=True).exists()
    take_in(runtime, 0, ai_line(translate, ai_key, bodies=BODIES))
    assert AiRun.objects.count() == LedgerEntry.objects.count() == 1
    assert not LoggedBody.objects.exists()


def test_what_is_on_its_way_when_a_team_turns_it_off_is_dropped(
    runtime: Gateway, opted_in: Publication, ai_key: Credential
) -> None:
    on_its_way = ai_line(opted_in, ai_key, bodies=BODIES)
    turn(opted_in.revision.upstream, on=False)
    take_in(runtime, 0, on_its_way)
    assert not LoggedBody.objects.exists()


def test_one_environment_says_nothing_for_another(
    runtime: Gateway, translate: Publication, ai_key: Credential
) -> None:
    other = translate.revision.upstream.bindings.create(
        environment=factories.make_environment("sandbox"), prompt_label="production"
    )
    other.log_bodies = True
    other.save()
    take_in(runtime, 0, ai_line(translate, ai_key, bodies=BODIES))
    assert not LoggedBody.objects.exists()


def test_the_runtime_is_told_and_only_then_tells(runtime: Gateway, translate: Publication) -> None:
    for on in (False, True, False):
        turn(translate.revision.upstream, on=on)
        (endpoint,) = endpoints_of(publications_on(runtime)).values()
        assert endpoint.content["log_bodies"] is on
    assert len(endpoint_rows(publications_on(runtime))) == 1


def test_the_switch_is_audited_without_a_word_of_a_body(kept: LoggedBody) -> None:
    event = AuditEvent.objects.filter(name="binding.set").order_by("-pk")[0]
    assert (event.before["log_bodies"], event.after["log_bodies"]) == (False, True)
    assert not AuditEvent.objects.filter(after__icontains="museum").exists()


def test_only_who_may_edit_the_api_turns_it_on(translate: Publication, bob: User, charlie: User) -> None:
    upstream = translate.revision.upstream
    for who in (bob, charlie):
        with pytest.raises(PermissionDenied):
            set_body_logging(upstream, actor=actor_of_user(who), environment=production(), log_bodies=True)


def test_there_is_nothing_to_keep_of_an_http_service_or_where_nothing_is_offered(
    orders: Publication, translate: Publication
) -> None:
    with pytest.raises(ActionRefused, match="HTTP service"):
        turn(orders.revision.upstream, on=True)
    with pytest.raises(ActionRefused, match="Offer it there first"):
        set_body_logging(
            translate.revision.upstream,
            actor=SYSTEM,
            environment=factories.make_environment("sandbox"),
            log_bodies=True,
        )


def test_the_page_of_the_upstream_says_how_long_and_has_the_switch(
    client_of: Enter, alice: User, bob: User, charlie: User, translate: Publication, settings: Any
) -> None:
    settings.USAGE_BODY_DAYS = 5
    upstream = translate.revision.upstream
    address = reverse("upstream-detail", args=[upstream.public_id])
    assert "For 5 days, redacted" in client_of(alice).get(address).content.decode()
    sent = {"environment": "production", "what": "bodies", "production-bodies-log_bodies": "on"}
    assert client_of(bob).post(address, sent).status_code == 403
    assert client_of(charlie).post(address, sent).status_code == 404
    assert client_of(alice).post(address, sent).status_code == 302
    assert upstream.bindings.get(environment=production()).log_bodies
    assert "is kept" in client_of(bob).get(address).content.decode()
    del sent["production-bodies-log_bodies"]
    client_of(alice).post(address, sent)
    assert not upstream.bindings.get(environment=production()).log_bodies


def test_rest_has_the_switch_too(
    api_of: Rest, alice: User, bob: User, charlie: User, translate: Publication
) -> None:
    upstream = translate.revision.upstream
    address = f"/api/v1/upstreams/{upstream.public_id}/bindings/production/body-log"
    sent = {"log_bodies": True}
    assert api_of(bob).put(address, sent, format="json").status_code == 403
    assert api_of(charlie).put(address, sent, format="json").status_code == 404
    assert api_of(None).put(address, sent, format="json").status_code == 401
    answer = api_of(alice).put(address, sent, format="json")
    assert answer.status_code == 200
    assert [one["log_bodies"] for one in answer.json()["bindings"]] == [True]
    assert api_of(alice).put(address, {}, format="json").status_code == 422


def test_whoever_finds_the_api_is_told(
    client_of: Enter, dana: User, translate: Publication, logistics: Team
) -> None:
    api = translate.api_version.api
    api.shares.create(team=logistics)
    address = reverse("api-detail", args=[api.team.slug, api.slug])
    words = "what is asked and answered in Production, redacted, for 7 days"
    assert words not in client_of(dana).get(address).content.decode()
    turn(translate.revision.upstream, on=True)
    assert words in client_of(dana).get(address).content.decode()


# ---- redacted and bounded ----


def test_what_the_runtime_tells_is_redacted_before_it_leaves_it(
    runtime: Gateway, opted_in: Publication, ai_key: Credential
) -> None:
    said = {"input": {"text": "Ask ann@example.test"}, "output": "She quits"}
    take_in(runtime, 0, ai_line(opted_in, ai_key, bodies=loggable(said, Guard(), ["She quits"])))
    body = LoggedBody.objects.get()
    assert (json.loads(body.asked), json.loads(body.answered)) == ({"text": "Ask [EMAIL]"}, "(hidden)")


def test_what_is_too_long_or_no_text_for_a_database_holds_nothing_up(
    runtime: Gateway, opted_in: Publication, ai_key: Credential
) -> None:
    """T38: a feed line that nobody redacted or cut, with NUL and half of a surrogate pair."""
    line = ai_line(opted_in, ai_key, bodies={"input": "x" * 300_000, "output": "NUL\x00"})
    take_in(runtime, 0, line.replace(b'"NUL\\u0000"', b'"NUL\\u0000 half \\ud800"'))
    body = LoggedBody.objects.get()
    assert len(body.asked) == 100_000
    assert body.is_cut
    assert body.answered == '"NUL\\u0000 half ?"'


def test_a_batch_sent_twice_keeps_one(runtime: Gateway, opted_in: Publication, ai_key: Credential) -> None:
    line = ai_line(opted_in, ai_key, bodies=BODIES)
    for _time in range(2):
        take_in(runtime, 0, line)
    assert LoggedBody.objects.count() == AiRun.objects.count() == 1


# ---- with expiry ----


def test_it_goes_after_its_days_and_what_was_consumed_stays(kept: LoggedBody, settings: Any) -> None:
    assert kept.expires_at - kept.run.at == timedelta(days=7)
    keep_partitions()
    assert LoggedBody.objects.exists()
    LoggedBody.objects.update(expires_at=timezone.now())
    keep_partitions()
    assert not LoggedBody.objects.exists()
    assert AiRun.objects.count() == LedgerEntry.objects.count() == 1


def test_nobody_is_shown_it_from_that_moment_on_though_it_is_not_deleted_yet(
    kept: LoggedBody, client_of: Enter, api_of: Rest, alice: User
) -> None:
    LoggedBody.objects.update(expires_at=timezone.now())
    assert api_of(alice).get(BODY).status_code == 404
    page = client_of(alice).get(reverse("usage-run", args=["run_1"])).content.decode()
    assert ASKED not in page
    assert "Not kept" in page


def test_a_call_that_is_told_of_too_late_is_kept_without_its_words(
    runtime: Gateway, opted_in: Publication, ai_key: Credential
) -> None:
    at = (timezone.now() - timedelta(days=8)).timestamp() * 1000
    take_in(runtime, 0, ai_line(opted_in, ai_key, bodies=BODIES, at_ms=at))
    assert AiRun.objects.exists()
    assert not LoggedBody.objects.exists()


def test_it_never_outlives_its_call_and_minutes_go_as_those_of_calls_do(
    kept: LoggedBody, settings: Any
) -> None:
    settings.USAGE_RECORD_DAYS = 3
    AiRun.objects.update(at=timezone.now() - timedelta(days=4))
    AiBucket.objects.update(at=timezone.now() - timedelta(days=40))
    keep_partitions()
    assert not AiRun.objects.exists()
    assert not LoggedBody.objects.exists()
    assert LedgerEntry.objects.count() == 1
    assert sorted(AiBucket.objects.values_list("span", flat=True)) == ["d", "h"]


# ---- who reads it ----


def test_members_of_the_apis_team_read_it_on_the_page_and_over_rest(
    kept: LoggedBody, client_of: Enter, api_of: Rest, alice: User, bob: User
) -> None:
    for who in (alice, bob):
        page = client_of(who).get(reverse("usage-run", args=["run_1"])).content.decode()
        assert ASKED in page
        assert ANSWERED in page
        answer = api_of(who).get(BODY).json()
        assert (answer["asked"], answer["answered"], answer["is_cut"]) == ({"text": ASKED}, ANSWERED, False)


def test_a_viewer_of_that_team_does_not(kept: LoggedBody, client_of: Enter, api_of: Rest, shop: Team) -> None:
    viewer = factories.make_user("viewer@example.test")
    factories.join(shop, viewer, TeamRole.VIEWER)
    page = client_of(viewer).get(reverse("usage-run", args=["run_1"]))
    assert page.status_code == 200
    assert ASKED not in page.content.decode()
    assert api_of(viewer).get(BODY).status_code == 403


def test_the_team_of_the_application_is_told_that_it_is_kept_and_until_when(
    kept: LoggedBody, client_of: Enter, api_of: Rest, dana: User
) -> None:
    page = client_of(dana).get(reverse("usage-run", args=["run_1"])).content.decode()
    assert ASKED not in page
    assert "The team of the API keeps it" in page
    assert api_of(dana).get(BODY).status_code == 403


@pytest.mark.parametrize(("who", "status"), [("frank", 403), ("ada", 403), ("charlie", 404), ("erin", 403)])
def test_nobody_else_does_whatever_they_run(
    kept: LoggedBody, client_of: Enter, api_of: Rest, who: str, status: int, request: pytest.FixtureRequest
) -> None:
    person = request.getfixturevalue(who)
    assert api_of(person).get(BODY).status_code == status
    assert ASKED not in client_of(person).get(reverse("usage-run", args=["run_1"])).content.decode()


def test_it_stands_in_no_other_table(kept: LoggedBody) -> None:
    """Neither the trail nor search nor anything else that is text holds a word of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND data_type IN ('text', 'jsonb', 'character varying', 'tsvector')"
        )
        found = []
        for table, column in cursor.fetchall():
            statement = sql.SQL("SELECT count(*) FROM {} WHERE {}::text ILIKE '%museum%'")
            cursor.execute(statement.format(sql.Identifier(table), sql.Identifier(column)))
            if cursor.fetchone()[0]:
                found.append(table)
    assert set(found) - {"ai_prompt", "ai_promptversion"} == {"usage_loggedbody"}
