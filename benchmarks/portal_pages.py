#!/usr/bin/env python3
"""How long pages take with 10,000 APIs, 1,000 subscriptions and a long queue, and up to 50 million calls in buckets.

    python -m embedded test -- .venv/bin/python benchmarks/portal_pages.py [quick|normal|full]

A real gunicorn with one worker serves them, as production does; the time is that of a client on the same machine,
from the first byte of the request to the last of the answer, one request at a time.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PORT = int(os.environ.get("BENCH_PORT", "38471"))
os.environ |= {"PORTAL_URL": f"http://127.0.0.1:{PORT}", "ALLOWED_HOSTS": "127.0.0.1"}

from django.conf import settings
from django.test import Client
from django.urls import reverse

from benchmarks.seed import (
    TAIL,
    TYPOS,
    UNKNOWN,
    Company,
    ask,
    make_company,
    publish,
    report,
    say,
    scratch_database,
    settle_tables,
    size,
    subscribe,
)
from benchmarks.seed_usage import fill
from embedded.layout import ROOT
from usage.ranges import RANGES

APIS, SUBSCRIPTIONS, WANTED = 10_000, 1_000, 200
PENDING, DECIDED = 1_000, 5_000
CALLS = {"quick": (1_000_000,), "normal": (1_000_000, 50_000_000), "full": (1_000_000, 50_000_000)}
ROUNDS = {"quick": 2, "normal": 4, "full": 20}
FEW = 8
SEARCH_GOAL, USAGE_GOAL = "< 100 ms", "< 200 ms"

SEARCHES: dict[str, list[dict[str, str]]] = {
    "no words": [{}, {"page": "200"}, {"view": "table"}, {"visibility": "public"}],
    "common": [{"q": word} for word in ("service", "orders", "list", "history", "internal")],
    "usual": [
        {"q": word} for word in ("payments europe", "invoice export", "weather feed", "list shipments items")
    ],
    "half typed": [{"q": word} for word in ("o", "pa", "ord", "ship", "cust")],
    "rare": [{"q": word} for word in (*TAIL[-3:], TAIL[1_000], "tariffs iberia rules")],
    "narrowed": [
        {"q": "orders", "tag": "europe"},
        {"team": "shop"},
        {"q": "get", "environment": "production"},
    ],
    "mistyped": [{"q": word} for word in TYPOS],
    "not there": [{"q": word} for word in UNKNOWN],
}


@dataclass(frozen=True, slots=True)
class Timed:
    """One answer: whose it was, what was asked for, and milliseconds."""

    kind: str
    path: str
    ms: float


class Browser:
    """Somebody's browser with a connection that stays open."""

    def __init__(self, company: Company, name: str) -> None:
        self.name = name
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        client = Client()
        self.headers: dict[str, str] = {}
        if name:
            client.force_login(company.people[name])
            self.headers["Cookie"] = (
                f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
            )

    def get(self, path: str, kind: str = "", **headers: str) -> tuple[Timed, str]:
        """Ask for a page, which has to be there."""
        begun = time.perf_counter()
        self.connection.request("GET", path, headers={**self.headers, **headers})
        answer = self.connection.getresponse()
        body = answer.read()
        took = Timed(kind or self.name, path, (time.perf_counter() - begun) * 1000)
        assert answer.status == 200, f"{path} as {self.name or 'nobody'}: {answer.status}"
        return took, body.decode()


@contextlib.contextmanager
def web() -> Iterator[None]:
    """gunicorn as scripts/role starts it, with one worker."""
    environment = {**os.environ, "WEB_BIND": f"127.0.0.1:{PORT}", "WEB_WORKERS": "1", "WEB_THREADS": "2"}
    command = [sys.executable, str(ROOT / "scripts" / "role"), "web"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _until_it_answers(process)
            yield
        finally:
            process.terminate()
            process.wait(20)


def _until_it_answers(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "gunicorn has ended"
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise AssertionError("gunicorn does not answer")


def searches(company: Company, rounds: int) -> list[Timed]:
    """Every search by everybody, as a page and as the part that htmx asks for while one types."""
    found = []
    url = reverse("catalogue")
    for browser in [Browser(company, name) for name in ("alice", "dana", "erin", "")]:
        browser.get(url)
        for _round in range(rounds):
            for kind, queries in SEARCHES.items():
                for query in queries:
                    path = f"{url}?{urlencode(query)}"
                    found += [
                        browser.get(path, kind)[0],
                        browser.get(path, kind, **{"HX-Request": "true"})[0],
                    ]
    return found


def usage_pages(company: Company, rounds: int) -> list[Timed]:
    """Usage of the most and least wanted APIs of Shop and applications of Logistics, in every range."""
    shop, logistics = company.teams[:2]
    held = [row.api_version.api for row in company.subscriptions]
    apis = sorted({api for api in held if api.team_id == shop.pk}, key=lambda api: (-held.count(api), api.pk))
    own = [row for row in company.applications if row.team_id == logistics.pk]
    targets = {
        "alice": [reverse("usage-api", args=[shop.slug, api.slug]) for api in _ends(apis)],
        "dana": [reverse("usage-application", args=[row.public_id]) for row in _ends(own)],
    }
    found = []
    for name, urls in targets.items():
        browser = Browser(company, name)
        browser.get(reverse("usage"))
        for _round in range(rounds):
            for choice in RANGES:
                pages = [(reverse("usage"), "overview"), *((url, choice) for url in urls)]
                found += [browser.get(f"{url}?range={choice}", kind)[0] for url, kind in pages]
    return found


def _ends[T](rows: Sequence[T]) -> list[T]:
    """The first few and the last few."""
    return [*rows[: FEW - 2], *rows[-2:]]


_LINK = re.compile(r'<a [^>]*href="(/[^"?#]*)"')


def portal_pages(company: Company, name: str, rounds: int) -> list[Timed]:
    """Each page of somebody's navigation, and the first pages that each leads to."""
    browser = Browser(company, name)
    _took, home = browser.get(reverse("catalogue"))
    rail = home[home.index('<header class="rail"') : home.index("</header>")]
    listed = [
        url for url in dict.fromkeys(_LINK.findall(rail)) if url != "/" and not url.startswith("/admin")
    ]
    urls = dict.fromkeys(listed)
    for url in listed:
        _took, page = browser.get(url)
        main = page[page.index("<main") : page.index("</main>")]
        deeper = [link for link in dict.fromkeys(_LINK.findall(main)) if not link.startswith("/accounts/")]
        urls |= dict.fromkeys(deeper[:4])
    return [browser.get(url)[0] for _round in range(rounds) for url in urls]


def p95(found: Sequence[Timed]) -> float:
    """The smallest time that 95 of 100 answers do not exceed."""
    times = sorted(one.ms for one in found)
    return times[math.ceil(0.95 * len(times)) - 1]


def _by[K](found: Sequence[Timed], key: str) -> dict[str, list[Timed]]:
    groups: dict[str, list[Timed]] = {}
    for one in found:
        groups.setdefault(getattr(one, key), []).append(one)
    return dict(sorted(groups.items(), key=lambda group: -p95(group[1])))


def _report(what: str, found: Sequence[Timed], goal: str | None, note: str, by: str) -> None:
    groups = [f"{name} {p95(group):.0f}" for name, group in _by(found, by).items()]
    times = sorted(one.ms for one in found)
    middle = f"p50 {times[len(times) // 2]:.0f} ms; p95 of the slowest: {', '.join(groups[:8])}"
    report(
        f"{what}, p95",
        p95(found),
        "ms",
        goal=goal,
        note=f"{note}; {len(found)} answers at load {os.getloadavg()[0]:.1f}; {middle}",
    )


def main() -> None:
    """Measure on a scratch database."""
    for name in ("django_structlog", "django.request"):
        logging.getLogger(name).setLevel(logging.WARNING)
    rounds, everything = ROUNDS[size()], size() == "full"
    with scratch_database():
        company = make_company()
        publish(company, APIS)
        subscribe(company, SUBSCRIPTIONS, to=WANTED)
        ask(company, pending=PENDING, decided=DECIDED)
        settle_tables()
        say("the catalogue is seeded")
        with web():
            shape = f"{APIS:,} APIs"
            _report("catalogue search", searches(company, rounds), SEARCH_GOAL, shape, "kind")
            for calls in CALLS[size()]:
                rows, totals = fill(company, calls, everything=everything)
                settle_tables()
                say(f"{calls:,} calls are seeded in {rows:,} buckets and {totals:,} totals")
                shape = (
                    f"{rows:,} buckets and {totals:,} totals of {SUBSCRIPTIONS:,} subscriptions over 90 days"
                )
                found = usage_pages(company, rounds)
                _report(f"usage page, {calls // 1_000_000} M calls", found, USAGE_GOAL, shape, "kind")
            shape = f"{APIS:,} APIs, {SUBSCRIPTIONS:,} subscriptions, {PENDING:,} requests that wait"
            for name in company.people:
                found = portal_pages(company, name, rounds)
                _report(f"portal pages of {name}", found, None, shape, "path")


if __name__ == "__main__":
    main()
