"""The document that consumers read names the gateway and its key, and is else as written."""

from __future__ import annotations

import json
from collections.abc import Callable

from apis.spec.served import served_document
from apis.spec.worker import read_document

BASE = "https://gateway.example.com/shop/weather/v1"


def test_servers_and_security_become_the_gateway_s(spec_bytes: Callable[[str], bytes]) -> None:
    text = read_document(spec_bytes("weather-3.0.json"))["text"]
    served = served_document(text, BASE, server_name="Production", key_help="Make one under My applications.")
    assert served["servers"] == [{"url": BASE, "description": "Production"}]
    assert served["components"]["securitySchemes"] == {
        "GatewayKey": {
            "type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "Make one under My applications.",
        }
    }  # fmt: skip
    forecast = served["paths"]["/cities/{city}/forecast.{format}"]["get"]
    assert forecast["security"] == [{"GatewayKey": []}]
    assert "servers" not in forecast
    assert forecast["parameters"][0]["name"] == "city"
    assert served["info"] == {"title": "Weather", "version": "1"}


def test_an_open_api_asks_for_no_key(spec_bytes: Callable[[str], bytes]) -> None:
    served = served_document(read_document(spec_bytes("orders-3.1.yaml"))["text"], BASE, keyless=True)
    assert served["security"] == []
    assert "securitySchemes" not in served["components"]
    assert served["paths"]["/orders"]["get"]["security"] == []


def test_what_is_served_is_a_valid_document(
    spec_bytes: Callable[[str], bytes], problems_of: Callable[[bytes | str], list[object]]
) -> None:
    for name in ("orders-3.1.yaml", "weather-3.0.json"):
        served = served_document(read_document(spec_bytes(name))["text"], BASE)
        assert problems_of(json.dumps(served)) == []
