#!/usr/bin/env python3
"""How many calls a second the portal takes in, and what each costs: the ingesting process, PostgreSQL, the agent.

    python -m embedded test -- .venv/bin/python benchmarks/ingestion.py [quick|normal|full]

Lines of Envoy's log go the whole way: the agent's own code converts a segment into batches, and each batch is posted
to the portal's own door for agents, through every middleware, into records, buckets, quota counters and checkpoint.
Then all of it is posted once more, and nothing may change.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.utils import timezone

from benchmarks.seed import (
    DRAW,
    Company,
    falling,
    make_company,
    publish,
    report,
    say,
    scratch_database,
    settle_tables,
    size,
    subscribe,
)
from gateways.agent.segments import Batch, Position, Segments
from gateways.agent.shipper import BATCH_BYTES
from usage.models import QuotaCounter, UsageBucket, UsageRecord

CALLS = {"quick": 20_000, "normal": 200_000, "full": 1_000_000}
APIS, SUBSCRIPTIONS = 200, 1_000
CALLS_PER_SECOND = 20_000
"""How dense the calls lie in time: a gateway that calls come to as fast as the goal says."""
GOAL = ">= 20000"
TOKEN = "agent-token-for-tests-" + "x" * 20
NODE = "edge-1"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a stretch of work: by the clock, of this process's CPU, of PostgreSQL's for this connection."""

    wall: float
    own: float
    database: float


def log_lines(company: Company, calls: int) -> Iterator[str]:
    """Calls of the subscriptions, few of which make most, as Envoy writes them; 2 % without a key that is known."""
    routes = {row.api_version_id: (row.public_id, row.claim.path) for row in company.publications}
    keys = {key.subscription_id: key.key_id for key in company.credentials}
    operations = company.operations
    weights = list(accumulate(falling(len(company.subscriptions))))
    begun = time.time() - calls / CALLS_PER_SECOND - 60
    for number in range(calls):
        [held] = DRAW.choices(company.subscriptions, cum_weights=weights)
        route, base = routes[held.api_version_id]
        operation = DRAW.choice(operations[held.api_version.spec_id or 0])
        path = base + operation.path.replace("{id}", str(DRAW.randrange(10**6))).replace("{item}", "7")
        took = DRAW.lognormvariate(3.2, 0.8)
        status = DRAW.choices((200, 201, 404, 400, 500, 429), (86, 6, 4, 1, 1, 2))[0]
        caller, key, flags, details = held.public_id, f"ghp{keys[held.pk]}", "-", "via_upstream"
        if DRAW.random() < 0.02:
            caller, key, status, details = "-", "-", 401, "missing_api_key"
        elif status == 429:
            flags, details = "RL", "request_rate_limited"
        upstream = "-" if details != "via_upstream" else str(int(took * 900))
        yield "\t".join(
            (
                f"{begun + number / CALLS_PER_SECOND:.3f}", route, caller, key, "-", operation.method, str(status),
                str(int(took * 1000)), upstream, str(int(took)), "0", str(DRAW.randrange(200, 20_000)),
                f"{DRAW.getrandbits(128):032x}", flags, details, path,
            )
        )  # fmt: skip


def batches_of(segments: Segments, name: str) -> list[Batch]:
    """A segment as the shipper cuts it."""
    found, position = [], Position()
    while (batch := segments.read(name, position, BATCH_BYTES)).end != position:
        found.append(batch)
        position = batch.end
    return found


class Door:
    """The portal's own door for agents, opened in this process as the web process opens it."""

    def __init__(self, name: str) -> None:
        self.client = Client(headers={"authorization": f"Bearer {TOKEN}", "x-node": NODE, "x-segment": name})

    def warm(self, name: str) -> None:
        """Ask how far the segment is durable, as an agent does first: what is loaded once is loaded."""
        self.client.get(
            "/agent/v1/usage", {"node": NODE, "segment": name}, SERVER_NAME=settings.ALLOWED_HOSTS[0]
        )

    def send(self, batch: Batch) -> None:
        """Post one batch. The answer has to be that all of it is durable, at least."""
        answer = self.client.post(
            "/agent/v1/usage",
            data=batch.body,
            content_type="application/x-ndjson",
            headers={"x-offset": str(batch.start.feed)},
            SERVER_NAME=settings.ALLOWED_HOSTS[0],
        )
        assert answer.status_code == 200, answer.content
        assert answer.json()["offset"] >= batch.end.feed, answer.content


def cost_of(work: Callable[[], object]) -> Cost:
    """Do it, and say what it took."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        scheduled = Path(f"/proc/{cursor.fetchone()[0]}/schedstat")
    before = time.perf_counter(), time.process_time(), _seconds(scheduled)
    work()
    after = time.perf_counter(), time.process_time(), _seconds(scheduled)
    return Cost(*(end - start for start, end in zip(before, after, strict=True)))


def _seconds(scheduled: Path) -> float:
    return int(scheduled.read_text().split()[0]) / 1e9


def counted() -> dict[str, object]:
    """Every sum that a call could be counted in twice."""
    sums = {span: UsageBucket.objects.filter(span=span) for span in UsageBucket.Span.values}
    return {
        "records": UsageRecord.objects.count(),
        **{span: rows.aggregate(n=Sum("calls"), b=Sum("bytes_out")) for span, rows in sums.items()},
        "quota": QuotaCounter.objects.aggregate(n=Sum("calls")),
        "latency": _latencies(),
    }


def _latencies() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(value::bigint)::bigint FROM usage_usagebucket, jsonb_each_text(latency) WHERE span = 'd'"
        )
        return int(cursor.fetchone()[0])


def measure(company: Company, calls: int) -> None:
    """Convert, take in, and take in once more."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as directory:
        segments = Segments(Path(directory))
        name = segments.open_new()
        segments.path(name).write_text("".join(f"{line}\n" for line in log_lines(company, calls)))
        batches: list[Batch] = []
        agent = cost_of(lambda: batches.extend(batches_of(segments, name)))
    door, found = Door(name), f"{calls:,} calls of {SUBSCRIPTIONS:,} subscriptions in {len(batches)} batches"
    door.warm(name)
    say(f"taking in {found}")
    taken = cost_of(lambda: [door.send(batch) for batch in batches])
    once = counted()
    assert once["records"] == once["latency"] == calls, once
    assert all(once[span]["n"] == calls for span in UsageBucket.Span.values), once  # type: ignore[index]
    say("the same batches once more")
    again = cost_of(lambda: [door.send(batch) for batch in batches])
    assert counted() == once, (once, counted())
    _report(calls, found, agent, taken, again)


def _report(calls: int, found: str, agent: Cost, taken: Cost, again: Cost) -> None:
    per_call = (
        f"{taken.own / calls * 1e6:.0f} us in the portal, {taken.database / calls * 1e6:.0f} us in PostgreSQL"
    )
    exact = f"{found}; all of them sent twice, counted once"
    unit = "records/s per core"
    report("usage ingestion, portal process", calls / taken.own, unit, goal=GOAL, note=exact)
    whole = calls / (taken.own + taken.database)
    report("usage ingestion, portal and PostgreSQL together", whole, unit, note=f"CPU per record: {per_call}")
    report("usage ingestion, PostgreSQL's part", taken.database / calls * 1e6, "us CPU per record")
    report(
        "usage ingestion by the clock, one connection",
        calls / taken.wall,
        "records/s",
        note="one batch at a time",
    )
    report("replay of batches that are durable already", calls / again.own, unit)
    report("agent: log lines made into batches", calls / agent.own, "lines/s per core")


def main() -> None:
    """Measure on a scratch database."""
    for name in ("django_structlog", "django.request", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    calls = CALLS[size()]
    with scratch_database():
        company = make_company()
        publish(company, APIS)
        subscribe(company, SUBSCRIPTIONS, to=40)
        settle_tables()
        with connection.cursor() as cursor:
            cursor.execute("SELECT usage_ensure_day(%s)", [timezone.now().date()])
        measure(company, calls)


if __name__ == "__main__":
    main()
