"""The demo's upstreams answer as their documents say."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from openapi_spec_validator import validate

from embedded.layout import ROOT
from embedded.samples import SERVICES, Server

DOCUMENTS = {
    name: yaml.safe_load((ROOT / "embedded" / "specs" / f"{name}.yaml").read_text()) for name in SERVICES
}
GOOD = {
    "orders": [
        ("GET", "/orders", "/orders?limit=3&state=paid", None),
        ("POST", "/orders", "/orders", {"customer": "Aiko", "lines": [{"sku": "TEA-100", "quantity": 2}]}),
        ("GET", "/orders/{order_id}", "/orders/ord_1001", None),
        ("POST", "/orders/{order_id}/cancel", "/orders/ord_1001/cancel", None),
        ("GET", "/orders/{order_id}/shipments", "/orders/ord_1003/shipments", None),
        ("GET", "/products", "/products", None),
    ],
    "weather": [
        ("GET", "/cities", "/cities", None),
        ("GET", "/current", "/current?city=oslo", None),
        ("GET", "/forecast/{city}", "/forecast/tokyo?days=5", None),
        ("GET", "/alerts", "/alerts", None),
    ],
}
BAD = [
    ("orders", "GET", "/orders/ord_1", None, 404),
    ("orders", "GET", "/nowhere", None, 404),
    ("orders", "DELETE", "/orders", None, 405),
    ("orders", "GET", "/orders?limit=101", None, 400),
    ("orders", "GET", "/orders?state=lost", None, 400),
    ("orders", "POST", "/orders", {"customer": "Aiko", "lines": [{"sku": "GOLD"}]}, 422),
    ("orders", "POST", "/orders", {"customer": "Aiko", "lines": [{"sku": ["TEA-100"]}]}, 422),
    ("orders", "POST", "/orders", [], 422),
    ("orders", "POST", "/orders/ord_1003/cancel", None, 409),
    ("orders", "GET", "/orders?demo_status=503", None, 503),
    ("weather", "GET", "/current?city=atlantis", None, 404),
    ("weather", "GET", "/current", None, 404),
    ("weather", "GET", "/forecast/oslo?days=11", None, 400),
    ("weather", "GET", "/cities?demo_delay_ms=30001", None, 400),
]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    running = {name: Server(("127.0.0.1", 0), build()) for name, build in SERVICES.items()}
    for server in running.values():
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield running
    for server in running.values():
        server.shutdown()
        server.server_close()


def ask(server: Server, method: str, path: str, body: Any = None) -> tuple[int, Any, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers["Content-Type"]
    finally:
        connection.close()


@pytest.mark.parametrize("name", SERVICES)
def test_the_document_is_valid_and_every_operation_is_called_here(name: str) -> None:
    validate(DOCUMENTS[name])
    operations = {
        (method.upper(), path)
        for path, item in DOCUMENTS[name]["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert {(method, path) for method, path, _, _ in GOOD[name]} == operations


@pytest.mark.parametrize(
    ("name", "method", "path", "address", "body"),
    [(name, *row) for name, rows in GOOD.items() for row in rows],
)
def test_an_operation_answers_as_its_document_says(
    servers: dict[str, Server], name: str, method: str, path: str, address: str, body: Any
) -> None:
    status, answer, kind = ask(servers[name], method, address, body)
    responses = DOCUMENTS[name]["paths"][path][method.lower()]["responses"]
    assert str(status) in responses
    assert status < 300
    assert kind == "application/json"
    schema = responses[str(status)]["content"]["application/json"]["schema"]
    jsonschema.validate(answer, {**schema, "components": DOCUMENTS[name]["components"]})


@pytest.mark.parametrize(("name", "method", "address", "body", "status"), BAD)
def test_a_bad_call_is_told_what_to_do(
    servers: dict[str, Server], name: str, method: str, address: str, body: Any, status: int
) -> None:
    seen, answer, kind = ask(servers[name], method, address, body)
    assert (seen, kind) == (status, "application/problem+json")
    assert answer["status"] == status
    assert answer["detail"]


def test_an_answer_can_be_made_late(servers: dict[str, Server]) -> None:
    began = time.monotonic()
    assert ask(servers["orders"], "GET", "/products?demo_delay_ms=120")[0] == 200
    assert time.monotonic() - began >= 0.12


def test_one_connection_carries_many_calls(servers: dict[str, Server]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", servers["weather"].server_address[1], timeout=10)
    for _ in range(3):
        connection.request("GET", "/healthz")
        assert json.loads(connection.getresponse().read()) == {"status": "ok"}
    connection.close()
