"""Anthropic's Messages API over models of Anthropic and of others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ai import vendor as vendors
from tests.ai.dialects.support import read
from tests.ai.runtime_process import RuntimeProcess, endpoint, provider, snapshot
from tests.ai.vendor import Reply, Vendor

ASK = {"model": "fast", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
SSE = {"content-type": "text/event-stream"}


def events(text: str) -> list[tuple[str, Any]]:
    """Names and data of a stream."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found


def native(vendor: Vendor, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    """A snapshot whose one model is Anthropic's."""
    return snapshot(
        vendor.url, providers=[provider(vendor.url, dialect="anthropic", auth="header:x-api-key")], **changes
    )


def test_an_answer_of_anthropic_goes_through_byte_for_byte(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(Reply(pieces=[read("anthropic_tools.json")]))
    runtime.load(native(vendor))
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "metadata": {"user_id": "u1"}}
    answer = runtime.call(
        {**ASK, **thinking, "system": [{"type": "text", "text": "Be brief."}]}, "v1/messages"
    )
    assert answer.content == read("anthropic_tools.json")
    assert vendor.asked[0].json == {
        **ASK,
        **thinking,
        "system": [{"type": "text", "text": "Be brief."}],
        "model": "small",
        "stream": False,
    }
    assert vendor.asked[0].path == "/v1/messages"
    assert vendor.asked[0].headers["x-api-key"] == "sk-vendor-1"
    (line,) = runtime.feed()
    assert line[16][0][5:7] == [472, 89]


def test_a_stream_of_anthropic_goes_through_byte_for_byte(runtime: RuntimeProcess, vendor: Vendor) -> None:
    stream = read("anthropic_stream.sse")
    vendor.answers(Reply(headers=SSE, pieces=[stream[at : at + 97] for at in range(0, len(stream), 97)]))
    runtime.load(native(vendor))
    answer = runtime.call({**ASK, "stream": True}, "v1/messages")
    assert answer.content == stream
    (line,) = runtime.feed()
    assert line[16][0][5:9] == [435, 89, 400, 10]


def test_a_stream_of_anthropic_that_breaks_off_ends_with_an_error(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    head = read("anthropic_stream.sse").split(b"event: message_delta")[0]
    vendor.answers(Reply(headers=SSE, pieces=[head]))
    runtime.load(native(vendor))
    name, last = events(runtime.call({**ASK, "stream": True}, "v1/messages").text.partition("\n")[2])[-1]
    assert (name, last["type"], last["error"]["type"]) == ("error", "error", "api_error")


def test_a_model_of_another_vendor_answers_as_anthropic_would(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    vendor.answers(vendors.completion("Hello", usage=usage))
    runtime.load(snapshot(vendor.url))
    asked = {
        "system": "Be brief.",
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
        "temperature": 0,
    }
    answer = runtime.call({**ASK, **asked}, "v1/messages").json()
    assert (answer["type"], answer["role"], answer["stop_reason"]) == ("message", "assistant", "end_turn")
    assert answer["content"] == [{"type": "text", "text": "Hello"}]
    assert answer["usage"] == {
        "input_tokens": 6,
        "output_tokens": 5,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 0,
    }
    assert vendor.asked[0].json == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_completion_tokens": 50,
        "stop": ["END"],
        "user": "u1",
        "temperature": 0,
    }


def test_tools_and_what_came_of_them_are_told_to_another_vendor(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    vendor.answers(Reply(pieces=[read("openai_tools.json")]))
    runtime.load(snapshot(vendor.url))
    talk = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look."},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Bern"}},
                {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "grey"}]},
                {"type": "tool_result", "tool_use_id": "t2", "content": "noon"},
                {"type": "text", "text": "And Zürich?"},
            ],
        },
    ]
    tools = [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}]
    choice = {"type": "any", "disable_parallel_tool_use": True}
    form = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    body = {**ASK, "messages": talk, "tools": tools, "tool_choice": choice, **form}
    answer = runtime.call(body, "v1/messages").json()
    assert answer["stop_reason"] == "tool_use"
    assert [block["input"] for block in answer["content"]] == [{"city": "Zürich"}, {"city": "Bern"}]
    sent = vendor.asked[0].json
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool", "tool", "user"]
    assert sent["messages"][0]["content"][1:] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
        {"type": "file", "file": {"filename": "document", "file_data": "data:text/plain;base64,SGk="}},
    ]
    assert sent["messages"][1]["tool_calls"][0] == {
        "id": "t1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Bern"}'},
    }
    assert sent["messages"][2] == {"role": "tool", "tool_call_id": "t1", "content": "grey"}
    assert sent["messages"][4] == {"role": "user", "content": "And Zürich?"}
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("required", False)
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA


def assert_well_formed(found: list[tuple[str, Any]]) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/streaming: blocks open and close one after the other."""
    names = [name for name, data in found]
    assert all(name == data["type"] for name, data in found)
    assert (names[0], names[-2:]) == ("message_start", ["message_delta", "message_stop"])
    open_block: int | None = None
    expected = 0
    for name, data in found[1:-2]:
        if name == "content_block_start":
            assert (open_block, data["index"]) == (None, expected)
            open_block, expected = expected, expected + 1
        else:
            assert data["index"] == open_block
            open_block = None if name == "content_block_stop" else open_block
    assert open_block is None


def test_a_stream_of_another_vendor_has_anthropics_events(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(Reply(headers=SSE, pieces=[read("openai_stream.sse")]))
    runtime.load({**snapshot(vendor.url), "endpoints": [endpoint(log_bodies=True)]})
    found = events(runtime.call({**ASK, "stream": True}, "v1/messages").text)
    assert_well_formed(found)
    deltas = [data["delta"] for name, data in found if name == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "Grüezi"
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {"city": "Zürich"}
    assert found[-2][1]["delta"]["stop_reason"] == "tool_use"
    assert found[-2][1]["usage"]["cache_read_input_tokens"] == 1024
    (line,) = runtime.feed()
    assert line[19]["output"] == "Grüezi"


def test_an_answer_that_must_be_seen_whole_has_the_same_events(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    guard = {"rules": [{"kind": "words", "words": ["bomb"], "side": "output"}]}
    vendor.answers(Reply(pieces=[read("anthropic_tools.json")]))
    runtime.load(native(vendor, endpoints=[endpoint(guard=guard)]))
    found = events(runtime.call({**ASK, "stream": True}, "v1/messages").text)
    assert_well_formed(found)
    starts = [data["content_block"]["type"] for name, data in found if name == "content_block_start"]
    assert starts == ["text", "tool_use", "tool_use"]


def test_a_stream_of_another_vendor_that_breaks_off_raises(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(Reply(headers=SSE, pieces=[vendors.chunk("Hel")], cut=True))
    runtime.load(snapshot(vendor.url))
    found = events(runtime.call({**ASK, "stream": True}, "v1/messages").text)
    assert (found[-1][0], found[-1][1]["error"]["type"]) == ("error", "api_error")
    assert "message_stop" not in [name for name, _ in found]


@pytest.mark.parametrize(
    ("vendors_status", "status", "kind", "again"),
    [
        (400, 400, "invalid_request_error", "false"),
        (429, 429, "rate_limit_error", None),
        (500, 502, "api_error", "false"),
    ],
)
def test_errors_are_in_anthropics_form(
    runtime: RuntimeProcess, vendor: Vendor, vendors_status: int, status: int, kind: str, again: str | None
) -> None:
    vendor.answers(vendors.error(vendors_status, {"error": {"message": "No."}}))
    runtime.load(snapshot(vendor.url))
    answer = runtime.call(ASK, "v1/messages")
    assert answer.status_code == status
    assert (answer.json()["type"], answer.json()["error"]["type"]) == ("error", kind)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers.get("x-should-retry") == again
    assert ("retry-after" in answer.headers) == (status == 429)


def test_arguments_that_are_no_json_are_the_models_fault_and_billed(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    body = json.loads(read("openai_tools.json"))
    body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = '{"city": '
    vendor.answers(Reply(pieces=[json.dumps(body).encode()]))
    runtime.load(snapshot(vendor.url))
    answer = runtime.call(ASK, "v1/messages")
    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false")
    (line,) = runtime.feed()
    assert line[16][0][5:7] == [82, 17]


@pytest.mark.parametrize(
    "extra",
    [
        {"messages": [{"role": "user"}]},
        {"messages": [{"content": "Hi"}]},
        {"messages": ["Hi"]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}
            ]
        },
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"thinking": {"type": "adaptive"}},
        {"api_base": "http://169.254.169.254"},
        {"speed": "fast"},
        {"service_tier": "priority"},
        {"mcp_servers": [{"url": "https://x.example"}]},
        {"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_by_name(
    runtime: RuntimeProcess, vendor: Vendor, extra: dict[str, Any]
) -> None:
    runtime.load(snapshot(vendor.url))
    answer = runtime.call({**ASK, **extra}, "v1/messages")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert not vendor.asked


def test_a_prompt_is_a_model_here_too(runtime: RuntimeProcess, vendor: Vendor) -> None:
    runtime.load(snapshot(vendor.url))
    values = {"text": "Good morning", "target_lang": "fr"}
    body = {"model": "prompt/translate@7", "max_tokens": 9, "messages": [], "variables": values}
    assert runtime.call(body, "v1/messages").json()["content"][0]["text"] == "Hello"
    assert vendor.asked[0].json["messages"][1]["content"] == "Good morning"
