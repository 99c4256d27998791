"""Anthropic's Messages API. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from ai.pricing import Usage
from ai.runtime.dialects.chat import (
    Chunks,
    arguments_of,
    completion,
    data_url,
    functions,
    json_schema_of,
    max_tokens,
    parts_of,
    refuse_what_is_set,
    split_system,
    stops,
    text_of,
    tool_call,
)
from ai.runtime.dialects.contract import (
    Answer,
    Json,
    NotSupported,
    Outgoing,
    asking,
    joined_url,
    malformed,
    reading,
    retry_after_seconds,
)
from ai.runtime.dialects.openai import COOL_S, auth_headers, common_headers, error_of, loaded, number
from ai.runtime.errors import VendorError, VendorFailure
from ai.runtime.snapshot import Model
from ai.runtime.sse import Event, EventReader

VERSION = "2023-06-01"
USUAL_MAX_TOKENS = 4096

_FOREIGN = (
    *("logprobs", "top_logprobs", "logit_bias", "seed", "presence_penalty", "frequency_penalty"),
    *("audio", "prediction", "web_search_options", "reasoning_effort", "verbosity"),
)
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class AnthropicDialect:
    """Chat completions as messages."""

    passes_chat = False

    def chat(self, model: Model, key: str, body: Json, *, stream: bool) -> Outgoing:
        """A message request. Raises NotSupported for what Anthropic has nothing for."""
        with asking():
            sent = {**message_body(model, body), "model": model.remote, "stream": stream}
        return self.outgoing(model, key, sent)

    def outgoing(self, model: Model, key: str, body: Json) -> Outgoing:
        """A message request with a body in Anthropic's own form."""
        provider = model.provider
        headers = {"anthropic-version": VERSION, **common_headers(provider), **auth_headers(provider, key)}
        return Outgoing(joined_url(provider.base_url, "messages"), headers, orjson.dumps(body))

    def embeddings(self, model: Model, key: str, body: Json) -> Outgoing:
        """Anthropic has none."""
        raise NotSupported("embeddings, which Anthropic does not have")

    def embedded(self, body: bytes) -> Answer:
        """Anthropic has none."""
        raise malformed("it has no embeddings")

    def answer(self, body: bytes) -> Answer:
        """A message as a completion."""
        plain = loaded(body)
        raise_error_event(plain)
        with reading():
            return message_answer(plain)

    def framing(self) -> EventReader:
        """Server-sent events."""
        return EventReader()

    def reader(self) -> AnthropicReader:
        """A reader of its events."""
        return AnthropicReader()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> VendorFailure:
        """The `error` member. 529 is its word for overloaded."""
        message, code = error_of(body)
        cool = (retry_after_seconds(headers) or COOL_S) if status in {429, 529} else 0.0
        return VendorFailure(
            status, message or f"The vendor answered {status}.", code, cool, headers=dict(headers)
        )


def message_body(model: Model, body: Json) -> Json:
    """The body of a message request without model and stream."""
    refuse_what_is_set(body, _FOREIGN, "Anthropic")
    if (body.get("temperature") or 0) > 1:
        raise NotSupported("a temperature above 1, which Anthropic does not have")
    system, rest = split_system(body["messages"])
    sent: Json = {
        "max_tokens": max_tokens(body) or model.max_output or USUAL_MAX_TOKENS,
        "messages": merged(list(_messages(rest))),
    }
    if system:
        sent["system"] = system
    for name in ("temperature", "top_p", "top_k"):
        if body.get(name) is not None:
            sent[name] = body[name]
    if body.get("user"):
        sent["metadata"] = {"user_id": body["user"]}
    if stops(body):
        sent["stop_sequences"] = stops(body)
    schema = json_schema_of(body)
    if schema is not None and not schema:
        raise NotSupported("an answer of any JSON, which Anthropic does not have: name a schema")
    if schema:
        sent["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    sent.update(_tools(body))
    return sent


def _tools(body: Mapping[str, Any]) -> Json:
    found = [
        {
            "name": function["name"],
            "description": function.get("description") or "",
            "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
        }
        for function in functions(body)
    ]
    if not found:
        return {}
    choice = _choice(body.get("tool_choice"))
    if body.get("parallel_tool_calls") is False and choice != {"type": "none"}:
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return {"tools": found, **({"tool_choice": choice} if choice else {})}


def _choice(wanted: Any) -> Json | None:
    if isinstance(wanted, dict):
        return {"type": "tool", "name": wanted["function"]["name"]}
    return {"required": {"type": "any"}, "none": {"type": "none"}, "auto": {"type": "auto"}}.get(wanted or "")


def _messages(messages: Iterable[Json]) -> Iterator[Json]:
    for message in messages:
        match message["role"]:
            case "tool":
                content = text_of(message.get("content"))
                block = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": content}
                yield {"role": "user", "content": [block]}
            case "assistant":
                yield {"role": "assistant", "content": list(_said(message))}
            case "user":
                yield {"role": "user", "content": [_block(part) for part in parts_of(message.get("content"))]}
            case role:
                raise NotSupported(f"a message of the role {role!r}")


def _said(message: Json) -> Iterator[Json]:
    text = text_of(message.get("content"))
    if text:
        yield {"type": "text", "text": text}
    for call in message.get("tool_calls") or ():
        yield {
            "type": "tool_use",
            "id": call["id"],
            "name": call["function"]["name"],
            "input": arguments_of(call),
        }


def _block(part: Json) -> Json:
    match part.get("type"):
        case "text":
            return {"type": "text", "text": part["text"]}
        case "image_url":
            return {"type": "image", "source": _source(part["image_url"]["url"])}
        case "file" if part["file"].get("file_data"):
            name = part["file"].get("filename")
            titled = {"title": name} if name else {}
            return {"type": "document", "source": _document(part["file"]["file_data"]), **titled}
        case kind:
            raise NotSupported(f"a part of type {kind!r}, which Anthropic does not have")


def _source(url: str) -> Json:
    found = data_url(url)
    if found is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": found[0], "data": found[1]}


def _document(url: str) -> Json:
    """A PDF, or a plain text, which has a form of its own."""
    found = data_url(url)
    if found is None or found[0] != "text/plain":
        return _source(url)
    return {"type": "text", "media_type": "text/plain", "data": base64.b64decode(found[1]).decode()}


def merged(messages: list[Json]) -> list[Json]:
    """Messages of one role that follow each other as one, as results of several tools must be."""
    found: list[Json] = []
    for message in messages:
        if found and found[-1]["role"] == message["role"]:
            found[-1]["content"].extend(message["content"])
        elif message["content"]:
            found.append(message)
    return found


# ---- answers ----


def message_answer(plain: Json) -> Answer:
    """A message as a completion. Raises VendorError."""
    if not isinstance(plain.get("content"), list):
        raise malformed("it has no content")
    text: list[str] = []
    reasoning: list[str] = []
    calls: list[Json] = []
    for block in plain["content"]:
        match block.get("type"):
            case "text":
                text.append(block["text"])
            case "thinking":
                reasoning.append(block.get("thinking", ""))
            case "tool_use":
                arguments = orjson.dumps(block.get("input") or {}).decode()
                calls.append(tool_call(len(calls), block["id"], block["name"], arguments))
    finish = FINISH.get(plain.get("stop_reason") or "", "stop")
    content = "".join(text) if text or not calls else None
    chat = completion(
        str(plain.get("id", "")),
        str(plain.get("model", "")),
        content,
        calls,
        finish,
        reasoning="".join(reasoning),
    )
    return Answer(chat, usage_of(plain.get("usage")))


def usage_of(plain: Any) -> Usage | None:
    """Anthropic counts cached tokens beside the input, not within it. What was thought is within the output."""
    if not isinstance(plain, dict):
        return None
    cached, written = (
        number(plain.get("cache_read_input_tokens")),
        number(plain.get("cache_creation_input_tokens")),
    )
    outputs = plain.get("output_tokens_details")
    return Usage(
        input=number(plain.get("input_tokens")) + cached + written,
        output=number(plain.get("output_tokens")),
        cached_input=cached,
        cache_write=written,
        reasoning=number(outputs.get("thinking_tokens")) if isinstance(outputs, dict) else 0,
    ).if_any()


def raise_error_event(plain: Json) -> None:
    """Raise VendorError for `{"type": "error"}`."""
    if plain.get("type") != "error" and not plain.get("error"):
        return
    error = plain.get("error") or {}
    code = str(error.get("type", ""))
    status = _STATUS.get(code, 502)
    raise VendorError(
        VendorFailure(status, str(error.get("message") or "The model answered with an error."), code)
    )


class AnthropicReader:
    """The events of a message as chunks. https://docs.anthropic.com/en/docs/build-with-claude/streaming"""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self._chunks = Chunks()
        self._calls: dict[int, int] = {}
        self._counts: dict[str, Any] = {}

    def read(self, event: Event) -> Iterator[Json]:
        """The chunks of an event; events of a type not known are none."""
        plain = loaded(event.data)
        raise_error_event(plain)
        with reading():
            yield from self._read(plain)

    def _read(self, plain: Json) -> Iterator[Json]:
        match plain.get("type"):
            case "message_start":
                self._begin(plain["message"])
                yield self._chunks.delta(content="")
            case "content_block_start":
                yield from self._block(plain)
            case "content_block_delta":
                yield from self._delta(plain)
            case "message_delta":
                self._count(plain.get("usage"))
                reason = (plain.get("delta") or {}).get("stop_reason")
                if reason:
                    yield self._chunks.end(FINISH.get(reason, "stop"))
            case "message_stop":
                self.is_complete = True

    def _begin(self, message: Json) -> None:
        self._chunks.id, self._chunks.model = str(message.get("id", "")), str(message.get("model", ""))
        self._count(message.get("usage"))

    def _count(self, usage: Any) -> None:
        """Later counts are totals and stand for earlier ones."""
        if isinstance(usage, dict):
            self._counts.update({name: value for name, value in usage.items() if value is not None})
            self.usage = usage_of(self._counts)

    def _block(self, plain: Json) -> Iterator[Json]:
        block = plain["content_block"]
        if block.get("type") == "tool_use":
            place = self._calls[plain["index"]] = len(self._calls)
            yield self._chunks.delta(tool_calls=[tool_call(place, block["id"], block["name"], "")])
        elif block.get("type") == "text" and block.get("text"):
            yield self._chunks.delta(content=block["text"])

    def _delta(self, plain: Json) -> Iterator[Json]:
        delta = plain["delta"]
        match delta.get("type"):
            case "text_delta":
                yield self._chunks.delta(content=delta["text"])
            case "thinking_delta":
                yield self._chunks.delta(reasoning_content=delta["thinking"])
            case "input_json_delta":
                call = {
                    "index": self._calls[plain["index"]],
                    "function": {"arguments": delta["partial_json"]},
                }
                yield self._chunks.delta(tool_calls=[call])
