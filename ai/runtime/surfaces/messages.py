"""Anthropic's Messages API, for its clients. https://docs.anthropic.com/en/api/messages

A model that speaks it is asked in it, with everything that only Anthropic has; any other through chat completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ai.pricing import Usage
from ai.runtime.asgi import Request
from ai.runtime.dialects.anthropic import AnthropicDialect
from ai.runtime.dialects.contract import Dialect, Json, NotSupported, Outgoing
from ai.runtime.errors import Code, Fault, Refused, anthropic_error
from ai.runtime.exchange import Build, Served
from ai.runtime.feed import Record
from ai.runtime.snapshot import Model
from ai.runtime.sse import Event, named_event
from ai.runtime.surfaces import streaming, told
from ai.runtime.surfaces.chat import chat_answer, chat_task, checked, chunks_of, log_input
from ai.runtime.surfaces.message_bodies import (
    STOP_REASONS,
    chat_of,
    message_of,
    only_native,
    usage_plain,
)
from ai.runtime.surfaces.prompt import loaded
from ai.runtime.surfaces.streaming import Outlet
from ai.runtime.vendors import VendorStream
from ai.runtime.work import Caller, Service, Work

_AT_REST: Mapping[str, Any] = {
    "service_tier": "standard_only",
    "speed": "standard",
    "inference_geo": "global",
}
"""What costs the usual, of members that change the price."""
_PRICED_APART = (*_AT_REST, "container", "mcp_servers")


async def serve(request: Request, service: Service, caller: Caller, record: Record, body: bytes) -> None:
    """Answer a message request, whole or as a stream."""
    record.surface = "messages"
    plain = _checked(loaded(body))
    stream = bool(plain.get("stream"))
    try:
        chat, lost = chat_of(plain), only_native(plain)
    except NotSupported as error:
        raise Refused(400, Code.NOT_SUPPORTED, f"The body cannot be taken: {error}.") from None
    except KeyError as error:
        raise Refused(400, Code.BODY_INVALID, f"The body cannot be read: {error} is missing.") from None
    except (TypeError, AttributeError, ValueError):
        text = "The body cannot be read: a part of it is not of the form that the Messages API has."
        raise Refused(400, Code.BODY_INVALID, text) from None
    task = chat_task(caller.endpoint, chat, stream=stream)
    record.prompt = task.prompt.id if task.prompt else ""
    if caller.endpoint.log_bodies:
        log_input(record, task, chat if task.prompt else plain)
    async with Work(service, caller, record, task) as work:
        whole_first = work.must_see_whole_answer
        is_native = work.task.prompt is None and not work.task.guard
        work.task.build = _build(
            work.task.body, plain, lost, is_native=is_native, stream=stream and not whole_first
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
        if stream:
            outlet = MessageOutlet(work)
            pieces = [
                outlet.opening(result.model),
                *map(outlet.chunk, chunks_of(answer)),
                outlet.closing(result.usage),
            ]
            await request.begin(200, {**told.of_result(work, result), **streaming.HEADERS})
            await request.send(b"".join(pieces), last=True)
            return
        payload = orjson.dumps(message_of(answer, result.usage))
        await request.answer(200, told.of_result(work, result), payload)


def _checked(plain: Json) -> Json:
    """The body, if it asks for nothing that is not the caller's to choose or costs apart. Raises Refused."""
    checked({name: value for name, value in plain.items() if name != "service_tier"})
    apart = [name for name in _PRICED_APART if plain.get(name) not in (None, "auto", _AT_REST.get(name))]
    if _keeps_an_hour(plain):
        apart.append("cache_control with a ttl of 1h")
    if apart:
        text = f"{', '.join(apart)} costs apart in a way that is not known here. Remove it."
        raise Refused(400, Code.NOT_SUPPORTED, text, faults=(Fault(f"/{apart[0]}", text),))
    return plain


def _keeps_an_hour(plain: Any) -> bool:
    """Whether a cache is asked to live for an hour, which costs more than the usual five minutes."""
    if isinstance(plain, list):
        return any(_keeps_an_hour(one) for one in plain)
    if not isinstance(plain, dict):
        return False
    control = plain.get("cache_control")
    if isinstance(control, dict) and control.get("ttl") == "1h":
        return True
    return any(_keeps_an_hour(value) for value in plain.values() if isinstance(value, dict | list))


def _build(chat: Json, plain: Json, lost: list[str], *, is_native: bool, stream: bool) -> Build:
    """In Anthropic's own form where the model speaks it and nothing has to be changed on the way."""

    def build(dialect: Dialect, model: Model, key: str) -> Outgoing:
        if is_native and isinstance(dialect, AnthropicDialect):
            return dialect.outgoing(model, key, {**plain, "model": model.remote, "stream": stream})
        if lost:
            raise NotSupported(f"{', '.join(lost)} here")
        return dialect.chat(model, key, chat, stream=stream)

    return build


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
        self._text: list[str] = []

    def begin(self, served: Served) -> bytes:
        """The head of the message."""
        self._is_native = isinstance(served.dialect, AnthropicDialect)
        return b"" if self._is_native else self.opening(served.model.name)

    def opening(self, model: str) -> bytes:
        """The start of a message of our own."""
        message: Json = {
            "id": self._work.record.run,
            "type": "message",
            "role": "assistant",
            "model": model,
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
        for chunk in self.seen(stream, event):
            self._hear(chunk)
        return event.raw

    def chunk(self, chunk: Json) -> bytes:
        """The events of a chunk."""
        self._hear(chunk)
        return b"".join(self._events(chunk))

    def _hear(self, chunk: Json) -> None:
        if self._work.record.bodies is not None:
            for choice in (chunk.get("choices") or ())[:1]:
                self._text.append((choice.get("delta") or {}).get("content") or "")

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
        if self._work.record.bodies is not None:
            self._work.record.bodies["output"] = "".join(self._text)
        return b"" if self._is_native else self.closing(usage)

    def closing(self, usage: Usage) -> bytes:
        """The end of a message of our own."""
        reason = STOP_REASONS.get(self._reason, "end_turn")
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
