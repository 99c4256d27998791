#!/usr/bin/env python3
"""How many calls pass beyond a quota, and for how long: 8 clients at full speed against a running Gatehouse.

    python -m embedded exec -- .venv/bin/python benchmarks/quota_overshoot.py [ROUNDS]

Quotas are counted from the gateways' logs, so the gateway hears that one is used up only after a call has
ended: written to the log, shipped, counted, blocked, pushed. Each round uses up a quota of its own and prints
where that time goes. It needs the demo (or GATEHOUSE_TOKEN and GATEHOUSE_CONSUMER_TOKEN, see
examples/golden_path.py) on an otherwise idle machine.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

CLIENTS = 8
QUOTA = 2_000
WAIT_S = 60.0
AFTER_S = 1.0
"""The clients go on for so long after the block is live, to see that nothing passes any more."""

SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Overshoot", "version": "1.0.0"},
    "paths": {"/orders": {"get": {"operationId": "list", "responses": {"200": {"description": "Orders"}}}}},
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where to measure: addresses, and tokens of a publisher and of a consumer of another team."""

    portal: str
    upstream: str
    publisher: str
    consumer: str
    gateway: str = "edge"


@dataclass(frozen=True, slots=True)
class Round:
    """What one quota saw. Moments are POSIX seconds; `calls` are (begun, ended, status)."""

    quota: int
    calls: list[tuple[float, float, int]]
    blocked_at: float
    pushed_at: float
    live_at: float
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> list[tuple[float, float, int]]:
        """Calls that were let through, in the order of their ends."""
        return sorted((call for call in self.calls if call[2] == 200), key=lambda call: call[1])

    @property
    def used_up_at(self) -> float:
        """When the call that used the quota up had its answer."""
        return self.passed[self.quota - 1][1]

    @property
    def overshoot(self) -> int:
        return len(self.passed) - self.quota

    @property
    def open_for_s(self) -> float:
        """From the call that used it up to the beginning of the last call that passed."""
        return max(begun for begun, _ended, _status in self.passed) - self.used_up_at

    @property
    def rate(self) -> float:
        """Calls a second while the quota lasted."""
        begun = min(call[0] for call in self.calls)
        return self.quota / (self.used_up_at - begun)

    @property
    def late(self) -> int:
        """Calls that passed although they began after the block was proven to be live."""
        return sum(begun > self.live_at for begun, _ended, _status in self.passed)


class Bench:
    """One published API; every round is a plan and a subscription of its own."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.publisher, self.consumer = (_client(place, t) for t in (place.publisher, place.consumer))
        self.run = f"{time.time_ns():x}"
        self.rounds = 0
        self.team = _team(self.publisher)
        self.api = self._publish()
        self.application = _post(
            self.consumer, "/applications", {"team": _team(self.consumer), "name": f"Greedy {self.run}"}
        )

    def measure(self, quota: int = QUOTA, clients: int = CLIENTS) -> Round:
        """Use up a quota with `clients` at full speed, and go on until the gateway refuses."""
        self.rounds += 1
        subscription = self._subscribe(quota)
        key = _post(self.consumer, f"/subscriptions/{subscription}/credentials", {})
        enforced = f"/credentials/{key['id']}/enforcement"
        _until(lambda: _get(self.consumer, enforced)["live"], "the key is live")
        callers = Callers(f"{self.api['address']}/orders", key["key"], clients)
        callers.start()
        try:
            _until(callers.refused.is_set, "a call is refused")
            push = _until(lambda: self._push_of_block(callers.begun_at), "the push of the block is recorded")
            time.sleep(AFTER_S)
        finally:
            callers.stop()
        block = _get(self.consumer, f"/subscriptions/{subscription}")["blocks"][0]
        steps = {step["name"]: _took(step) for step in push["steps"]}
        round_ = Round(
            quota,
            callers.calls,
            _moment(block["created_at"]),
            _moment(push["started_at"]),
            _moment(push["finished_at"]),
            steps,
        )
        _post(self.consumer, f"/subscriptions/{subscription}/close", {"reason": "Measured."})
        return round_

    def _publish(self) -> dict[str, Any]:
        api = _post(
            self.publisher,
            "/apis",
            {"team": self.team, "name": f"Overshoot {self.run}", "visibility": "internal"},
        )
        path = f"/apis/{self.team}/{api['slug']}"
        if not _get(self.publisher, f"{path}/versions")["results"]:
            _post(self.publisher, f"{path}/versions", {})
        _checked(self.publisher.put(f"{path}/versions/1/spec", json=SPEC))
        upstream = _post(self.publisher, "/upstreams", {"team": self.team, "name": f"overshoot-{self.run}"})
        binding = {"targets": [{"url": self.place.upstream}]}
        _checked(self.publisher.put(f"/upstreams/{upstream['id']}/bindings/production", json=binding))
        _checked(self.publisher.put(f"{path}/versions/1/upstream", json={"upstream": upstream["id"]}))
        where = {"gateway": self.place.gateway, "environment": "production"}
        name = f"{self.team}/{api['slug']}"
        published = _post(self.publisher, "/publications", {"api": name, "major": 1, **where})
        shown = f"/publications/{published['id']}/enforcement"
        _until(lambda: _get(self.publisher, shown)["live"], "the publication is live")
        return {**published, "path": path, "name": name}

    def _offer(self, path: str, quota: int) -> str:
        """A plan that only its quota limits."""
        limits = {"rate_calls": 1_000_000, "rate_period_s": 1, "burst": 1_000_000, "quota_day": quota}
        plan = _post(
            self.publisher,
            f"{path}/plans",
            {"name": f"Quota {quota} {self.rounds}", "approval": "automatic", **limits},
        )
        _post(self.publisher, f"{path}/plans/{plan['slug']}/publish", {})
        return str(plan["slug"])

    def _subscribe(self, quota: int) -> str:
        asked = {
            "application": self.application["id"],
            "api": self.api["name"],
            "version": 1,
            "environment": "production",
            "plan": self._offer(self.api["path"], quota),
            "reason": "To be used up.",
        }
        return str(_post(self.consumer, "/access-requests", asked)["subscription"])

    def _push_of_block(self, since: float) -> dict[str, Any] | None:
        """The finished deployment that carried a block to the gateway since the calls began."""
        for one in _get(self.publisher, f"/gateways/{self.place.gateway}/deployments")["results"]:
            carries = any(change["kind"] == "block" for change in one["changes"])
            if carries and one["finished_at"] and _moment(one["started_at"]) > since:
                return dict(one)
        return None


class Callers:
    """Clients that call in a circle, each on a connection of its own, and note every answer."""

    def __init__(self, url: str, key: str, clients: int) -> None:
        self.url, self.key = urlsplit(url), key
        self.calls: list[tuple[float, float, int]] = []
        self.refused = threading.Event()
        self.stopped = threading.Event()
        self.begun_at = 0.0
        self.threads = [threading.Thread(target=self._call, daemon=True) for _client in range(clients)]

    def start(self) -> None:
        self.begun_at = time.time()
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _call(self) -> None:
        connection = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=10)
        found = []
        while not self.stopped.is_set():
            begun = time.time()
            connection.request("GET", self.url.path, headers={"X-API-Key": self.key})
            answer = connection.getresponse()
            answer.read()
            found.append((begun, time.time(), answer.status))
            if answer.status == 429:
                self.refused.set()
        connection.close()
        self.calls += found  # one bytecode under the interpreter's lock


def _client(place: Place, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{place.portal}/api/v1", headers=headers, timeout=30, trust_env=False)


def _team(portal: httpx.Client) -> str:
    return next(row["slug"] for row in _get(portal, "/me")["teams"] if not row["personal"])


def _get(portal: httpx.Client, path: str) -> Any:
    return _checked(portal.get(path)).json()


def _post(portal: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    return _checked(portal.post(path, json=body)).json()


def _checked(answer: httpx.Response) -> httpx.Response:
    assert not answer.is_error, f"{answer.request.url.path}: {answer.status_code} {answer.text}"
    return answer


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _took(step: dict[str, Any]) -> float:
    ended = step["finished_at"]
    return _moment(ended) - _moment(step["started_at"]) if ended else 0.0


def _until[T](answer: Callable[[], T], what: str) -> T:
    deadline = time.monotonic() + WAIT_S
    while not (found := answer()):
        assert time.monotonic() < deadline, f"not within {WAIT_S:.0f} s: {what}"
        time.sleep(0.1)
    return found


def _place() -> Place:
    """The running system that the environment names."""
    portal = os.environ.get("GATEHOUSE_URL", f"http://localhost:{os.environ.get('PORTAL_PORT', '8000')}")
    upstream = f"http://127.0.0.1:{os.environ.get('SAMPLE_ORDERS_PORT', '9201')}"
    if "GATEHOUSE_TOKEN" in os.environ:
        tokens = os.environ["GATEHOUSE_TOKEN"], os.environ["GATEHOUSE_CONSUMER_TOKEN"]
    else:
        state = Path(os.environ.get("GATEHOUSE_STATE", Path(__file__).resolve().parent.parent / "var"))
        found = json.loads((state / "secrets" / "demo_tokens.json").read_text())
        tokens = found["alice"], found["dana"]
    gateway = os.environ.get("GATEHOUSE_GATEWAY", "edge")
    return Place(portal.rstrip("/"), os.environ.get("GATEHOUSE_UPSTREAM", upstream), *tokens, gateway)


def _step(name: str, one: Round) -> float:
    return one.steps.get(name, 0.0)


def report(rounds: list[Round]) -> str:
    """The rounds in a table, in the order in which time passes."""
    columns: dict[str, Callable[[Round], float]] = {
        "calls/s": lambda one: one.rate,
        "overshoot, calls": lambda one: one.overshoot,
        "open after used up, s": lambda one: one.open_for_s,
        "  used up -> block noted, s": lambda one: one.blocked_at - one.used_up_at,
        "  noted -> push begun, s": lambda one: one.pushed_at - one.blocked_at,
        "  push begun -> proven, s": lambda one: one.live_at - one.pushed_at,
        **{f"    {name}, s": partial(_step, name) for name in rounds[-1].steps},
        "passed after proof, calls": lambda one: one.late,
    }
    width = max(map(len, columns))
    lines = [f"{'':{width}} {'median':>9} {'most':>9}"]
    for name, value in columns.items():
        values = [value(one) for one in rounds]
        lines.append(f"{name:{width}} {statistics.median(values):9.2f} {max(values):9.2f}")
    return "\n".join(lines)


def main() -> None:
    """Measure some rounds and print them."""
    bench = Bench(_place())
    rounds = [bench.measure() for _round in range(int(sys.argv[1]) if len(sys.argv) > 1 else 10)]
    sys.stdout.write(f"{len(rounds)} quotas of {QUOTA} calls, {CLIENTS} clients\n{report(rounds)}\n")


if __name__ == "__main__":
    main()
