"""What callers run: the clients of OpenAI, Anthropic and LangChain, as they come, against the runtime."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ai import vendor as vendors
from tests.ai.clients.conftest import Run
from tests.ai.dialects.support import read
from tests.ai.runtime_process import (
    BASE_PATH,
    KEY,
    RuntimeProcess,
    endpoint,
    model,
    provider,
    route,
    snapshot,
)
from tests.ai.vendor import Asked, Reply, Vendor

SSE = {"content-type": "text/event-stream"}
BUDGET = {
    "id": "bud_1",
    "label": "Dear",
    "scope": "model",
    "scope_id": "mdl_3",
    "period": "month",
    "unit": "money",
    "currency": "USD",
    "limit": 1,
    "hard": True,
    "fail_open": False,
    "generation": "g",
    "base": 0,
    "base_period": "20260101",
    "is_new": True,
}


def answering(asked: Asked) -> Reply:
    """A vendor that does what the last message says, in the dialect that it is asked in."""
    body = asked.json
    if asked.path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]
        return Reply(pieces=[json.dumps({"data": data, "usage": {"prompt_tokens": 1}}).encode()])
    wish, streams = _wish(body), bool(body.get("stream"))
    if wish == "busy":
        return vendors.error(429, {"error": {"message": "Slow"}}, **{"retry-after": "1"})
    if wish == "fail":
        return vendors.error(500, {"error": {"message": "Away"}})
    if asked.path.endswith("/messages"):
        return _as_anthropic(wish, streams=streams)
    if wish == "cut":
        return Reply(headers=SSE, pieces=[vendors.chunk("Hel")], cut=True)
    if wish == "tool":
        name = "openai_stream.sse" if streams else "openai_tools.json"
        return Reply(headers=SSE if streams else vendors.Reply().headers, pieces=[read(name)])
    if wish == "json":
        return vendors.completion('{"city": "Bern"}')
    return vendors.stream("Hel", "lo") if streams else vendors.completion("Hello")


def _wish(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


def _as_anthropic(wish: str, *, streams: bool) -> Reply:
    stream = read("anthropic_stream.sse")
    if wish == "cut":
        return Reply(headers=SSE, pieces=[stream.split(b"event: message_delta")[0]])
    if streams:
        return Reply(headers=SSE, pieces=[stream])
    return Reply(pieces=[read("anthropic_whole.json")])


@pytest.fixture
def base(runtime: RuntimeProcess, vendor: Vendor) -> str:
    """The address of an API: `fast`, `other` of another vendor, and `dear`, which no budget can hold."""
    vendor.answers(answering)
    runtime.load(loaded(vendor, "openai"))
    return f"{runtime.url}{BASE_PATH}"


def loaded(vendor: Vendor, dialect: str) -> dict[str, list[dict[str, Any]]]:
    """A snapshot whose `fast` speaks `dialect`."""
    others = {"id": "prv_2", "label": "Other"}
    return snapshot(
        vendor.url,
        providers=[provider(vendor.url, dialect=dialect), provider(vendor.url, **others)],
        provider_keys=[
            {"id": "pvk_1", "provider": "prv_1", "label": "main", "weight": 1, "value": "sk-1"},
            {"id": "pvk_2", "provider": "prv_2", "label": "main", "weight": 1, "value": "sk-2"},
        ],
        models=[
            model(),
            model("other/small", id="mdl_2", provider="prv_2"),
            model("dear/small", id="mdl_3", prices=[]),
        ],
        model_routes=[
            route(attempts=1),
            route("other", id="mrt_2", attempts=1, targets=[{"model": "mdl_2", "weight": 100, "rank": 0}]),
            route("dear", id="mrt_3", attempts=1, targets=[{"model": "mdl_3", "weight": 100, "rank": 0}]),
        ],
        endpoints=[endpoint(models=["mrt_1", "mrt_2", "mrt_3"])],
        budgets=[BUDGET],
    )


def asked_for(vendor: Vendor, wish: str) -> int:
    """How often the vendor was asked for something."""
    return sum(1 for asked in vendor.asked if "messages" in asked.json and _wish(asked.json) == wish)


@pytest.mark.parametrize("client", ["openai-2", "openai-3"])
def test_openais_client(run_client: Run, base: str, vendor: Vendor, client: str) -> None:
    found = run_client(client, "openai_client.py", f"{base}/v1", KEY)
    assert found.pop("version").startswith(client.removeprefix("openai-"))
    assert 0.9 < found.pop("waited") < 8
    assert found == {
        "chat": ["Hello", 15],
        "stream": ["Hello", True],
        "stream with usage": [[], 15],
        "tools": ["weather", {"city": "Zürich"}],
        "streamed tools": ["weather", {"city": "Zürich"}],
        "json schema": "Bern",
        "embeddings": [0.5, -1.0],
        "models": ["prompt/translate", "prompt/translate@7", "dear", "fast", "other"],
        "model": "prompt/translate@7",
        "prompt": "Hello",
        "response": ["Hello", 15],
        "streamed response": ["Grüezi", "weather", {"city": "Zürich"}],
        "response of a prompt": "Hello",
        "400": ["BadRequestError", 400, "variable_invalid", True],
        "401": ["AuthenticationError", 401, "invalid_api_key", True],
        "402": ["APIStatusError", 402, "budget_unavailable", True],
        "404": ["NotFoundError", 404, "model_not_found", True],
        "502": ["InternalServerError", 502, "upstream_failed", True],
        "cut": ["APIError", 0, "upstream_failed", True],
        "cut response": ["APIError", 0, "upstream_failed", True],
        "429": ["RateLimitError", 429, "rate_limit_exceeded", True],
        "429, again": "Hello",
    }
    assert asked_for(vendor, "fail") == 1, "x-should-retry: false keeps the client from asking three times"
    assert asked_for(vendor, "busy") == 1


@pytest.mark.parametrize("client", ["anthropic-0", "anthropic-2"])
def test_anthropics_client(
    run_client: Run, base: str, runtime: RuntimeProcess, vendor: Vendor, client: str
) -> None:
    runtime.load(loaded(vendor, "anthropic"))
    found = run_client(client, "anthropic_client.py", base, KEY)
    assert found.pop("version").startswith(client.removeprefix("anthropic-"))
    assert 0.9 < found.pop("waited") < 8
    assert found.pop("402")[1:] == [402, "billing_error"], "its class has a name of its own in newer versions"
    for name in ("cut", "cut of another vendor"):
        kind, _, error = found.pop(name)
        assert (kind, error) == ("APIStatusError", "api_error")
    assert found == {
        "whole": ["Bonjour", 50, 503],
        "stream": ["Grüezi", "tool_use", 89],
        "tools": ["tool_use", "weather", {"city": "Zürich"}],
        "whole of another vendor": ["Hello", 10, 5],
        "stream of another vendor": ["Hello", "end_turn", 5],
        "tools of another vendor": ["tool_use", "weather", {"city": "Zürich"}],
        "400": ["BadRequestError", 400, "invalid_request_error"],
        "401": ["AuthenticationError", 401, "authentication_error"],
        "404": ["NotFoundError", 404, "not_found_error"],
        "502": ["InternalServerError", 502, "api_error"],
        "429": ["RateLimitError", 429, "rate_limit_error"],
        "429, again": "Hello",
    }
    assert asked_for(vendor, "fail") == 1, "x-should-retry: false keeps the client from asking three times"


def test_langchain(run_client: Run, base: str) -> None:
    assert run_client("langchain-openai", "langchain_client.py", f"{base}/v1", KEY) == {
        "chat": ["Hello", 15],
        "stream": ["Hello", [15]],
        "tools": {"city": "Zürich"},
        "json schema": "Bern",
        "prompt": "Hello",
        "responses": "Hello",
        "embeddings": [0.5, -1.0],
        "cut": "APIError",
    }
