"""The one way in: bytes to a ReadSpec, through a process of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from apis.spec.document import SpecOperation, SpecRefused, read_spec
from apis.spec.sandbox import read_in_sandbox

type SpecBytes = Callable[[str], bytes]


def test_a_yaml_document_is_read_whole(spec_bytes: SpecBytes) -> None:
    data = spec_bytes("orders-3.1.yaml")
    spec = read_spec(data, "orders.yaml")
    assert (spec.openapi, spec.title, spec.version, spec.size) == ("3.1.0", "Orders", "2.1.0", len(data))
    assert spec.servers == ("https://orders.example.com/v2",)
    assert spec.tags == ("orders", "lines")
    assert spec.security_schemes == {"backend": "http bearer"}
    assert spec.warnings == ()
    assert spec.operations[0] == SpecOperation(
        "listOrders", "GET", "/orders", "listOrders", "List orders", deprecated=False, tags=("orders",)
    )
    assert [o.key for o in spec.operations] == [
        "listOrders", "createOrder", "readOrder", "DELETE /orders/{order_id}", "latestOrder",
    ]  # fmt: skip
    assert [o.deprecated for o in spec.operations] == [False, False, False, True, False]


def test_the_text_is_canonical_json_in_the_order_written(spec_bytes: SpecBytes) -> None:
    spec = read_spec(spec_bytes("orders-3.1.yaml"))
    assert spec.digest == hashlib.sha256(spec.text.encode()).hexdigest()
    assert list(spec.document()) == [
        "openapi", "info", "servers", "tags", "paths", "components", "security",
    ]  # fmt: skip
    responses = spec.document()["paths"]["/orders"]["get"]["responses"]
    assert list(responses) == ["200"]
    again = read_spec(spec.text.encode())
    assert (again.text, again.digest, again.operations) == (spec.text, spec.digest, spec.operations)


def test_json_is_read_and_white_space_does_not_change_the_digest(spec_bytes: SpecBytes) -> None:
    data = spec_bytes("weather-3.0.json")
    spec = read_spec(data)
    assert [o.path for o in spec.operations] == ["/cities/{city}/forecast.{format}", "/observations"]
    assert read_spec(json.dumps(json.loads(data), indent=7).encode()).digest == spec.digest


def test_yaml_pitfalls_end_as_text(spec_bytes: SpecBytes) -> None:
    document = read_spec(spec_bytes("orders-3.1.yaml")).document()
    since = document["paths"]["/orders"]["get"]["parameters"][1]
    assert since["schema"]["default"] == "2020-01-01"
    assert document["components"]["schemas"]["Order"]["properties"]["express"]["default"] == "no"


def test_a_refused_document_says_everything_that_is_wrong(spec_bytes: SpecBytes) -> None:
    with pytest.raises(SpecRefused) as caught:
        read_spec(spec_bytes("broken-3.0.yaml"))
    assert len(caught.value.problems) == 19
    assert str(caught.value.problems[4]) == (
        "line 7, /paths/~1a/gett: “gett” is not known here. Did you mean “get”?"
    )
    assert not caught.value.cut


def test_long_words_are_kept_short(spec_bytes: SpecBytes) -> None:
    text = "openapi: 3.1.0\ninfo: {title: a, version: b}\npaths: {/a: {get: {summary: %s, tags: [%s]}}}\n"
    (operation,) = read_spec((text % ("s" * 900, "t" * 900)).encode()).operations
    assert (len(operation.summary), len(operation.tags[0])) == (500, 200)


def test_several_threads_read_at_once(spec_bytes: SpecBytes) -> None:
    data = spec_bytes("orders-3.1.yaml")
    with ThreadPoolExecutor(4) as threads:
        digests = {spec.digest for spec in threads.map(read_spec, [data] * 6)}
    assert len(digests) == 1


def test_a_reader_that_takes_too_long_is_stopped(spec_bytes: SpecBytes) -> None:
    with pytest.raises(SpecRefused) as caught:
        read_in_sandbox(spec_bytes("orders-3.1.yaml"), wall_seconds=0.01)
    assert caught.value.problems[0].code == "too-expensive"
