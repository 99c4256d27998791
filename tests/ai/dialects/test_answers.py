"""Raw answers of vendors, by their own documentation, and what must be read in them: text, calls, usage, money."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai.pricing import Usage
from ai.runtime.dialects import DIALECTS
from ai.runtime.dialects.openai import usage_of, usage_plain
from ai.runtime.errors import VendorError
from ai.runtime.sse import Event
from tests.ai.dialects.support import PRICES, Heard, read, spoilt, stream_of

ZURICH, BERN = '{"city":"Zürich"}', '{"city":"Bern"}'

WHOLE: dict[str, tuple[str, str, str, Usage, int]] = {
    # https://platform.openai.com/docs/api-reference/chat/object, .../docs/guides/prompt-caching: cached within prompt
    "openai_whole.json": (
        *("openai", "Bonjour !", "stop", Usage(2006, 300, cached_input=1920, reasoning=128)),
        86 * 1000 + 1920 * 100 + 300 * 5000,
    ),
    # https://platform.openai.com/docs/guides/audio
    "openai_audio.json": (
        *("openai", "", "stop", Usage(120, 90, input_audio=100, output_audio=80)),
        20 * 1000 + 100 * 7000 + 10 * 5000 + 80 * 20_000,
    ),
    "openai_tools.json": ("openai", "", "tool_calls", Usage(82, 17), 82 * 1000 + 17 * 5000),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/grok/capabilities/reasoning: reasoning
    # is counted beside the completion (BerriAI/litellm#14874)
    "xai_whole.json": (
        *("openai", "Bonjour", "stop", Usage(200, 350, cached_input=150, reasoning=300)),
        50 * 1000 + 150 * 100 + 350 * 5000,
    ),
    # https://api-docs.deepseek.com/api/create-chat-completion: hits within prompt_tokens
    "deepseek_whole.json": (
        *("openai", "Bonjour", "stop", Usage(1000, 10, cached_input=640, reasoning=4)),
        360 * 1000 + 640 * 100 + 10 * 5000,
    ),
    "openai_bare.json": ("openai", "Bonjour", "stop", Usage(3, 2), 3 * 1000 + 2 * 5000),
    # https://platform.claude.com/docs/en/build-with-claude/prompt-caching: both kinds of cache beside the input
    "anthropic_whole.json": (
        *("anthropic", "Bonjour !", "stop", Usage(100_298, 503, cached_input=100_000, cache_write=248)),
        50 * 1000 + 100_000 * 100 + 248 * 1250 + 503 * 5000,
    ),
    # https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
    "anthropic_tools.json": ("anthropic", "I'll look.", "tool_calls", Usage(472, 89), 472 * 1000 + 89 * 5000),
    # https://ai.google.dev/api/generate-content#UsageMetadata: thoughts beside candidates, cached within the prompt,
    # results of tools beside it; all four are the total
    "gemini_whole.json": (
        *("gemini", "Bonjour !", "stop"),
        Usage(3100, 440, cached_input=2048, reasoning=400, input_audio=500),
        552 * 1000 + 2048 * 100 + 500 * 7000 + 440 * 5000,
    ),
    # https://ai.google.dev/gemini-api/docs/function-calling
    "gemini_tools.json": ("gemini", "", "tool_calls", Usage(70, 30), 70 * 1000 + 30 * 5000),
    "gemini_blocked.json": ("gemini", "", "content_filter", Usage(9, 0), 9 * 1000),
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html: cache beside the input
    "bedrock_whole.json": (
        *("bedrock", "Bonjour !", "stop", Usage(1130, 628, cached_input=1000, cache_write=100)),
        30 * 1000 + 1000 * 100 + 100 * 1250 + 628 * 5000,
    ),
    "bedrock_tools.json": ("bedrock", "I'll look.", "tool_calls", Usage(400, 60), 400 * 1000 + 60 * 5000),
}
STREAMS: dict[str, tuple[str, Usage]] = {
    "openai_stream.sse": ("openai", Usage(1100, 40, cached_input=1024, reasoning=16)),
    "anthropic_stream.sse": ("anthropic", Usage(435, 89, cached_input=400, cache_write=10)),
    "gemini_stream.sse": ("gemini", Usage(25, 84, reasoning=64)),
    "bedrock_stream.json": ("bedrock", Usage(547, 20, cached_input=500)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer_is_read_to_the_last_token(name: str) -> None:
    dialect, text, finish, usage, cost = WHOLE[name]
    answer = DIALECTS[dialect].answer(read(name))
    (choice,) = answer.chat["choices"]
    assert (choice["message"].get("content") or "", choice["finish_reason"]) == (text, finish)
    assert answer.usage == usage
    assert PRICES.cost(usage) == cost
    assert {"id", "object", "created", "model"} <= answer.chat.keys() or name == "openai_bare.json"
    assert choice["index"] == 0
    assert choice["message"]["role"] == "assistant"


@pytest.mark.parametrize("name", [name for name in WHOLE if name.endswith("tools.json")])
def test_calls_of_tools_come_as_openai_has_them(name: str) -> None:
    message = DIALECTS[WHOLE[name][0]].answer(read(name)).chat["choices"][0]["message"]
    first, second = message["tool_calls"]
    assert first["function"]["name"] == second["function"]["name"] == "weather"
    assert [json.loads(call["function"]["arguments"]) for call in (first, second)] == [
        {"city": "Zürich"},
        {"city": "Bern"},
    ]
    assert first["id"] != second["id"]
    assert all(call["type"] == "function" and "index" not in call for call in (first, second))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("anthropic_tools.json", "Two cities."),
        ("gemini_whole.json", "They greet."),
        ("bedrock_whole.json", "Greet."),
        ("deepseek_whole.json", "They said hello."),
    ],
)
def test_what_a_model_thought_is_kept_apart(name: str, text: str) -> None:
    message = DIALECTS[WHOLE[name][0]].answer(read(name)).chat["choices"][0]["message"]
    assert message["reasoning_content"] == text


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 13, 1 << 20])
def test_a_stream_says_the_same_however_it_is_cut(name: str, size: int) -> None:
    dialect, usage = STREAMS[name]
    stream = stream_of(name)
    heard = Heard(dialect, (stream[at : at + size] for at in range(0, len(stream), size)))
    assert heard.text == "Grüezi"
    ((_, tool, arguments),) = heard.calls.values()
    assert (tool, json.loads(arguments), heard.finish) == ("weather", {"city": "Zürich"}, "tool_calls")
    assert heard.reader.usage == usage
    assert heard.reader.is_complete
    assert heard.reasoning == ("" if dialect == "openai" else "A city.")


def test_azures_first_chunk_has_no_choices_and_counts_nothing() -> None:
    heard = Heard("azure", [stream_of("azure_stream.sse")])
    assert (heard.text, heard.finish, heard.reader.usage) == ("Grüezi", "stop", Usage(9, 3))


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_ends_early_is_not_complete(name: str) -> None:
    stream = stream_of(name)
    half = Heard(STREAMS[name][0], [stream[: len(stream) // 2]]) if name == "bedrock_stream.json" else None
    if half is None:
        events = stream.split(b"\n\n")
        half = Heard(STREAMS[name][0], [b"\n\n".join(events[: len(events) // 2]) + b"\n\n"])
    assert not half.reader.is_complete
    assert half.finish is None


def test_an_anthropic_count_that_comes_later_stands_for_the_first() -> None:
    """https://platform.claude.com/docs/en/build-with-claude/streaming: the counts of message_delta are cumulative."""
    reader = DIALECTS["anthropic"].reader()
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}
    delta = {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 2000, "output_tokens": 15}}
    for plain in (start, delta):
        list(reader.read(Event(b"", json.dumps(plain).encode(), b"")))
    assert reader.usage == Usage(2000, 15)


def test_anthropics_count_of_thoughts_is_read() -> None:
    """https://platform.claude.com/docs/en/api/messages: `output_tokens_details`, within the output."""
    plain = json.loads(read("anthropic_tools.json"))
    plain["usage"]["output_tokens_details"] = {"thinking_tokens": 40}
    assert DIALECTS["anthropic"].answer(json.dumps(plain).encode()).usage == Usage(472, 89, reasoning=40)


def test_usage_in_openais_form_is_read_back() -> None:
    usage = Usage(100, 50, cached_input=40, cache_write=10, reasoning=20, input_audio=5, output_audio=6)
    assert usage_of(usage_plain(usage)) == usage


# ---- what is no answer ----


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'"x"', b"<html>", b'{"choices":[]}', b'{"content":7}']
)
def test_what_is_no_answer_is_said_to_be_none(dialect: str, body: bytes) -> None:
    with pytest.raises(VendorError) as raised:
        DIALECTS[dialect].answer(body)
    assert raised.value.failure.code == "malformed"


def assert_texts(said: dict[str, Any]) -> None:
    """What clients add up is text."""
    assert isinstance(said.get("content") or "", str)
    for call in said.get("tool_calls") or ():
        assert isinstance((call.get("function") or {}).get("arguments") or "", str)


@pytest.mark.parametrize("name", WHOLE)
def test_no_answer_however_odd_is_more_than_a_vendors_error(name: str) -> None:
    """Whatever is missing in it, or of another kind: it is an answer, or malformed; never a fault of ours."""
    dialect = DIALECTS[WHOLE[name][0]]
    for plain in spoilt(json.loads(read(name))):
        try:
            chat = dialect.answer(json.dumps(plain).encode()).chat
        except VendorError:
            continue
        for choice in chat["choices"]:
            assert_texts(choice["message"])


@pytest.mark.parametrize("name", STREAMS)
def test_no_event_however_odd_is_more_than_a_vendors_error(name: str) -> None:
    dialect = DIALECTS[STREAMS[name][0]]
    events = [event for event in dialect.framing().feed(stream_of(name)) if event.data != b"[DONE]"]
    for place, event in enumerate(events):
        for plain in spoilt(json.loads(event.data)):
            reader = dialect.reader()
            for earlier in events[:place]:
                list(reader.read(earlier))
            odd: Any = event._replace(data=json.dumps(plain).encode())
            try:
                chunks = list(reader.read(odd))
            except VendorError:
                continue
            for chunk in chunks:
                for choice in chunk.get("choices") or ():
                    assert_texts(choice.get("delta") or {})


# ---- embeddings ----


def test_embeddings_of_gemini_are_openais() -> None:
    """https://ai.google.dev/api/embeddings#method:-models.batchembedcontents: there is no count of tokens."""
    body = {"embeddings": [{"values": [0.5, -1]}, {"values": [1, 2]}]}
    answer = DIALECTS["gemini"].embedded(json.dumps(body).encode())
    assert [one["embedding"] for one in answer.chat["data"]] == [[0.5, -1], [1, 2]]
    assert answer.usage is None


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
@pytest.mark.parametrize(
    "body", [b"{}", b'{"data":[{}],"embeddings":[{}]}', b'{"data":[null],"embeddings":[null]}']
)
def test_embeddings_that_are_none_are_said_to_be_none(dialect: str, body: bytes) -> None:
    with pytest.raises(VendorError):
        DIALECTS[dialect].embedded(body)
