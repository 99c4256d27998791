"""Dialects as the runtime serves them: where their oddities meet routes, keys and clients."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ai import vendor as vendors
from tests.ai.dialects.support import frame, read, stream_of
from tests.ai.runtime_process import RuntimeProcess, model, provider, route, snapshot
from tests.ai.test_chat import data
from tests.ai.vendor import Asked, Reply, Vendor

SSE = {"content-type": "text/event-stream"}
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def two_vendors(vendor: Vendor, dialect: str) -> dict[str, list[dict[str, Any]]]:
    """A route whose first model speaks `dialect`, and whose second is there when it does not answer."""
    targets = [{"model": "mdl_1", "weight": 100, "rank": 0}, {"model": "mdl_2", "weight": 100, "rank": 1}]
    return snapshot(
        vendor.url,
        providers=[
            provider(vendor.url, dialect=dialect, base_url=f"{vendor.url}/first"),
            provider(vendor.url, id="prv_2"),
        ],
        provider_keys=[
            {"id": f"pvk_{number}", "provider": f"prv_{number}", "label": "main", "weight": 1, "value": "sk"}
            for number in (1, 2)
        ],
        models=[model(), model("second/small", id="mdl_2", provider="prv_2")],
        model_routes=[route(targets=targets)],
    )


@pytest.mark.parametrize(
    ("dialect", "first"),
    [
        ("openai", b'data: {"error":{"message":"Overloaded","code":"503"}}\n\n'),
        ("anthropic", f"event: error\ndata: {json.dumps(OVERLOADED)}\n\n".encode()),
        ("gemini", b'data: {"error":{"code":503,"message":"Overloaded","status":"UNAVAILABLE"}}\n\n'),
        (
            "bedrock",
            frame(
                *("", b'{"message":"Overloaded"}'),
                message_type="exception",
                exception_type="serviceUnavailableException",
            ),
        ),
    ],
)
def test_a_stream_that_begins_with_an_error_is_another_models_to_answer(
    runtime: RuntimeProcess, vendor: Vendor, dialect: str, first: bytes
) -> None:
    """Nothing was sent to the caller yet."""

    def answering(asked: Asked) -> Reply:
        is_first = asked.path.startswith("/first")
        return Reply(headers=SSE, pieces=[first]) if is_first else vendors.stream("Hel", "lo")

    vendor.answers(answering)
    runtime.load(two_vendors(vendor, dialect))
    answer = runtime.call(CHAT, "chat/completions")
    assert (
        "".join(one["choices"][0]["delta"].get("content") or "" for one in data(answer.text)[:-1]) == "Hello"
    )
    assert answer.headers["x-ai-model"] == "second/small"


def test_alone_it_is_an_error_with_a_status(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(Reply(headers=SSE, pieces=[b'data: {"error":{"message":"Overloaded","code":"503"}}\n\n']))
    runtime.load(snapshot(vendor.url, model_routes=[route(attempts=1)]))
    answer = runtime.call(CHAT, "chat/completions")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream_failed")


def test_chunks_without_choices_reach_no_client(runtime: RuntimeProcess, vendor: Vendor) -> None:
    """`chunk.choices[0]` is how clients are written; Azure's first chunk has none."""
    vendor.answers(Reply(headers=SSE, pieces=[read("azure_stream.sse")]))
    runtime.load(snapshot(vendor.url, providers=[provider(vendor.url, dialect="azure")]))
    *chunks, done = data(runtime.call(CHAT, "chat/completions").text)
    assert done == "[DONE]"
    assert all(chunk["choices"] for chunk in chunks)


def test_bedrock_is_sent_what_was_signed_and_its_chunks_have_a_model(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    """A colon in an address is `%3A` there; put back, no signature would hold."""
    kind = {"content-type": "text/event-stream"}
    vendor.answers(Reply(headers=kind, pieces=[stream_of("bedrock_stream.json")]))
    made = provider(vendor.url, dialect="bedrock", base_url=vendor.url)
    runtime.load(snapshot(vendor.url, providers=[made], models=[model(remote="eu.anthropic.claude-v1:0")]))
    *chunks, _ = data(runtime.call(CHAT, "chat/completions").text)
    assert vendor.asked[0].path == "/model/eu.anthropic.claude-v1%3A0/converse-stream"
    assert all(chunk["model"] for chunk in chunks)


def test_a_key_that_is_refused_is_not_told_as_too_many_calls(runtime: RuntimeProcess, vendor: Vendor) -> None:
    """The caller would try again and again; its team is the one to act."""
    vendor.answers(vendors.error(401, {"error": {"message": "Incorrect API key provided"}}))
    runtime.load(snapshot(vendor.url))
    answer = runtime.call({**CHAT, "stream": False}, "chat/completions")
    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false")
