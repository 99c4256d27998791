"""Usage is shipped exactly once: whatever fails, the portal ends with the feed, no line more or less (R12)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.agent.feed import feed_line
from gateways.agent.plane import Unreachable
from gateways.agent.portal import Portal, PortalError
from gateways.agent.segments import SETTLED_S, Position, Segments
from gateways.agent.shipper import Shipper
from gateways.agent.store import Store
from tests.gateways.agent.test_feed import line
from tests.gateways.portal_server import Ledger

TOKEN = "0123456789abcdefghijklmnopq"


class Wire(httpx.AsyncBaseTransport):
    """A portal without a socket: the ledger of the protocol behind httpx."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        failure = self.ledger.failures.pop(0) if self.ledger.failures else ""
        if failure == "away":
            raise httpx.ConnectError("away")
        if failure == "down":
            return httpx.Response(503)
        if request.method == "GET":
            held = self.ledger.offset(request.url.params["node"], request.url.params["segment"])
            return httpx.Response(200, json={"offset": held})
        body = await request.aread()
        if request.url.path.endswith("/losses"):
            status, found = self.ledger.lose(json.loads(body))
            return httpx.Response(status, json=found)
        where = (request.headers["x-node"], request.headers["x-segment"], int(request.headers["x-offset"]))
        status, found = self.ledger.take(*where, body)
        if failure == "lost":
            raise httpx.ReadError("lost")
        return httpx.Response(status, json=found)


async def nobody() -> None:
    """A gateway that is not running opens no log."""
    raise Unreachable


class Node:
    """The usage part of an agent over a directory; `restart` is what a kill leaves behind."""

    def __init__(self, root: Path) -> None:
        self.ledger = Ledger(TOKEN)
        self.store = Store(root)
        self.store.prepare({})
        self.segments = Segments(self.store.usage)
        self.segments.open_before_start()
        self.restart()

    def restart(self) -> None:
        portal = Portal("http://portal.test", TOKEN, Wire(self.ledger))
        self.shipper = Shipper(
            self.store,
            Segments(self.store.usage),
            portal,
            nobody,
            node="n1",
            spool_bytes=10_000_000,
        )

    def ship(self) -> None:
        asyncio.run(self.shipper.ship_all())

    def ship_until_done(self) -> None:
        while True:
            try:
                return self.ship()
            except PortalError:
                continue

    def write(self, text: bytes, segment: str = "") -> None:
        with self.segments.path(segment or self.segments.current()).open("ab") as file:
            file.write(text)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def calls(*numbers: int) -> bytes:
    return b"".join(line(request_id=f"r{number}") + b"\n" for number in numbers)


def unknown(count: int) -> bytes:
    return (line(route="-") + b"\n") * count


def seen(ledger: Ledger) -> list[int]:
    return [int(str(row[11])[1:]) for row in ledger.rows()]


def test_lines_arrive_in_order_and_once(node: Node) -> None:
    node.write(calls(1, 2) + unknown(2) + calls(3))
    node.ship()
    node.write(calls(4))
    node.ship()
    node.ship()
    assert seen(node.ledger) == [1, 2, 3, 4]


def test_a_line_that_is_still_being_written_waits(node: Node) -> None:
    node.write(calls(1) + calls(2)[:-10])
    node.ship()
    assert seen(node.ledger) == [1]
    node.write(calls(2)[-10:])
    node.ship()
    assert seen(node.ledger) == [1, 2]


def test_an_answer_that_was_lost_doubles_nothing(node: Node) -> None:
    node.write(calls(1, 2))
    node.ledger.failures = ["", "lost"]
    with pytest.raises(PortalError):
        node.ship()
    node.write(calls(3))
    node.restart()
    node.ship()
    assert seen(node.ledger) == [1, 2, 3]


def test_lost_notes_lose_nothing(node: Node) -> None:
    node.write(calls(1, 2) + unknown(1))
    node.ship()
    (node.store.usage / "offsets.json").unlink()
    node.restart()
    node.write(calls(3))
    node.ship()
    assert seen(node.ledger) == [1, 2, 3]


def test_a_portal_restored_from_an_old_backup_gets_the_rest_again(node: Node) -> None:
    node.write(calls(1, 2, 3))
    node.ship()
    held = node.ledger.feed["n1", node.segments.current()]
    node.ledger.feed["n1", node.segments.current()] = held[: held.index(b"\n") + 1]
    node.write(calls(4))
    node.ship()
    assert seen(node.ledger) == [1, 2, 3, 4]


def test_a_batch_that_is_too_large_is_cut(node: Node) -> None:
    node.ledger.largest = 20_000
    node.write(calls(*range(1000)))
    node.ship()
    assert seen(node.ledger) == list(range(1000))


def test_a_portal_that_names_an_impossible_offset_does_not_hold_up_other_segments(node: Node) -> None:
    first = node.segments.current()
    node.write(calls(1))
    node.segments.open_new()
    node.write(calls(2))
    node.ledger.feed["n1", first] = b"garbage"
    with pytest.raises(PortalError, match="no line ends"):
        node.ship()
    assert b'"r2"' in node.ledger.feed["n1", node.segments.current()]


def settle(node: Node) -> None:
    """Make the files look as if nothing had been written for a while, and Envoy as if it had opened its log."""
    for entry in os.scandir(node.store.usage):
        at = entry.stat(follow_symlinks=False).st_mtime - SETTLED_S - 1
        os.utime(entry.path, (at, at), follow_symlinks=False)
    node.shipper._reopen_wanted = False


def test_a_shipped_segment_is_removed_when_nothing_can_be_added_to_it(node: Node) -> None:
    first = node.segments.current()
    node.write(calls(1))
    node.segments.open_new()
    node.ship()
    assert first in node.segments.names()
    node.write(calls(2), first)
    settle(node)
    node.ship()
    assert node.segments.names() == [node.segments.current()]
    assert seen(node.ledger) == [1, 2]


def test_a_segment_stays_while_the_gateway_may_still_write_to_it(node: Node) -> None:
    first = node.segments.current()
    node.segments.open_new()
    settle(node)
    node.shipper._reopen_wanted = True
    node.ship()
    assert first in node.segments.names()


def test_half_a_line_of_a_killed_gateway_is_not_glued_to_the_next(node: Node) -> None:
    node.write(calls(1) + calls(2)[:30])
    node.segments.open_before_start()
    node.write(calls(3))
    settle(node)
    node.ship()
    assert seen(node.ledger) == [1, 3]
    assert len(node.segments.names()) == 1
    [loss] = node.ledger.losses
    assert (loss["reason"], loss["size"]) == ("gateway_killed", 30)


def test_a_full_spool_loses_the_oldest_and_says_so(node: Node) -> None:
    node.write(calls(*range(100)))
    node.segments.open_new()
    node.write(calls(100))
    node.shipper._spool_bytes = node.segments.size(node.segments.current()) + 10
    node.ship()
    assert seen(node.ledger) == [100]
    assert node.shipper.lost_bytes > 0
    [loss] = node.ledger.losses
    assert (loss["reason"], loss["size"]) == ("spool_full", len(calls(*range(100))))
    assert loss["from"] <= loss["until"]


def test_a_loss_is_told_after_a_restart_too_and_once(node: Node) -> None:
    node.write(calls(*range(100)))
    node.segments.open_new()
    node.shipper._spool_bytes = 10
    node.ledger.failures = ["away"]
    with pytest.raises(PortalError):
        node.ship()
    assert node.ledger.losses == []
    node.restart()
    node.ship()
    node.ship()
    assert len(node.ledger.losses) == 1


def test_a_line_that_the_portal_cannot_read_is_set_aside_and_the_rest_goes_on(node: Node) -> None:
    node.ledger.unreadable = b'"r13"'
    node.write(calls(1, 13, 2, 13, 3))
    node.ship()
    assert seen(node.ledger) == [1, 2, 3]
    assert [loss["reason"] for loss in node.ledger.losses] == ["malformed", "malformed"]
    aside = (node.store.usage / "set-aside.ndjson").read_bytes().splitlines()
    assert aside == [feed_line(calls(13)[:-1])[:-1]] * 2
    node.write(calls(4))
    node.ship()
    assert seen(node.ledger) == [1, 2, 3, 4]


def test_the_backlog_is_what_the_portal_does_not_hold(node: Node) -> None:
    node.write(calls(1, 2))
    assert node.shipper.backlog_bytes() == node.segments.size(node.segments.current())
    node.ship()
    assert node.shipper.backlog_bytes() == 0


STEPS = st.lists(
    st.sampled_from(["write", "unknown", "half", "rotate", "ship", "restart", "forget"]), max_size=15
)
FAILURES = st.lists(st.sampled_from(["", "", "down", "lost", "away"]), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, failures=FAILURES)
def test_whatever_fails_the_portal_ends_with_every_line_once_r12(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], failures: list[str]
) -> None:
    """R12: writes, rotations, restarts, lost notes and lost answers in any order."""
    node = Node(tmp_path_factory.mktemp("node"))
    node.ledger.failures = list(failures)
    numbers = itertools.count()
    written: list[int] = []
    pending = b""
    for step in steps:
        if step == "write" or step == "half":
            number = next(numbers)
            text = calls(number)
            node.write(pending + (text[:20] if step == "half" else text))
            written.append(number)
            pending = text[20:] if step == "half" else b""
        elif step == "unknown":
            node.write(pending + unknown(1))
            pending = b""
        elif step == "rotate":
            node.write(pending)
            pending = b""
            node.segments.open_new()
        elif step == "ship":
            with contextlib.suppress(PortalError):
                node.ship()
        elif step == "restart":
            node.restart()
        else:
            (node.store.usage / "offsets.json").unlink(missing_ok=True)
    node.write(pending)
    node.ship_until_done()
    assert sorted(seen(node.ledger)) == written


@given(st.lists(st.booleans(), max_size=20))
def test_the_feed_is_the_same_from_whatever_line_it_is_made_again(
    tmp_path_factory: pytest.TempPathFactory, known: list[bool]
) -> None:
    segments = Segments(tmp_path_factory.mktemp("segments"))
    name = segments.open_new()
    lines = [line(request_id=f"r{n}", route="pub_1" if is_known else "-") for n, is_known in enumerate(known)]
    segments.path(name).write_bytes(b"".join(one + b"\n" for one in lines))
    whole = segments.read(name, Position(), 10**6).body
    assert whole == b"".join(map(feed_line, lines))
    at = 0
    for one in whole.splitlines(keepends=True):
        place = segments.seek(name, Position(), at)
        assert place is not None
        assert segments.read(name, place, 10**6).body == whole[at:]
        assert json.loads(one)
        at += len(one)
    assert segments.seek(name, Position(), len(whole) + 1) is None
