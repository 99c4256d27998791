"""The small parts of the agent beside nginx: its feed, its words of refusal, its name server."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.agent.feed import nginx_feed_line
from gateways.agent.nginx.blame import refusal
from gateways.agent.nginx.plane import only_adds
from gateways.agent.nginx.resolving import read_question, response
from gateways.agent.nginx.tables import TABLES, is_table
from gateways.drivers.nginx.translate import files
from gateways.engine.document import Document
from gateways.engine.driver import Listener
from gateways.engine.pushes import make_push
from gateways.engine.wire import NGINX_LOG_FIELDS
from tests.gateways import documents as make

CALL = {
    "$msec": "1764244800.250",
    "$gatehouse_route": "pub_1",
    "$gatehouse_subscription": "sub_1",
    "$gatehouse_key_id": "0000000000000001",
    "$request_method": "GET",
    "$status": "200",
    "$request_time": "0.050",
    "$upstream_header_time": "0.040",
    "$content_length": "7",
    "$body_bytes_sent": "120",
    "$request_id": "r1",
    "$gatehouse_path": "/shop/orders/v1/x",
}


def row(**changes: str) -> list[Any]:
    values = {**CALL, **{f"${name}": value for name, value in changes.items()}}
    line = "\t".join("-" if name == "-" else values.get(name, "") for name in NGINX_LOG_FIELDS)
    found = nginx_feed_line(line.encode())
    return list(json.loads(found)) if found else []


def test_a_call_becomes_the_same_line_as_on_envoy() -> None:
    start = 1764244800200.0
    assert row() == [
        start, "pub_1", "sub_1", "0000000000000001", "GET", "/shop/orders/v1/x", 200, 50.0, 40.0, 7, 120, "r1", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status", "why"),
    [
        ({"gatehouse_refusal": "no-key", "status": "401"}, 401, "missing_api_key"),
        ({"gatehouse_refusal": "unknown-key", "status": "401"}, 401, "unknown_api_key"),
        ({"gatehouse_refusal": "no-subscription", "status": "403"}, 403, "client_not_allowed"),
        ({"gatehouse_refusal": "quota", "status": "429"}, 429, "quota"),
        ({"gatehouse_failure": "rate", "status": "429"}, 429, "RL"),
        ({"gatehouse_failure": "down", "status": "503"}, 503, "UF"),
        ({"gatehouse_failure": "slow", "status": "504"}, 504, "UT"),
        ({"status": "499"}, 0, "DC"),
        ({"status": "500"}, 500, ""),
    ],
)
def test_the_reason_is_named_in_the_words_of_the_feed(changes: dict[str, str], status: int, why: str) -> None:
    found = row(**changes)
    assert (found[6], found[12]) == (status, why)


@pytest.mark.parametrize("refusal_word", ["no-key", "unknown-key"])
def test_an_unknown_caller_is_named_by_nothing(refusal_word: str) -> None:
    assert row(gatehouse_refusal=refusal_word)[2:4] == ["", ""]


@pytest.mark.parametrize(
    "changes", [{"gatehouse_route": ""}, {"gatehouse_refusal": "preflight"}, {"msec": "x"}]
)
def test_what_is_no_call_of_a_publication_is_left_out(changes: dict[str, str]) -> None:
    assert row(**changes) == []


@pytest.mark.parametrize(
    ("times", "wanted"), [("-", None), ("", None), ("0.001, 0.020", 20.0), ("- : 0.003", 3.0)]
)
def test_the_last_upstream_that_was_tried_counts(times: str, wanted: float | None) -> None:
    assert row(upstream_header_time=times)[8] == wanted


@given(st.binary(max_size=300))
def test_any_bytes_give_one_line_or_none(log: bytes) -> None:
    made = nginx_feed_line(log.replace(b"\n", b""))
    assert made == b"" or isinstance(json.loads(made), list)


def test_a_refusal_names_the_object_and_no_place_and_no_key() -> None:
    key = make.key_value("1")
    said = f'nginx: [emerg] conflicting parameter "{key}" in /a b/.trial-x/conf/keys.conf:2\n'
    found = refusal(said, {"keys.conf": "map a b {\n  x y;\n"})
    assert found.startswith("conflicting parameter")
    assert found.endswith("in keys.conf")
    assert key[19:] not in found
    text = "# upstream/upb_1\nupstream upb_1 {\n    server x resolve;\n}\n"
    said = '2026/11/27 12:00:00 [emerg] 7#7: invalid parameter "resolve" in /a/conf/upstreams.conf:3'
    assert (
        refusal(said, {"upstreams.conf": text})
        == 'invalid parameter "resolve" in upstream upb_1 (upstreams.conf)'
    )
    assert refusal("2026/11/27 12:00:00 [warn] 7#7: never mind", {}) == ""


@pytest.mark.parametrize("name", sorted(TABLES))
def test_tables_are_plain_to_see_and_need_no_trial(name: str) -> None:
    document = make.catalogue(30, make.block("0001", 2_000_000_000))
    text = files(document, [Listener("production", 8080)], address="127.0.0.1", nodes=1)[name]
    assert len(text) > 60
    assert is_table(text)


@pytest.mark.parametrize(
    "entry",
    [
        "    include x;\n",
        "    default x;\n",
        "    volatile;\n",
        "    a $host;\n",
        '    a "$host";\n',
        "    a b c;\n",
        "    ~^a b;\n",
        "    a b; }\n",
        "    ghs1 sub_2;\n",
        "    GHS1 sub_2;\n",
        "a b;\n",
        "    # a\n",
        "}\nserver {\n",
    ],
)
def test_what_is_no_plain_table_is_tried(entry: str) -> None:
    assert is_table('map "$a" "$b" {\n    ghs1 sub_1;\n}\n')
    assert not is_table(f'map "$a" "$b" {{\n    ghs1 sub_1;\n{entry}}}\n')


def test_only_what_takes_nothing_away_is_an_addition() -> None:
    def push(document: Document) -> Any:
        return make_push("nginx", 1, document, [{"keys.conf": ""}])

    one, two = push(make.catalogue(1)), push(make.catalogue(2))
    assert only_adds(one, two)
    assert only_adds(one, one)
    assert not only_adds(two, one)
    assert not only_adds(one, push(make.catalogue(1, make.block("0001", 2_000_000_000))))
    blocked = push(make.catalogue(1, make.block("0001", 2_000_000_000)))
    assert only_adds(blocked, blocked)
    changed = [item for item in make.catalogue(1).items.values() if item.id != "plr_1"]
    assert not only_adds(one, push(make.document(*changed, make.limit(calls=1))))


def query(name: str, sort: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!6H", 77, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", sort, 1)


def test_a_question_is_read_and_answered_with_its_addresses() -> None:
    asked = query("API.example.test", 1)
    found = read_question(asked)
    assert found is not None
    name, sort, end = found
    assert (name, sort, end) == ("api.example.test", 1, len(asked))
    answer = response(asked, end, 0, [b"\x0a\0\0\1", b"\x0a\0\0\2"])
    number, flags, questions, answers, *_ = struct.unpack_from("!6H", answer)
    assert (number, flags & 0x8000, questions, answers) == (77, 0x8000, 1, 2)
    assert answer.endswith(b"\x0a\0\0\2")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_question_or_none(packet: bytes) -> None:
    found = read_question(packet)
    assert found is None or found[2] <= len(packet)
