"""How a line of the access log becomes a line of the feed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.agent.feed import feed_line

GOOD = {
    "start": "1795487828.350",
    "route": "pub_1",
    "client": "sub_1",
    "header_key": "ghs0000000000000001",
    "bearer_key": "-",
    "method": "GET",
    "status": "200",
    "total": "2121",
    "upstream": "1090",
    "duration": "2",
    "bytes_in": "0",
    "bytes_out": "314",
    "request_id": "20b9fba4-6413-46f1-8b7e-3cf7c0ea317c",
    "flags": "-",
    "details": "via_upstream",
    "path": "/shop/orders/v1/x",
}


def line(**changes: str) -> bytes:
    return "\t".join({**GOOD, **changes}.values()).encode()


def fields(**changes: str) -> list[object]:
    found = json.loads(feed_line(line(**changes)))
    assert isinstance(found, list)
    return found


def test_an_ordinary_call() -> None:
    assert fields() == [
        1795487828350.0,
        "pub_1",
        "sub_1",
        "0000000000000001",
        "GET",
        "/shop/orders/v1/x",
        200,
        2.121,
        1.09,
        0,
        314,
        "20b9fba4-6413-46f1-8b7e-3cf7c0ea317c",
        "",
    ]


def test_a_bearer_key_is_found_too() -> None:
    assert fields(header_key="-", bearer_key="Bearer ghp00000000000000ab")[3] == "00000000000000ab"


@pytest.mark.parametrize("details", ["unknown_api_key", "missing_api_key"])
def test_a_key_that_the_gateway_did_not_know_is_nobodys(details: str) -> None:
    """Else anybody could write calls upon the key of another."""
    found = fields(client="-", status="401", details=details, upstream="-")
    assert (found[2], found[3], found[8], found[12]) == ("", "", None, details)


def test_a_good_key_without_subscription_is_known() -> None:
    found = fields(client="-", status="403", details="client_not_allowed")
    assert (found[2], found[3]) == ("", "0000000000000001")


def test_a_secret_in_the_place_of_a_key_is_not_passed_on() -> None:
    assert fields(header_key="hunter2-hunter2-hun")[3] == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"flags": "RL", "details": "local_rate_limited"}, "RL"),
        ({"flags": "URX,UF", "details": "upstream_reset"}, "URX,UF"),
        ({"details": "rbac_access_denied_matched_policy[quota]"}, "quota"),
        ({}, ""),
    ],
)
def test_the_reason_is_named(changes: dict[str, str], why: str) -> None:
    assert fields(**changes)[12] == why


def test_a_call_cut_short_has_no_status_and_takes_the_whole_milliseconds() -> None:
    found = fields(status="0", total="-", upstream="-", flags="DC", request_id="-")
    assert found[6:9] == [0, 2.0, None]


@pytest.mark.parametrize(
    "left_out",
    [line(route="-"), line(details="cors_response"), b"", b"half a line", line(start="x"), line(status="x")],
)
def test_what_is_no_call_of_a_publication_is_left_out(left_out: bytes) -> None:
    assert feed_line(left_out) == b""


@given(st.binary(max_size=200))
def test_any_path_gives_one_line_of_json(path: bytes) -> None:
    path = path.replace(b"\n", b"")
    made = feed_line(line(path="") + path)
    assert made.count(b"\n") == 1
    assert isinstance(json.loads(made)[5], str)


@given(st.binary(max_size=400))
def test_any_bytes_give_one_line_or_none(log: bytes) -> None:
    made = feed_line(log.replace(b"\n", b""))
    assert made == b"" or isinstance(json.loads(made), list)
