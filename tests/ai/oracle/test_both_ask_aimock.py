"""The whole way: LiteLLM and a runtime of ours put the same question to somebody else's fake of each vendor."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ai.oracle.cases import CLAUDE_ON_BEDROCK, OPTIONS, asked, asked_litellm
from tests.ai.runtime_process import RuntimeProcess, model, provider, route, snapshot
from tests.ai.test_chat import data

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("oracle")]

BASES = {"openai": "/v1", "azure": "", "anthropic": "/v1", "gemini": "/v1beta", "bedrock": ""}
MODELS = {
    "openai": "openai/gpt-5.1",
    "azure": "azure/gpt-4o",
    "anthropic": "anthropic/claude-sonnet-4-5-20250929",
    "gemini": "gemini/gemini-2.5-flash",
    "bedrock": f"bedrock/{CLAUDE_ON_BEDROCK}",
}
QUESTIONS = ("hello", "weather")
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


@pytest.fixture(scope="module")
def theirs(aimock: str) -> dict[str, dict[str, Any]]:
    return asked_litellm(
        [
            asked(
                f"{dialect} {question} {stream}",
                MODELS[dialect],
                OPTIONS[dialect](aimock),
                stream=stream,
                question=question,
            )
            for dialect in BASES
            for question in QUESTIONS
            for stream in (False, True)
        ]
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("dialect", BASES)
def test_both_get_the_same_answer(
    dialect: str,
    question: str,
    stream: bool,
    aimock: str,
    runtime: RuntimeProcess,
    theirs: dict[str, dict[str, Any]],
) -> None:
    made = provider(aimock, dialect=dialect, base_url=f"{aimock}{BASES[dialect]}")
    models = [model(remote=MODELS[dialect].partition("/")[2])]
    runtime.load(snapshot(aimock, providers=[made], models=models, model_routes=[route(attempts=1)]))
    body: dict[str, Any] = {"messages": [{"role": "user", "content": question}], "tools": TOOLS}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    answer = runtime.call({"model": "fast", **body}, "chat/completions")
    found = theirs[f"{dialect} {question} {stream}"]
    assert "error" not in found
    mine = _heard(answer.text) if stream else _read(answer.json())
    counts = mine.pop("usage")
    assert mine == {name: found[name] for name in mine}
    if any(told := [found["usage"]["input"], found["usage"]["output"]]):
        assert counts == told
    else:
        assert all(counts), "a vendor who counts nothing is estimated: LiteLLM takes it for free"


def _read(plain: dict[str, Any]) -> dict[str, Any]:
    choice = plain["choices"][0]
    calls = [call["function"] for call in choice["message"].get("tool_calls") or ()]
    return {
        "text": choice["message"]["content"] or "",
        "calls": [[call["name"], json.loads(call["arguments"])] for call in calls],
        "finish": choice["finish_reason"],
        "usage": [plain["usage"]["prompt_tokens"], plain["usage"]["completion_tokens"]],
    }


def _heard(text: str) -> dict[str, Any]:
    *chunks, last, _done = data(text)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    calls: dict[int, list[str]] = {}
    for call in (call for delta in deltas for call in delta.get("tool_calls") or ()):
        name, arguments = calls.setdefault(call["index"], ["", ""])
        new = call["function"]
        calls[call["index"]] = [name + (new.get("name") or ""), arguments + (new.get("arguments") or "")]
    return {
        "text": "".join(delta.get("content") or "" for delta in deltas),
        "calls": [[name, json.loads(arguments)] for name, arguments in calls.values()],
        "finish": [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1],
        "usage": [last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]],
    }
