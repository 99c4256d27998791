"""OpenAI's Responses API without its memory: every call brings all of its input.

https://platform.openai.com/docs/api-reference/responses. A provider with the option `responses` is asked in it; any
other through chat completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ai.pricing import Usage
from ai.runtime.asgi import Request
from ai.runtime.dialects.contract import Answer, Dialect, Json, NotSupported, Outgoing, malformed
from ai.runtime.dialects.openai import OpenAIDialect, raise_error_within
from ai.runtime.dialects.openai import loaded as answer_loaded
from ai.runtime.errors import Code, Refused, VendorError, VendorFailure, openai_error
from ai.runtime.exchange import Build, Served
from ai.runtime.feed import Record
from ai.runtime.snapshot import Model
from ai.runtime.sse import Event, named_event
from ai.runtime.surfaces import streaming, told
from ai.runtime.surfaces.chat import chat_answer, chat_task, checked, chunks_of, log_input
from ai.runtime.surfaces.prompt import loaded
from ai.runtime.surfaces.response_bodies import (
    call_item,
    chat_of,
    response,
    response_of,
    text_item,
    usage_of,
)
from ai.runtime.surfaces.streaming import Outlet
from ai.runtime.vendors import VendorStream
from ai.runtime.work import Caller, Service, Work

_ONLY_NATIVE = ("max_tool_calls", "top_logprobs")


async def serve(request: Request, service: Service, caller: Caller, record: Record, body: bytes) -> None:
    """Answer a response request, whole or as a stream."""
    record.surface = "responses"
    plain = checked(loaded(body))
    stream = bool(plain.get("stream"))
    try:
        chat = chat_of(plain)
    except NotSupported as error:
        raise Refused(400, Code.NOT_SUPPORTED, f"The body cannot be taken: {error}.") from None
    except KeyError as error:
        raise Refused(400, Code.BODY_INVALID, f"The body cannot be read: {error} is missing.") from None
    except (TypeError, AttributeError):
        text = "The body cannot be read: a part of it is not of the form that the Responses API has."
        raise Refused(400, Code.BODY_INVALID, text) from None
    task = chat_task(caller.endpoint, chat, stream=stream)
    record.prompt = task.prompt.id if task.prompt else ""
    if caller.endpoint.log_bodies:
        log_input(record, task, chat if task.prompt else plain)
    async with Work(service, caller, record, task) as work:
        whole_first = work.must_see_whole_answer
        is_native = work.task.prompt is None and not work.task.guard
        work.task.build = _build(
            work.task.body, plain, is_native=is_native, stream=stream and not whole_first
        )
        work.task.read = _read if is_native else None
        if stream and not whole_first:
            outlet = ResponseOutlet(work, is_native=is_native)

            def headers(served: Served) -> Mapping[str, str]:
                return told.of_stream(work, served)

            await streaming.pass_on(request, work, work.task.build, outlet, headers)
            return
        result, chat_found = await chat_answer(work)
        if "output" in result.chat:
            _log_output(work, result.chat)
            await request.answer(200, told.of_result(work, result), result.raw)
            return
        if stream:
            outlet = ResponseOutlet(work, is_native=False)
            chunks = map(outlet.chunk, chunks_of(chat_found))
            pieces = [outlet.opening(result.model), *chunks, outlet.closing(result.usage)]
            await request.begin(200, {**told.of_result(work, result), **streaming.HEADERS})
            await request.send(b"".join(pieces), last=True)
            return
        payload = orjson.dumps(response_of(work, chat_found, result.usage))
        await request.answer(200, told.of_result(work, result), payload)


def _log_output(work: Work, response: Json) -> None:
    """The text of a vendor's own response, where bodies are logged."""
    if work.record.bodies is None:
        return
    parts = [part for item in response.get("output") or () for part in item.get("content") or ()]
    work.record.bodies["output"] = "".join(str(part.get("text") or "") for part in parts)


def _speaks_responses(dialect: Dialect, model: Model) -> bool:
    return isinstance(dialect, OpenAIDialect) and bool(model.provider.options.get("responses"))


def _build(chat: Json, plain: Json, *, is_native: bool, stream: bool) -> Build:
    lost = [name for name in _ONLY_NATIVE if plain.get(name)]

    def build(dialect: Dialect, model: Model, key: str) -> Outgoing:
        if is_native and _speaks_responses(dialect, model):
            assert isinstance(dialect, OpenAIDialect)  # noqa: S101 - it speaks them
            body = {**plain, "model": model.remote, "stream": stream, "store": False}
            return dialect.outgoing(model, key, "responses", body)
        if lost:
            raise NotSupported(f"{', '.join(lost)} here")
        return dialect.chat(model, key, chat, stream=stream)

    return build


def _read(dialect: Dialect, body: bytes) -> Answer:
    """A response, or the chat completion of a model that knows none."""
    if b'"response"' not in body[:2000] or not isinstance(dialect, OpenAIDialect):
        return dialect.answer(body)
    plain = answer_loaded(body)
    raise_error_within(plain)
    if plain.get("object") != "response":
        return dialect.answer(body)
    if not isinstance(plain.get("output"), list):
        raise malformed("it has no output")
    return Answer(plain, usage_of(plain.get("usage")))


def _event(number: int, kind: str, **members: Any) -> bytes:
    return named_event(kind, orjson.dumps({"type": kind, "sequence_number": number, **members}))


class ResponseReader:
    """Reads a vendor's own responses for what they cost and whether they came to an end."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self.response: Json = {}

    def read(self, event: Event) -> Iterator[Json]:
        """No chunks: the events go through as they are."""
        plain = answer_loaded(event.data)
        kind = plain.get("type", "")
        if kind in {"response.completed", "response.incomplete"}:
            self.is_complete = True
            self.response = plain.get("response") or {}
            self.usage = usage_of(self.response.get("usage"))
        elif kind == "response.failed":
            raise_error_within(plain.get("response") or {})
            raise malformed("the response failed")
        elif kind == "error":
            text = str(plain.get("message") or "The model answered with an error.")
            raise VendorError(VendorFailure(502, text, str(plain.get("code") or "")))
        return iter(())


class ResponseOutlet(Outlet):
    """Chunks as the events of a response. A vendor's own responses go through as they are."""

    def __init__(self, work: Work, *, is_native: bool) -> None:
        super().__init__()
        self._work = work
        self._may_be_native = is_native
        self._is_native = False
        self._numbers = iter(range(10_000_000))
        self._items: list[Json] = []
        self._text: list[str] = []
        self._arguments: dict[int, list[str]] = {}
        self._calls: dict[int, Json] = {}
        self._finish = "stop"
        self._model = ""

    def begin(self, served: Served) -> bytes:
        """The response as it is created."""
        self._is_native = self._may_be_native and _speaks_responses(served.dialect, served.model)
        if self._is_native and served.stream is not None:
            served.stream.reader = ResponseReader()
            return b""
        return self.opening(served.model.name)

    def opening(self, model: str) -> bytes:
        """The start of a response of our own."""
        self._model = model
        created = response(self._work, self._model, [], None, None)
        return self._event("response.created", response=created) + self._event(
            "response.in_progress", response=created
        )

    def passed(self, stream: VendorStream, event: Event) -> bytes:
        """The bytes as they came, of a vendor's own responses."""
        if not self._is_native:
            return super().passed(stream, event)
        for _ in stream.reader.read(event):
            pass
        self.characters += len(event.data) // 4
        return event.raw

    def chunk(self, chunk: Json) -> bytes:
        """The events of a chunk."""
        return b"".join(self._events(chunk))

    def _events(self, chunk: Json) -> Iterator[bytes]:
        for choice in (chunk.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            if delta.get("content"):
                yield from self._said(delta["content"])
            for call in delta.get("tool_calls") or ():
                yield from self._called(call)
            self._finish = choice.get("finish_reason") or self._finish

    def _said(self, text: str) -> Iterator[bytes]:
        item_id = text_item(self._work.record.run, "")["id"]
        if not self._text:
            place = len(self._items)
            self._items.append({"text": place})
            item = text_item(self._work.record.run, "", "in_progress")
            yield self._event("response.output_item.added", output_index=place, item=item)
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            yield self._event(
                "response.content_part.added", item_id=item_id, output_index=place, content_index=0, part=part
            )
        self._text.append(text)
        place = next(entry["text"] for entry in self._items if "text" in entry)
        at = {"item_id": item_id, "output_index": place, "content_index": 0}
        yield self._event("response.output_text.delta", **at, delta=text, logprobs=[])

    def _called(self, call: Json) -> Iterator[bytes]:
        number, function = call["index"], call.get("function") or {}
        if number not in self._calls:
            call = {**call, "id": call.get("id") or f"call_{self._work.record.run}_{number}"}
            place = len(self._items)
            self._items.append({"call": number})
            self._calls[number] = {
                "id": call["id"],
                "place": place,
                "function": {"name": function.get("name", "")},
            }
            self._arguments[number] = []
            begun = {"id": call["id"], "function": {"name": function.get("name", ""), "arguments": ""}}
            item = call_item(begun, "in_progress")
            yield self._event("response.output_item.added", output_index=place, item=item)
        if function.get("arguments"):
            self._arguments[number].append(function["arguments"])
            known = self._calls[number]
            yield self._event(
                "response.function_call_arguments.delta",
                item_id=f"fc_{known['id']}",
                output_index=known["place"],
                delta=function["arguments"],
            )

    def end(self, served: Served, usage: Usage) -> bytes:
        """Every item as it is in the end, and the response."""
        if self._is_native:
            reader = served.stream.reader if served.stream else None
            _log_output(self._work, reader.response if isinstance(reader, ResponseReader) else {})
            return b""
        if self._work.record.bodies is not None:
            self._work.record.bodies["output"] = "".join(self._text)
        return self.closing(usage)

    def closing(self, usage: Usage) -> bytes:
        """The end of a response of our own."""
        output = [self._item(entry) for entry in self._items]
        pieces = []
        for place, item in enumerate(output):
            if item["type"] == "message":
                at = {"item_id": item["id"], "output_index": place, "content_index": 0}
                part = item["content"][0]
                pieces.append(self._event("response.output_text.done", **at, text=part["text"], logprobs=[]))
                pieces.append(self._event("response.content_part.done", **at, part=part))
            else:
                at = {"item_id": item["id"], "output_index": place}
                arguments = item["arguments"]
                pieces.append(self._event("response.function_call_arguments.done", **at, arguments=arguments))
            pieces.append(self._event("response.output_item.done", output_index=place, item=item))
        answer = response(self._work, self._model, output, usage, self._finish)
        kind = "response.completed" if answer["status"] == "completed" else "response.incomplete"
        return b"".join(pieces) + self._event(kind, response=answer)

    def _item(self, entry: Json) -> Json:
        if "text" in entry:
            return text_item(self._work.record.run, "".join(self._text))
        number = entry["call"]
        known = self._calls[number]
        function = {**known["function"], "arguments": "".join(self._arguments[number])}
        return call_item({"id": known["id"], "function": function})

    def _event(self, kind: str, **members: Any) -> bytes:
        return _event(next(self._numbers), kind, **members)

    def failed(self, refused: Refused) -> bytes:
        """An error event. OpenAI's clients raise it for its member `error`, which they know from other streams."""
        self._work.record.code = refused.code.value
        error = openai_error(refused)
        return self._event("error", code=error["code"], message=error["message"], param=None, error=error)
