"""Somebody outside who keeps every key ever issued and calls every route with each, all the time.

A promise says what a call may be answered from now on, and is made when a page has said so; before a decision is
taken the promise is withdrawn. A call is held to a promise that stood from before it was sent until after it was
answered: so no wrong 200 past the moment the page says `removed`, and no wrong 401 or 403 after it says `live`.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.gateways.gateway_node import wait_for

UNREACHED = 0
"""In the place of a status: nobody listened, so the call never reached a gateway."""
CUT = -1
"""The call was sent and no answer came."""

ALLOWED = frozenset({200})
REFUSED = frozenset({401})
FOREIGN = frozenset({403})
GONE = frozenset({404})
ANYTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when it was sent and answered (monotonic seconds), what with, and the status."""

    sent: float
    answered: float
    key: str
    url: str
    status: int


@dataclass(frozen=True, slots=True)
class Promise:
    """From `since` on the statuses that are right; ANYTHING while it is open."""

    since: float
    right: frozenset[int]


class Caller:
    """A client that keeps its connections, and tries the next address where nobody listens."""

    def __init__(self) -> None:
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def call(self, key: str, url: str, bases: Iterable[str]) -> Call:
        """One call of `url` at the first of `bases` (host:port) that listens."""
        for base in bases:
            sent = time.monotonic()
            status = self._status(base, url, key)
            if status != UNREACHED:
                break
        return Call(sent, time.monotonic(), key, url, status)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _status(self, base: str, url: str, key: str) -> int:
        if base in self._connections:
            # A gateway may close an idle connection at any time, which says nothing of this call: ask anew.
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._ask(base, url, key)
            self._connections.pop(base).close()
        try:
            self._connections[base] = http.client.HTTPConnection(base, timeout=20)
            return self._ask(base, url, key)
        except ConnectionRefusedError:
            status = UNREACHED
        except (OSError, http.client.HTTPException):
            status = CUT
        self._connections.pop(base).close()
        return status

    def _ask(self, base: str, url: str, key: str) -> int:
        connection = self._connections[base]
        connection.request("GET", url, headers={"x-api-key": key} if key else {})
        response = connection.getresponse()
        response.read()
        if response.will_close:
            connection.close()
        return response.status


class Prober:
    """Knows keys and routes, and what was promised of each pair."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._promises: dict[tuple[str, str], list[Promise]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._bases: dict[str, tuple[str, ...]] = {}
        self._rounds = 0
        self._pause_s = 0.0

    # ---- what is promised ----

    def know(self, key: str, url: str, *bases: str) -> None:
        """Call the path `url` with `key` from now on, at the first of `bases` that answers."""
        with self._lock:
            self._bases[url] = bases
            self._promises.setdefault((key, url), [Promise(time.monotonic(), ANYTHING)])

    def promise(self, key: str, url: str, right: Iterable[int]) -> None:
        """What calls that are sent from now on are answered."""
        with self._lock:
            self._promises[key, url].append(Promise(time.monotonic(), frozenset(right)))

    def withdraw(self, key: str, url: str) -> None:
        """From now on any answer is right, until the next promise."""
        self.promise(key, url, ANYTHING)

    def withdraw_all(self, key: str) -> None:
        """Likewise on every route."""
        for known, url in list(self._promises):
            if known == key:
                self.withdraw(key, url)

    # ---- calling ----

    def start(self, threads: int = 1, pause_s: float = 0.002) -> None:
        """Call on and on, with a pause between two calls of a thread."""
        self._stop.clear()
        self._pause_s = pause_s
        self._threads = [threading.Thread(target=self._keep_calling, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        self._threads = []

    def whole_round(self) -> None:
        """Wait until every key has been tried on every route once more."""
        if not self._threads:
            self._call_all(Caller())
            return
        seen = self._rounds
        wait_for(lambda: self._rounds >= seen + 2 * len(self._threads), 60)

    def _keep_calling(self) -> None:
        caller = Caller()
        while not self._stop.is_set():
            self._call_all(caller)
            self._stop.wait(self._pause_s)
        caller.close()

    def _call_all(self, caller: Caller) -> None:
        for key, url in list(self._promises):
            if self._threads and self._stop.wait(self._pause_s):
                return
            call = caller.call(key, url, self._bases[url])
            with self._lock:
                self.calls.append(call)
        self._rounds += 1

    # ---- judging ----

    def wrong(self) -> list[str]:
        """Every call that was not answered as promised, in words; calls without an answer are not among them."""
        return [
            f"{call.key[:19]} {call.url}: {call.status}, promised {sorted(right)} {call.sent - since:.3f} s before"
            for call, since, right in self._judged()
            if call.status > 0 and call.status not in right
        ]

    def failed(self) -> list[Call]:
        """Promised calls that got no answer, or an error of a gateway."""
        return [call for call, _since, right in self._judged() if call.status <= 0 or call.status >= 500]

    def judged(self) -> int:
        """How many calls were held to a promise."""
        return sum(1 for _ in self._judged())

    def _judged(self) -> Iterable[tuple[Call, float, frozenset[int]]]:
        with self._lock:
            calls = list(self.calls)
            promises = {name: list(made) for name, made in self._promises.items()}
        for call in calls:
            made = promises[call.key, call.url]
            for promise, after in itertools.zip_longest(made, made[1:]):
                until = after.since if after else float("inf")
                if promise.right and promise.since <= call.sent and call.answered < until:
                    yield call, promise.since, promise.right
