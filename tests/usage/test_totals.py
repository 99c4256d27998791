"""Totals tell the same as buckets, whatever is asked, and each tells of its own time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import Team
from tests import factories
from tests.usage.feeds import line
from usage import sums, totals
from usage.actions import ingest_batch
from usage.models import UsageBucket, UsageRecord, UsageTotal
from usage.queries import BREAKDOWNS, UsageScope, breakdown, overview, summaries, summary, timeseries
from usage.ranges import RANGES, Window, window
from usage.sums import Figures

pytestmark = pytest.mark.django_db
SEGMENTS = itertools.count()
NOW = timezone.now()
"""One moment for all, so that no minute ends between two answers."""


@pytest.fixture
def busy(
    edge: Gateway, orders: Publication, key: Credential, shop: Team, logistics: Team
) -> list[UsageScope]:
    """Calls of two days to two APIs, of three applications, with and without a key that is known; whose they are."""
    draw = random.Random(7)
    weather = factories.make_publication(factories.make_version(factories.make_api(shop, "Weather")), edge)
    terms = factories.make_plan(weather.api_version.api, "Silver")
    keys = [(orders, key), (orders, factories.make_credential(key.subscription)[0]), (orders, None)]
    for name in ("Tours", "Fleet"):
        held = factories.make_subscription(factories.make_application(logistics, name), terms)
        keys.append((weather, factories.make_credential(held)[0]))
    now = NOW.timestamp() * 1000
    for _batch in range(4):
        lines = []
        for _call in range(40):
            publication, credential = draw.choice(keys)
            path = publication.base_path + draw.choice(["/orders", "/orders/7", "/elsewhere"])
            values = {
                "status": draw.choice([0, 200, 200, 404, 503]),
                "duration_ms": draw.lognormvariate(3, 2),
            }
            ts = now - draw.choice([0, 30_000, 7_200_000, 130_000_000])
            lines.append(line(publication, credential, ts=ts, path=path, **values))
        ingest_batch(edge, node="n1", segment=f"s{next(SEGMENTS)}", offset=0, body=b"".join(lines))
    api, production = orders.api_version.api.public_id, factories.make_environment().public_id
    return [
        UsageScope({"api": api}),
        UsageScope({"api": weather.api_version.api.public_id, "environment": production}),
        UsageScope({"api": api, "api_version": orders.api_version.public_id}),
        UsageScope({"application": key.subscription.application.public_id}),
        UsageScope({"application": key.subscription.application.public_id, "api": api}),
        UsageScope({"subscription": key.subscription.public_id}),
    ]


def windows() -> Iterator[Window]:
    return (window(name, NOW) for name in RANGES)


def plain(found: Any) -> Any:
    """Figures as values that can be compared."""
    if isinstance(found, Figures):
        by_class = {group: calls for group, calls in found.by_class.items() if calls}
        return found.calls, by_class, found.bytes_out, dict(found.latency)
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items()}
    return [(name, plain(figures)) for name, figures in found]


def everything(scopes: list[UsageScope]) -> list[Any]:
    """Every answer there is about `scopes`."""
    found = []
    for scope, shown in itertools.product(scopes, windows()):
        found += [plain(summary(scope, shown)), plain(timeseries(scope, shown))]
        found += [plain(breakdown(scope, shown, by)) for by in BREAKDOWNS]
    for name in ("api", "application"):
        ids = {scope.equal[name] for scope in scopes if name in scope.equal}
        found += [plain(summaries(name, ids, shown)) for shown in windows()]
    return found


def begin_totals_at(moment: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION usage_totals_since() RETURNS timestamptz LANGUAGE sql STABLE AS"
            f" $$ SELECT '{moment.isoformat()}'::timestamptz $$"
        )


def test_totals_answer_as_buckets_do(busy: list[UsageScope], monkeypatch: pytest.MonkeyPatch) -> None:
    by_totals = everything(busy)
    monkeypatch.setattr(sums, "kind_for", lambda _dimensions: "")
    assert everything(busy) == by_totals
    assert sum(calls for calls, *_rest in (row for row in by_totals if isinstance(row, tuple))) > 160


def test_every_kind_of_total_holds_every_call(busy: list[UsageScope]) -> None:
    with_a_key = UsageRecord.objects.exclude(application="").count()
    assert 0 < with_a_key < 160
    for kind, span in itertools.product(UsageTotal.Kind, UsageBucket.Span):
        rows = UsageTotal.objects.filter(kind=kind, span=span)
        known = 160 if kind != UsageTotal.Kind.APPLICATION else with_a_key
        assert sum(row.calls for row in rows) == sum(sum(row.latency.values()) for row in rows) == known


def test_time_before_totals_began_is_told_by_buckets(busy: list[UsageScope]) -> None:
    """Those of the release before wrote no totals: what there may be of that time is not counted."""
    expected = everything(busy)
    begun = datetime.combine(NOW.date(), datetime.min.time(), UTC)
    begin_totals_at(begun)
    assert UsageTotal.objects.filter(at__lt=begun).update(calls=10**6) > 0
    assert everything(busy) == expected
    begin_totals_at(NOW + timedelta(days=2))
    assert UsageTotal.objects.update(calls=10**6) > 0
    assert everything(busy) == expected


def test_a_fresh_installation_has_totals_from_the_beginning() -> None:
    assert totals.since() is None


def test_only_those_that_are_shown_have_their_latency_read(busy: list[UsageScope]) -> None:
    shown = window("7d", NOW)
    scope = busy[0]
    whole, few = breakdown(scope, shown, "status"), breakdown(scope, shown, "status", most=2)
    assert plain(few[:2]) == plain(whole[:2])
    assert [(name, figures.calls) for name, figures in few] == [
        (name, figures.calls) for name, figures in whole
    ]
    assert [figures.p95 for _name, figures in few[2:]] == [None] * (len(whole) - 2)


def test_an_overview_is_all_of_it_at_once(busy: list[UsageScope]) -> None:
    for scope, shown in itertools.product(busy, windows()):
        found = overview(scope, shown, ("operation", "application", "status"), most=10)
        assert plain(found.whole) == plain(summary(scope, shown))
        assert plain(found.points) == plain(timeseries(scope, shown))
        for by, rows in found.breakdowns.items():
            assert plain(rows) == plain(breakdown(scope, shown, by))


def test_the_smallest_total_that_knows_enough_answers() -> None:
    asked = {
        ("api",): "p",
        ("api", "environment", "status"): "p",
        ("api", "operation"): "o",
        ("api", "application"): "c",
        ("application",): "a",
        ("application", "status"): "a",
        ("application", "plan"): "c",
        ("application", "key_id"): "c",
        ("application", "operation"): "",
        ("api", "gateway"): "",
        ("subscription",): "",
        ("environment",): "",
    }
    assert {names: totals.kind_for(names) for names in asked} == asked


def test_pages_ask_as_often_however_many_callers_there_are(
    edge: Gateway, orders: Publication, key: Credential, logistics: Team, django_assert_num_queries: Any
) -> None:
    scope, shown = UsageScope({"api": orders.api_version.api.public_id}), window("24h", NOW)
    ingest_batch(edge, node="n1", segment="one", offset=0, body=line(orders, key))
    with django_assert_num_queries(9):  # per kind of total: when it begins, calls, latencies
        overview(scope, shown, ("plan", "operation", "application", "status"), most=10)
    terms = key.subscription.plan_revision
    for number in range(9):
        held = factories.make_subscription(factories.make_application(logistics, f"Caller {number}"), terms)
        body = line(orders, factories.make_credential(held)[0])
        ingest_batch(edge, node="n1", segment=f"of{number}", offset=0, body=body)
    with django_assert_num_queries(9):
        overview(scope, shown, ("plan", "operation", "application", "status"), most=10)
