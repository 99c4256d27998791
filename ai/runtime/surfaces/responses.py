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
from ai.runtime.dialects.openai import OpenAIDialect, number, raise_error_within
from ai.runtime.dialects.openai import loaded as answer_loaded
from ai.runtime.errors import Code, Refused, VendorError, VendorFailure, openai_error
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

_KEPT = ("model", "temperature", "top_p", "stream", "metadata", "user", "parallel_tool_calls", "service_tier")
_NEEDS_MEMORY = ("previous_response_id", "conversation", "background")


async def serve(request: Request, service: Service, caller: Caller, record: Record, body: bytes) -> None:
    """Answer a response request, whole or as a stream."""
    record.surface = "responses"
    plain = loaded(body)
    stream = bool(plain.get("stream"))
    try:
        chat = chat_of(plain)
    except (NotSupported, KeyError, TypeError, AttributeError) as error:
        raise Refused(400, Code.NOT_SUPPORTED, f"The body cannot be taken: {error}.") from None
    task = chat_task(caller.endpoint, chat, stream=stream)
    record.prompt = task.prompt.id if task.prompt else ""
    if caller.endpoint.log_bodies:
        record.bodies = {"input": plain}
    async with Work(service, caller, record, task) as work:
        whole_first = work.must_see_whole_answer
        native = plain if work.task.prompt is None and not work.task.guard else None
        work.task.build = _build(work.task.body, native, stream=stream and not whole_first)
        work.task.read = _read if native is not None else None
        if stream and not whole_first:
            outlet = ResponseOutlet(work, is_native=native is not None)

            def headers(served: Served) -> Mapping[str, str]:
                return told.of_stream(work, served)

            await streaming.pass_on(request, work, work.task.build, outlet, headers)
            return
        if native is not None:
            result = await work.whole()
            if "choices" not in result.chat:
                await request.answer(200, told.of_result(work, result), result.raw)
                return
            answer = response_of(work, result.chat, result.usage)
        else:
            result, chat_found = await chat_answer(work)
            answer = response_of(work, chat_found, result.usage)
        if stream:
            await request.begin(200, {**told.of_result(work, result), **streaming.HEADERS})
            await request.send(b"".join(_events_of(answer)), last=True)
            return
        await request.answer(200, told.of_result(work, result), orjson.dumps(answer))


def _speaks_responses(dialect: Dialect, model: Model) -> bool:
    return isinstance(dialect, OpenAIDialect) and bool(model.provider.options.get("responses"))


def _build(chat: Json, native: Json | None, *, stream: bool) -> Build:
    def build(dialect: Dialect, model: Model, key: str) -> Outgoing:
        if native is not None and _speaks_responses(dialect, model):
            assert isinstance(dialect, OpenAIDialect)  # noqa: S101 - it speaks them
            body = {**native, "model": model.remote, "stream": stream, "store": False}
            return dialect.outgoing(model, key, "responses", body)
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
    return Answer(plain, usage_of(plain.get("usage")))


# ---- requests ----


def chat_of(plain: Json) -> Json:
    """A response request as a chat completion. Raises NotSupported, KeyError or TypeError."""
    asked = [name for name in _NEEDS_MEMORY if plain.get(name)]
    if asked:
        raise NotSupported(
            f"{', '.join(asked)} needs answers that are kept, and none are. Send all of the input"
        )
    chat: Json = {name: plain[name] for name in _KEPT if plain.get(name) is not None}
    chat["messages"] = list(_messages(plain))
    if plain.get("max_output_tokens"):
        chat["max_completion_tokens"] = plain["max_output_tokens"]
    if plain.get("tools"):
        chat["tools"] = [_tool(tool) for tool in plain["tools"]]
    choice = plain.get("tool_choice")
    if choice:
        chat["tool_choice"] = (
            {"type": "function", "function": {"name": choice["name"]}} if isinstance(choice, dict) else choice
        )
    effort = (plain.get("reasoning") or {}).get("effort")
    if effort:
        chat["reasoning_effort"] = effort
    form = (plain.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        schema = {name: form[name] for name in ("name", "schema", "strict") if name in form}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif form.get("type") == "json_object":
        chat["response_format"] = {"type": "json_object"}
    prompt = plain.get("prompt")
    if prompt:
        version = f"@{prompt['version']}" if prompt.get("version") else ""
        chat.update(model=f"prompt/{prompt['id']}{version}", variables=prompt.get("variables") or {})
    return chat


def _messages(plain: Json) -> Iterator[Json]:
    if plain.get("instructions"):
        yield {"role": "system", "content": plain["instructions"]}
    given = plain.get("input") or []
    if isinstance(given, str):
        yield {"role": "user", "content": given}
        return
    for item in given:
        match item.get("type", "message"):
            case "message":
                yield {"role": item["role"], "content": _content(item["content"])}
            case "function_call":
                function = {"name": item["name"], "arguments": item["arguments"]}
                call = {"id": item["call_id"], "type": "function", "function": function}
                yield {"role": "assistant", "content": None, "tool_calls": [call]}
            case "function_call_output":
                output = item["output"]
                text = output if isinstance(output, str) else orjson.dumps(output).decode()
                yield {"role": "tool", "tool_call_id": item["call_id"], "content": text}
            case "reasoning":
                continue
            case kind:
                raise NotSupported(f"an item of type {kind!r}")


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    parts = [_part(part) for part in content]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: Json) -> Json:
    match part["type"]:
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": part["text"]}
        case "input_image" if part.get("image_url"):
            return {"type": "image_url", "image_url": {"url": part["image_url"]}}
        case "input_file" if part.get("file_data"):
            file = {"filename": part.get("filename") or "document", "file_data": part["file_data"]}
            return {"type": "file", "file": file}
        case kind:
            raise NotSupported(f"a part of type {kind!r}")


def _tool(tool: Json) -> Json:
    if tool.get("type") != "function":
        raise NotSupported(f"the tool {tool.get('type')}, which only OpenAI's own servers run")
    names = ("name", "description", "parameters", "strict")
    return {
        "type": "function",
        "function": {name: tool[name] for name in names if tool.get(name) is not None},
    }


# ---- answers ----


def usage_of(plain: Any) -> Usage | None:
    """The usage of a response."""
    if not isinstance(plain, dict):
        return None
    inputs, outputs = plain.get("input_tokens_details") or {}, plain.get("output_tokens_details") or {}
    return Usage(
        input=number(plain.get("input_tokens")),
        output=number(plain.get("output_tokens")),
        cached_input=number(inputs.get("cached_tokens")),
        reasoning=number(outputs.get("reasoning_tokens")),
    )


def _usage_plain(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached_input},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def _text_item(run: str, text: str, status: str = "completed") -> Json:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {
        "id": f"msg_{run.removeprefix('run_')}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content if status == "completed" else [],
    }


def _call_item(call: Json, status: str = "completed") -> Json:
    function = call["function"]
    return {
        "id": f"fc_{call['id']}",
        "type": "function_call",
        "call_id": call["id"],
        "name": function["name"],
        "arguments": function["arguments"],
        "status": status,
    }


def _response(work: Work, model: str, output: list[Json], usage: Usage | None, finish: str | None) -> Json:
    incomplete = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish or "")
    status = "in_progress" if finish is None else "incomplete" if incomplete else "completed"
    return {
        "id": f"resp_{work.record.run.removeprefix('run_')}",
        "object": "response",
        "created_at": work.record.at_ms / 1000,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": work.task.body.get("temperature"),
        "tool_choice": "auto",
        "tools": [],
        "top_p": work.task.body.get("top_p"),
        "usage": _usage_plain(usage) if usage else None,
    }


def response_of(work: Work, chat: Json, usage: Usage) -> Json:
    """A completion as a response."""
    choice = chat["choices"][0]
    said = choice["message"]
    output: list[Json] = []
    if said.get("content"):
        output.append(_text_item(work.record.run, said["content"]))
    output.extend(_call_item(call) for call in said.get("tool_calls") or ())
    return _response(work, str(chat.get("model", "")), output, usage, choice.get("finish_reason") or "stop")


def _events_of(answer: Json) -> Iterator[bytes]:
    """A whole response as the events of a stream."""
    numbers = iter(range(1_000_000))
    yield _event(
        next(numbers), "response.created", response={**answer, "status": "in_progress", "output": []}
    )
    for place, item in enumerate(answer["output"]):
        yield _event(next(numbers), "response.output_item.added", output_index=place, item=item)
        if item["type"] == "message":
            at = {"item_id": item["id"], "output_index": place, "content_index": 0}
            text = item["content"][0]["text"]
            yield _event(next(numbers), "response.output_text.delta", **at, delta=text, logprobs=[])
            yield _event(next(numbers), "response.output_text.done", **at, text=text, logprobs=[])
        yield _event(next(numbers), "response.output_item.done", output_index=place, item=item)
    kind = "response.completed" if answer["status"] == "completed" else "response.incomplete"
    yield _event(next(numbers), kind, response=answer)


def _event(number: int, kind: str, **members: Any) -> bytes:
    return named_event(kind, orjson.dumps({"type": kind, "sequence_number": number, **members}))


class ResponseReader:
    """Reads a vendor's own responses for what they cost and whether they came to an end."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.is_complete = False

    def read(self, event: Event) -> Iterator[Json]:
        """No chunks: the events go through as they are."""
        plain = answer_loaded(event.data)
        kind = plain.get("type", "")
        if kind in {"response.completed", "response.incomplete"}:
            self.is_complete = True
            self.usage = usage_of((plain.get("response") or {}).get("usage"))
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
        self._model = served.model.name
        created = _response(self._work, self._model, [], None, None)
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
        item_id = _text_item(self._work.record.run, "")["id"]
        if not self._text:
            place = len(self._items)
            self._items.append({"text": place})
            item = _text_item(self._work.record.run, "", "in_progress")
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
            place = len(self._items)
            self._items.append({"call": number})
            self._calls[number] = {
                "id": call["id"],
                "place": place,
                "function": {"name": function.get("name", "")},
            }
            self._arguments[number] = []
            begun = {"id": call["id"], "function": {"name": function.get("name", ""), "arguments": ""}}
            item = _call_item(begun, "in_progress")
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
            return b""
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
        answer = _response(self._work, self._model, output, usage, self._finish)
        kind = "response.completed" if answer["status"] == "completed" else "response.incomplete"
        return b"".join(pieces) + self._event(kind, response=answer)

    def _item(self, entry: Json) -> Json:
        if "text" in entry:
            return _text_item(self._work.record.run, "".join(self._text))
        number = entry["call"]
        known = self._calls[number]
        function = {**known["function"], "arguments": "".join(self._arguments[number])}
        return _call_item({"id": known["id"], "function": function})

    def _event(self, kind: str, **members: Any) -> bytes:
        return _event(next(self._numbers), kind, **members)

    def failed(self, refused: Refused) -> bytes:
        """An error event, which OpenAI's clients raise."""
        self._work.record.code = refused.code.value
        error = openai_error(refused)
        return self._event("error", code=error["code"], message=error["message"], param=None)
