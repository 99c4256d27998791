"""Old calls go day by day, and never hold up the calls that arrive."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from tests.usage.feeds import line
from usage.actions import ingest_batch, keep_partitions, retention
from usage.models import UsageBucket, UsageRecord

TODAY = timezone.now().date()


def days() -> list[date]:
    return retention._days()


def make_day(day: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT usage_ensure_day(%s)", [day])


@pytest.mark.django_db
def test_days_are_made_ahead_and_old_ones_dropped_one_by_one(settings: Any) -> None:
    settings.USAGE_RECORD_DAYS = 10
    for ago in (10, 11, 12, 30):
        make_day(TODAY - timedelta(days=ago))
    assert keep_partitions() == len([11, 12, 30])
    assert min(days()) == TODAY - timedelta(days=10)
    assert {TODAY + timedelta(days=ahead) for ahead in range(3)} <= set(days())


@pytest.mark.django_db
def test_minutes_go_when_hours_and_days_hold_the_same_calls(
    edge: Gateway, orders: Publication, key: Credential, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 2)
    old = (timezone.now() - timedelta(days=35)).timestamp() * 1000
    lines = [line(orders, key, ts=old + minute * 60_000) for minute in range(5)]
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=b"".join([*lines, line(orders, key)]))
    keep_partitions()
    assert UsageBucket.objects.filter(span="m").count() == 1
    assert sum(UsageBucket.objects.filter(span="d").values_list("calls", flat=True)) == 6


@pytest.mark.django_db(transaction=True)
def test_a_day_that_is_being_read_is_left_for_the_next_time(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long look at the calls would make the drop wait, and every batch behind the drop."""
    settings.USAGE_RECORD_DAYS = 10
    monkeypatch.setattr(retention, "LOCK_WAIT", "50ms")
    make_day(TODAY - timedelta(days=20))
    answers: list[int] = []

    def keep() -> None:
        answers.append(keep_partitions())
        connections.close_all()

    with transaction.atomic():
        list(UsageRecord.objects.all()[:1])
        thread = threading.Thread(target=keep)
        thread.start()
        thread.join()
        assert answers == [0]
    assert keep_partitions() == 1
