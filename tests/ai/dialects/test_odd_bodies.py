"""Callers send anything: whatever is missing in a body, or of another kind, they are told what to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ai.dialects.support import spoilt
from tests.ai.runtime_process import RuntimeProcess, snapshot
from tests.ai.vendor import Vendor

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
PARTS = [
    {"type": "text", "text": "Hi"},
    {"type": "image_url", "image_url": {"url": "https://shop.example/a.png"}},
]
CHAT = {
    "messages": [
        {"role": "user", "content": PARTS},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
    ],
    "temperature": 0.5,
    "max_tokens": 9,
    "stop": ["x"],
    "n": 1,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
    "stream_options": {"include_usage": True},
}
MESSAGES = {
    "max_tokens": 9,
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {
            "role": "user",
            "content": [{"type": "image", "source": {"type": "url", "url": "https://x.example/a"}}],
        },
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
    ],
    "tools": [{"name": "f", "input_schema": {}}],
    "tool_choice": {"type": "auto"},
    "metadata": {"user_id": "u"},
    "thinking": {"type": "disabled"},
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
}
RESPONSES = {
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ],
    "instructions": "Be brief.",
    "tools": [{"type": "function", "name": "f", "parameters": {}}],
    "tool_choice": {"type": "function", "name": "f"},
    "text": {"format": {"type": "json_schema", "name": "x", "schema": {}}},
    "reasoning": {"effort": "low"},
    "max_output_tokens": 9,
}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", CHAT),
        ("messages", MESSAGES),
        ("responses", RESPONSES),
        ("embeddings", {"input": ["a"]}),
    ],
)
def test_no_body_however_odd_is_a_fault_of_ours(
    runtime: RuntimeProcess, vendor: Vendor, path: str, body: dict[str, Any]
) -> None:
    """502 is for vendors; the runtime itself has no reason to fail."""
    files = snapshot(vendor.url)
    files["callers"][0]["tokens"] = 1_000_000_000
    runtime.load(files)
    for odd in spoilt({"model": "fast", **body}):
        answer = runtime.call(odd, path)
        assert answer.status_code in {200, 400, 404, 502}, (answer.text, odd)


@pytest.mark.parametrize(
    "member", [{"n": -5}, {"max_tokens": -1000}, {"max_completion_tokens": -1}, {"n": 0}]
)
def test_no_count_makes_room_in_a_budget(
    runtime: RuntimeProcess, vendor: Vendor, member: dict[str, int]
) -> None:
    """A hold of less than nothing would let the next call in over the limit."""
    runtime.load(snapshot(vendor.url))
    messages = [{"role": "user", "content": "Hi"}]
    answer = runtime.call({"model": "fast", "messages": messages, **member}, "chat/completions")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{next(iter(member))}")
    assert not vendor.asked
