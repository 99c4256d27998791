"""OpenAI's Responses API: native where the vendor has it, made of chat completions elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ai import vendor as vendors
from tests.ai.dialects.support import read
from tests.ai.runtime_process import RuntimeProcess, endpoint, provider, snapshot
from tests.ai.test_messages import events
from tests.ai.vendor import Reply, Vendor

ASK = {"model": "fast", "input": "Hi"}
SSE = {"content-type": "text/event-stream"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
NATIVE = {
    "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "object": "response",
    "created_at": 1741476542,
    "status": "completed",
    "error": None,
    "model": "gpt-5.1",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        }
    ],
    "usage": {
        "input_tokens": 36,
        "input_tokens_details": {"cached_tokens": 20},
        "output_tokens": 87,
        "output_tokens_details": {"reasoning_tokens": 60},
        "total_tokens": 123,
    },
}
"""https://platform.openai.com/docs/api-reference/responses/object"""


def native(vendor: Vendor, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    """A snapshot whose vendor has responses of its own."""
    return snapshot(vendor.url, providers=[provider(vendor.url, options={"responses": "yes"})], **changes)


def streamed(*kinds: str, **last: Any) -> Reply:
    """A vendor's own stream of responses."""
    pieces = []
    for number, kind in enumerate(kinds):
        data = {"type": kind, "sequence_number": number, **(last if number == len(kinds) - 1 else {})}
        pieces.append(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())
    return Reply(headers=SSE, pieces=pieces)


def test_a_vendors_own_response_goes_through(runtime: RuntimeProcess, vendor: Vendor) -> None:
    raw = json.dumps(NATIVE, indent=2).encode()
    vendor.answers(Reply(pieces=[raw]))
    runtime.load(native(vendor, endpoints=[endpoint(log_bodies=True)]))
    body = {
        **ASK,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    assert runtime.call(body, "v1/responses").content == raw
    assert vendor.asked[0].path == "/v1/responses"
    assert vendor.asked[0].json == {**body, "model": "small", "stream": False, "store": False}
    (line,) = runtime.feed()
    assert (line[16][0][5:8], line[19]["output"]) == ([36, 87, 20], "Hello")


def test_a_vendors_own_stream_goes_through(runtime: RuntimeProcess, vendor: Vendor) -> None:
    kinds = ("response.created", "response.output_text.delta", "response.completed")
    reply = streamed(*kinds, response=NATIVE)
    vendor.answers(reply)
    runtime.load(native(vendor))
    assert runtime.call({**ASK, "stream": True}, "v1/responses").content == b"".join(reply.pieces)
    (line,) = runtime.feed()
    assert line[16][0][5:8] == [36, 87, 20]


@pytest.mark.parametrize(
    "reply",
    [
        streamed("response.created", "response.output_text.delta"),
        streamed("response.created", "error", code="server_error", message="Away"),
        streamed("response.created", "response.failed", response={"error": {"code": "x", "message": "Away"}}),
    ],
    ids=["cut", "error", "failed"],
)
def test_a_vendors_own_stream_that_fails_ends_with_an_error(
    runtime: RuntimeProcess, vendor: Vendor, reply: Reply
) -> None:
    vendor.answers(reply)
    runtime.load(native(vendor))
    name, data = events(runtime.call({**ASK, "stream": True}, "v1/responses").text)[-1]
    assert (name, data["error"]["code"]) == ("error", "upstream_failed")


def test_any_other_model_answers_as_a_response(runtime: RuntimeProcess, vendor: Vendor) -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    vendor.answers(vendors.completion("Hello", usage=usage))
    runtime.load(snapshot(vendor.url))
    asked = {
        "instructions": "Be brief.",
        "max_output_tokens": 50,
        "text": {"verbosity": "low"},
        "metadata": {"a": "b"},
    }
    answer = runtime.call({**ASK, **asked, "reasoning": {"effort": "low"}}, "v1/responses").json()
    assert (answer["object"], answer["status"]) == ("response", "completed")
    assert answer["output"][0]["content"][0]["text"] == "Hello"
    assert answer["usage"]["output_tokens_details"] == {"reasoning_tokens": 2}
    assert vendor.asked[0].json == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_completion_tokens": 50,
        "reasoning_effort": "low",
        "verbosity": "low",
    }


def test_calls_of_one_turn_stay_together(runtime: RuntimeProcess, vendor: Vendor) -> None:
    """OpenAI refuses an assistant's message whose calls are not all answered right after it."""
    runtime.load(snapshot(vendor.url))
    calls = [
        {"type": "function_call", "call_id": f"c{number}", "name": "weather", "arguments": "{}"}
        for number in (1, 2)
    ]
    outputs = [
        {"type": "function_call_output", "call_id": "c1", "output": "grey"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "blue"}]},
    ]
    parts = [
        {"type": "input_text", "text": "Look."},
        {"type": "input_image", "image_url": "https://shop.example/a.png", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
    ]
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
    given = [{"role": "user", "content": parts}, {"type": "reasoning", "id": "rs_1", "summary": []}, said]
    tool = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}
    form = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
    body = {**ASK, "input": [*given, *calls, *outputs], "tools": [tool], "text": form}
    choice = {"tool_choice": {"type": "function", "name": "weather"}}
    assert runtime.call({**body, **choice}, "v1/responses").status_code == 200
    sent = vendor.asked[0].json
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool", "tool"]
    assert sent["messages"][0]["content"][1]["image_url"] == {
        "url": "https://shop.example/a.png",
        "detail": "low",
    }
    assert sent["messages"][1]["content"] == "I look."
    assert [call["id"] for call in sent["messages"][1]["tool_calls"]] == ["c1", "c2"]
    assert [message["content"] for message in sent["messages"][2:]] == ["grey", "blue"]
    assert sent["tools"][0]["function"] == {"name": "weather", "parameters": SCHEMA, "strict": True}
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert sent["response_format"]["json_schema"] == {"name": "place", "schema": SCHEMA, "strict": True}


@pytest.mark.parametrize("guard", [{}, {"rules": [{"kind": "words", "words": ["bomb"], "side": "output"}]}])
def test_a_stream_has_the_events_in_order(
    runtime: RuntimeProcess, vendor: Vendor, guard: dict[str, Any]
) -> None:
    """Also where the answer had to be seen whole before."""
    whole = json.loads(read("openai_tools.json"))
    whole["choices"][0]["message"]["content"] = "Grüezi"
    whole["choices"][0]["message"]["tool_calls"].pop()
    vendor.answers(
        Reply(pieces=[json.dumps(whole).encode()])
        if guard
        else Reply(headers=SSE, pieces=[read("openai_stream.sse")])
    )
    runtime.load(snapshot(vendor.url, endpoints=[endpoint(guard=guard)]))
    found = events(runtime.call({**ASK, "stream": True}, "v1/responses").text)
    assert [data["sequence_number"] for _, data in found] == list(range(len(found)))
    assert all(name == data["type"] for name, data in found)
    names = list(dict.fromkeys(name.removeprefix("response.") for name, _ in found))
    assert names == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("function_call_arguments.delta", "output_text.done", "content_part.done", "output_item.done"),
        *("function_call_arguments.done", "completed"),
    ]
    last = found[-1][1]["response"]
    assert last["output"][0]["content"][0]["text"] == "Grüezi"
    assert json.loads(last["output"][1]["arguments"]) == {"city": "Zürich"}
    assert last["usage"]["total_tokens"] == (99 if guard else 1140)


def test_an_answer_that_was_cut_short_is_incomplete(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(vendors.stream("Hel", end=[vendors.chunk(None, "length"), vendors.DONE]))
    runtime.load(snapshot(vendor.url))
    name, data = events(runtime.call({**ASK, "stream": True}, "v1/responses").text)[-1]
    assert name == "response.incomplete"
    assert data["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_prompt_object_names_a_prompt_of_ours(runtime: RuntimeProcess, vendor: Vendor) -> None:
    runtime.load(native(vendor))
    text = {"type": "input_text", "text": "Good morning"}
    prompt = {"id": "translate", "version": "7", "variables": {"text": text, "target_lang": "fr"}}
    answer = runtime.call({"prompt": prompt}, "v1/responses")
    assert answer.json()["output"][0]["content"][0]["text"] == "Hello"
    assert vendor.asked[0].path == "/v1/chat/completions"
    assert vendor.asked[0].json["messages"][1]["content"] == "Good morning"
    assert runtime.call({"prompt": {**prompt, "version": "9"}}, "v1/responses").status_code == 404


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"previous_response_id": "resp_1"}, "not_supported"),
        ({"conversation": "conv_1"}, "not_supported"),
        ({"background": True}, "not_supported"),
        ({"tools": [{"type": "web_search"}]}, "not_supported"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "not_supported"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "not_supported",
        ),
        ({"max_tool_calls": 3}, "not_supported"),
        ({"service_tier": "flex"}, "not_supported"),
        ({"api_base": "http://169.254.169.254"}, "parameter_refused"),
        ({"input": [{"role": "user"}]}, "body_invalid"),
        ({"input": ["Hi"]}, "body_invalid"),
        ({"input": []}, "body_invalid"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_by_name(
    runtime: RuntimeProcess, vendor: Vendor, extra: dict[str, Any], code: str
) -> None:
    runtime.load(snapshot(vendor.url))
    answer = runtime.call({**ASK, **extra}, "v1/responses")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert not vendor.asked
