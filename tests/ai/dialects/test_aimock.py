"""Every dialect against somebody else's idea of its vendor: @copilotkit/aimock, pinned in aimock.json."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ai.runtime_process import RuntimeProcess, model, provider, route, snapshot
from tests.ai.test_chat import data

BASES = {"openai": "/v1", "azure": "", "anthropic": "/v1", "gemini": "/v1beta", "bedrock": ""}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(params=BASES)
def asked(request: pytest.FixtureRequest, aimock: str, runtime: RuntimeProcess) -> RuntimeProcess:
    """A runtime whose model is aimock's, in each dialect; its name has what has to be escaped in an address."""
    dialect = request.param
    made = provider(aimock, dialect=dialect, base_url=f"{aimock}{BASES[dialect]}")
    models = [model(remote="eu.some-model-v1:0")]
    runtime.load(snapshot(aimock, providers=[made], models=models, model_routes=[route(attempts=1)]))
    return runtime


def ask(text: str, **more: Any) -> dict[str, Any]:
    """A chat completion."""
    return {"model": "fast", "messages": [{"role": "user", "content": text}], **more}


def test_a_chat_and_its_stream(asked: RuntimeProcess) -> None:
    whole = asked.call(ask("hello"), "chat/completions").json()
    assert whole["choices"][0]["message"]["content"] == "Grüezi mitenand"
    assert (whole["usage"]["prompt_tokens"], whole["usage"]["completion_tokens"]) == (7, 5)
    assert whole["choices"][0]["finish_reason"] == "stop"
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last, done = data(asked.call(ask("hello", **options), "chat/completions").text)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "Grüezi mitenand"
    assert (last["choices"], last["usage"]["total_tokens"], done) == ([], 12, "[DONE]")
    assert [line[16][0][5:7] for line in asked.feed(2)] == [[7, 5], [7, 5]]


def test_tools_whole_and_in_pieces(asked: RuntimeProcess) -> None:
    whole = asked.call(ask("weather", tools=[TOOL]), "chat/completions").json()["choices"][0]
    wanted = [{"city": "Zürich"}, {"city": "Bern"}]
    assert [json.loads(call["function"]["arguments"]) for call in whole["message"]["tool_calls"]] == wanted
    assert whole["finish_reason"] == "tool_calls"
    chunks = data(asked.call(ask("weather", tools=[TOOL], stream=True), "chat/completions").text)[:-1]
    pieces = ["", ""]
    for chunk in chunks:
        for call in chunk["choices"][0]["delta"].get("tool_calls") or ():
            pieces[call["index"]] += call["function"].get("arguments") or ""
    assert [json.loads(piece) for piece in pieces] == wanted
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert all(line[16][0][6] > 0 for line in asked.feed(2)), (
        "calls of tools are output, counted or estimated"
    )


def test_messages_and_responses(asked: RuntimeProcess) -> None:
    message = asked.call({**ask("hello"), "max_tokens": 9}, "v1/messages").json()
    assert message["content"][0]["text"] == "Grüezi mitenand"
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (7, 5)
    response = asked.call({"model": "fast", "input": "hello"}, "v1/responses").json()
    assert response["output"][0]["content"][0]["text"] == "Grüezi mitenand"


def test_too_many_calls(asked: RuntimeProcess) -> None:
    answer = asked.call(ask("busy"), "chat/completions")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("dialect", ["openai", "azure"])
def test_embeddings(aimock: str, runtime: RuntimeProcess, dialect: str) -> None:
    made = provider(aimock, dialect=dialect, base_url=f"{aimock}{BASES[dialect]}")
    runtime.load(snapshot(aimock, providers=[made]))
    found = runtime.call({"model": "fast", "input": "vector"}, "embeddings").json()
    assert [one["embedding"] for one in found["data"]] == [[0.5, -1.0]]
