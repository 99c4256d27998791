"""Anthropic's Messages API, for its clients. https://docs.anthropic.com/en/api/messages

A model that speaks it is asked in it, with everything that only Anthropic has; any other through chat completions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from ai.pricing import Usage
from ai.runtime.asgi import Request
from ai.runtime.dialects.anthropic import AnthropicDialect
from ai.runtime.dialects.chat import parts_of, text_of
from ai.runtime.dialects.contract import Dialect, Json, NotSupported, Outgoing
from ai.runtime.errors import Code, Refused, anthropic_error
from ai.runtime.exchange import Build, Served
from ai.runtime.feed import Record
from ai.runtime.snapshot import Model
from ai.runtime.sse import Event, named_event
from ai.runtime.surfaces import streaming, told
from ai.runtime.surfaces.chat import chat_answer, chat_task
from ai.runtime.surfaces.prompt import loaded
from ai.runtime.surfaces.streaming import Outlet
from ai.runtime.vendors import VendorStream
from ai.runtime.work import Caller, Service, Work

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_KEPT = ("temperature", "top_p", "top_k", "metadata", "stream", "variables")


async def serve(request: Request, service: Service, caller: Caller, record: Record, body: bytes) -> None:
    """Answer a message request, whole or as a stream."""
    record.surface = "messages"
    plain = loaded(body)
    stream = bool(plain.get("stream"))
    try:
        chat = chat_of(plain)
    except (NotSupported, KeyError, TypeError, AttributeError) as error:
        raise Refused(400, Code.BODY_INVALID, f"The body cannot be read: {error}.") from None
    task = chat_task(caller.endpoint, chat, stream=stream)
    record.prompt = task.prompt.id if task.prompt else ""
    if caller.endpoint.log_bodies:
        record.bodies = {"input": plain}
    async with Work(service, caller, record, task) as work:
        whole_first = work.must_see_whole_answer
        is_native = work.task.prompt is None and not work.task.guard
        work.task.build = _build(
            work.task.body, plain if is_native else None, stream=stream and not whole_first
        )
        if stream and not whole_first:
            outlet = MessageOutlet(work)

            def headers(served: Served) -> Mapping[str, str]:
                return told.of_stream(work, served)

            await streaming.pass_on(request, work, work.task.build, outlet, headers)
            return
        result, answer = await chat_answer(work)
        if is_native and isinstance(result.dialect, AnthropicDialect):
            await request.answer(200, told.of_result(work, result), result.raw)
            return
        message = message_of(answer, result.usage)
        if stream:
            await request.begin(200, {**told.of_result(work, result), **streaming.HEADERS})
            await request.send(b"".join(_events_of(message)), last=True)
            return
        await request.answer(200, told.of_result(work, result), orjson.dumps(message))


def _build(chat: Json, native: Json | None, *, stream: bool) -> Build:
    """In Anthropic's own form where the model speaks it and nothing has to be changed on the way."""

    def build(dialect: Dialect, model: Model, key: str) -> Outgoing:
        if native is not None and isinstance(dialect, AnthropicDialect):
            return dialect.outgoing(model, key, {**native, "model": model.remote, "stream": stream})
        return dialect.chat(model, key, chat, stream=stream)

    return build


# ---- requests ----


def chat_of(plain: Json) -> Json:
    """A message request as a chat completion. Raises NotSupported, KeyError or TypeError."""
    chat: Json = {name: plain[name] for name in _KEPT if plain.get(name) is not None}
    system = text_of(plain.get("system"))
    messages = [{"role": "system", "content": system}] if system else []
    for message in plain.get("messages") or ():
        messages.extend(_chat_messages(message))
    chat.update(model=plain.get("model"), messages=messages)
    if plain.get("max_tokens"):
        chat["max_completion_tokens"] = plain["max_tokens"]
    if plain.get("stop_sequences"):
        chat["stop"] = plain["stop_sequences"]
    if plain.get("tools"):
        chat["tools"] = [_tool(tool) for tool in plain["tools"]]
    choice = plain.get("tool_choice")
    if choice:
        chat["tool_choice"] = _choice(choice)
        if choice.get("disable_parallel_tool_use"):
            chat["parallel_tool_calls"] = False
    schema = ((plain.get("output_config") or {}).get("format") or {}).get("schema")
    if schema:
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    return chat


def _tool(tool: Json) -> Json:
    if tool.get("type") not in {None, "custom"}:
        raise NotSupported(f"the tool {tool.get('type')}, which only Anthropic's own servers run")
    function = {
        "name": tool["name"],
        "parameters": tool["input_schema"],
        "description": tool.get("description", ""),
    }
    return {"type": "function", "function": function}


def _choice(choice: Json) -> Any:
    match choice["type"]:
        case "tool":
            return {"type": "function", "function": {"name": choice["name"]}}
        case "any":
            return "required"
        case kind:
            return kind


def _chat_messages(message: Json) -> Iterator[Json]:
    """Results of tools are messages of their own there."""
    blocks = parts_of(message["content"])
    for block in blocks:
        if block.get("type") == "tool_result":
            content = text_of(block.get("content"))
            yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content}
    rest = [block for block in blocks if block.get("type") != "tool_result"]
    if message["role"] == "assistant":
        yield _said(rest)
    elif rest:
        yield {"role": message["role"], "content": _content([_part(block) for block in rest])}


def _said(blocks: Iterable[Json]) -> Json:
    text = "".join(block["text"] for block in blocks if block.get("type") == "text")
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": orjson.dumps(block.get("input") or {}).decode()},
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    return {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}


def _content(parts: list[Json]) -> Any:
    """One text where there is nothing else: many servers know no parts."""
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(block: Json) -> Json:
    match block.get("type"):
        case "text":
            return {"type": "text", "text": block["text"]}
        case "image":
            return {"type": "image_url", "image_url": {"url": _url(block["source"])}}
        case "document":
            return {
                "type": "file",
                "file": {"filename": block.get("title") or "document", "file_data": _url(block["source"])},
            }
        case kind:
            raise NotSupported(f"a block of type {kind!r}")


def _url(source: Json) -> str:
    if source["type"] == "url":
        return str(source["url"])
    return f"data:{source['media_type']};base64,{source['data']}"


# ---- answers ----


def message_of(chat: Json, usage: Usage) -> Json:
    """A completion as a message."""
    choice = chat["choices"][0]
    said = choice["message"]
    content: list[Json] = []
    if said.get("content"):
        content.append({"type": "text", "text": said["content"]})
    for call in said.get("tool_calls") or ():
        arguments = orjson.loads(call["function"]["arguments"] or "{}")
        content.append(
            {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments}
        )
    return {
        "id": chat["id"],
        "type": "message",
        "role": "assistant",
        "model": chat["model"],
        "content": content,
        "stop_reason": _STOP_REASONS.get(choice.get("finish_reason") or "stop", "end_turn"),
        "stop_sequence": None,
        "usage": usage_plain(usage),
    }


def usage_plain(usage: Usage) -> Json:
    """Anthropic counts cached tokens beside the input."""
    return {
        "input_tokens": usage.input - usage.cached_input - usage.cache_write,
        "output_tokens": usage.output,
        "cache_read_input_tokens": usage.cached_input,
        "cache_creation_input_tokens": usage.cache_write,
    }


def _events_of(message: Json) -> Iterator[bytes]:
    """A whole message as the events of a stream."""
    head = {**message, "content": [], "stop_reason": None}
    yield _event("message_start", message=head)
    for place, block in enumerate(message["content"]):
        if block["type"] == "text":
            yield _event("content_block_start", index=place, content_block={"type": "text", "text": ""})
            yield _event(
                "content_block_delta", index=place, delta={"type": "text_delta", "text": block["text"]}
            )
        else:
            yield _event("content_block_start", index=place, content_block={**block, "input": {}})
            arguments = orjson.dumps(block["input"]).decode()
            yield _event(
                "content_block_delta",
                index=place,
                delta={"type": "input_json_delta", "partial_json": arguments},
            )
        yield _event("content_block_stop", index=place)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage=message["usage"])
    yield _event("message_stop")


def _event(kind: str, **members: Any) -> bytes:
    return named_event(kind, orjson.dumps({"type": kind, **members}))


class MessageOutlet(Outlet):
    """Chunks as the events of a message: blocks open and close around them. Anthropic's own go through as they are."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._is_native = False
        self._open = ""
        self._place = -1
        self._reason = "stop"

    def begin(self, served: Served) -> bytes:
        """The head of the message."""
        self._is_native = isinstance(served.dialect, AnthropicDialect)
        if self._is_native:
            return b""
        message: Json = {
            "id": self._work.record.run,
            "type": "message",
            "role": "assistant",
            "model": served.model.name,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_plain(Usage()),
        }
        return _event("message_start", message=message)

    def passed(self, stream: VendorStream, event: Event) -> bytes:
        """The bytes as they came from Anthropic, whose reader counts along."""
        if not self._is_native:
            return super().passed(stream, event)
        for _ in self.seen(stream, event):
            pass
        return event.raw

    def chunk(self, chunk: Json) -> bytes:
        """The events of a chunk."""
        return b"".join(self._events(chunk))

    def _events(self, chunk: Json) -> Iterator[bytes]:
        for choice in (chunk.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            if delta.get("content"):
                yield from self._opened("text", {"type": "text", "text": ""})
                yield self._delta({"type": "text_delta", "text": delta["content"]})
            for call in delta.get("tool_calls") or ():
                yield from self._called(call)
            self._reason = choice.get("finish_reason") or self._reason

    def _called(self, call: Json) -> Iterator[bytes]:
        function = call.get("function") or {}
        if call.get("id"):
            block = {"type": "tool_use", "id": call["id"], "name": function.get("name", ""), "input": {}}
            yield from self._opened(f"tool {call['id']}", block)
        if function.get("arguments"):
            yield self._delta({"type": "input_json_delta", "partial_json": function["arguments"]})

    def _opened(self, name: str, block: Json) -> Iterator[bytes]:
        if self._open == name:
            return
        yield from self._closed()
        self._open, self._place = name, self._place + 1
        yield _event("content_block_start", index=self._place, content_block=block)

    def _closed(self) -> Iterator[bytes]:
        if self._open:
            yield _event("content_block_stop", index=self._place)
            self._open = ""

    def _delta(self, delta: Json) -> bytes:
        return _event("content_block_delta", index=self._place, delta=delta)

    def end(self, served: Served, usage: Usage) -> bytes:
        """The end of the message with its usage."""
        if self._is_native:
            return b""
        reason = _STOP_REASONS.get(self._reason, "end_turn")
        pieces = [
            *self._closed(),
            _event(
                "message_delta",
                delta={"stop_reason": reason, "stop_sequence": None},
                usage=usage_plain(usage),
            ),
            _event("message_stop"),
        ]
        return b"".join(pieces)

    def failed(self, refused: Refused) -> bytes:
        """An error event, which Anthropic's clients raise."""
        self._work.record.code = refused.code.value
        return named_event("error", orjson.dumps(anthropic_error(refused, self._work.record.request_id)))
