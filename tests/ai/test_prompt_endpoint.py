"""A prompt called as an ordinary JSON service."""

from __future__ import annotations

from tests.ai import vendor as vendors
from tests.ai.runtime_process import RuntimeProcess, snapshot
from tests.ai.vendor import Vendor

VALUES = {"text": "Good morning", "target_lang": "fr"}


def test_exactly_the_variables_go_in_and_output_usage_and_cost_come_out(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    vendor.answers(vendors.completion("Bonjour"))
    runtime.load(snapshot(vendor.url))
    answer = runtime.call(VALUES)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "id": answer.json()["id"],
        "output": "Bonjour",
        "finish_reason": "stop",
        "usage": {
            "input_tokens": 10,
            "output_tokens": 5,
            "cached_input_tokens": 0,
            "cache_write_tokens": 0,
            "reasoning_tokens": 0,
            "total_tokens": 15,
        },
        "cost": {"amount": "0.00002", "currency": "USD", "price_version": "2026-01-01", "estimated": False},
        "model": {"served": "vendor/small", "route": "fast", "fallback": False, "attempts": 1},
        "prompt": {"name": "translate", "version": 7, "label": "production"},
    }
    assert vendor.asked[0].json["messages"] == [
        {"role": "system", "content": "Translate into fr. Answer with the translation alone."},
        {"role": "user", "content": "Good morning"},
    ]
    assert vendor.asked[0].headers["authorization"] == "Bearer sk-vendor-1"
