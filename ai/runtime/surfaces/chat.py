"""OpenAI's chat completions, for clients that know nothing of us. https://platform.openai.com/docs/api-reference/chat

`model` is an alias of this API, or `prompt/NAME` or `prompt/NAME@7`: then `variables` fill the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ai.pricing import Usage
from ai.prompts.variables import VariableType
from ai.runtime.asgi import Request
from ai.runtime.bodies import redacted, secrets_of
from ai.runtime.dialects.contract import Json
from ai.runtime.dialects.openai import usage_plain
from ai.runtime.errors import Code, Fault, Refused, openai_error
from ai.runtime.exchange import Served, chat_build
from ai.runtime.feed import Record
from ai.runtime.snapshot import Endpoint, ModelRoute, Prompt
from ai.runtime.sse import DONE, Event, data_event
from ai.runtime.surfaces import streaming, told
from ai.runtime.surfaces.prompt import answered, chat_body, loaded, task_of, values_of, version_of
from ai.runtime.surfaces.streaming import Outlet
from ai.runtime.vendors import VendorStream
from ai.runtime.work import Caller, Service, Task, Work

PROMPT = "prompt/"
REFUSED_MEMBERS = frozenset(
    {
        *(
            "api_base",
            "base_url",
            "api_key",
            "api_version",
            "api_type",
            "user_config",
            "extra_headers",
            "headers",
        ),
        *(
            "custom_llm_provider",
            "organization",
            "aws_access_key_id",
            "aws_secret_access_key",
            "vertex_credentials",
        ),
    }
)
"""Members by which a caller would choose where its call goes and with whose key (BerriAI/litellm#37053, #31467)."""
_PRICED_APART = frozenset({"service_tier", "web_search_options", "prediction"})
"""Members that change the price in a way that no price list here tells."""
_FREE_WITH_A_PROMPT = frozenset(
    {
        "model",
        "messages",
        "variables",
        "stream",
        "stream_options",
        "user",
        "metadata",
        "store",
        "n",
        "max_tokens",
        "max_completion_tokens",
    }
)


_COUNT: tuple[Any, str] = (int, "a whole number from 1 on")
_MEMBERS: Mapping[str, tuple[Any, str]] = {
    "temperature": (int | float, "a number"),
    "max_tokens": _COUNT,
    "max_completion_tokens": _COUNT,
    "n": _COUNT,
    "tools": (list, "a list"),
    "stream_options": (dict, "an object"),
}


def checked(plain: Json) -> Json:
    """The body, if it asks for nothing that is not the caller's to choose. Raises Refused."""
    if not REFUSED_MEMBERS.isdisjoint(plain):
        refused = sorted(REFUSED_MEMBERS & plain.keys())
        faults = tuple(Fault(f"/{name}", "It is not the caller's to choose.") for name in refused)
        text = f"{', '.join(refused)} cannot be set by a call. Remove it."
        raise Refused(400, Code.PARAMETER_REFUSED, text, faults=faults)
    apart = sorted(
        name for name in _PRICED_APART if name in plain and plain[name] not in (None, "auto", "default")
    )
    if apart:
        text = f"{', '.join(apart)} costs apart in a way that is not known here. Remove it."
        raise Refused(400, Code.NOT_SUPPORTED, text, faults=(Fault(f"/{apart[0]}", text),))
    return plain


def route_of(endpoint: Endpoint, name: object) -> ModelRoute:
    """The models behind an alias. Raises Refused with those that there are."""
    route = endpoint.models.get(name) if isinstance(name, str) else None
    if route is None:
        listed = ", ".join(model_names(endpoint)) or "none"
        text = f"There is no model {name!r} here. There are: {listed}."
        raise Refused(404, Code.MODEL_NOT_FOUND, text, faults=(Fault("/model", text),))
    return route


def model_names(endpoint: Endpoint) -> list[str]:
    """Every `model` that a call of this API may name."""
    prompts = []
    if endpoint.prompt is not None:
        name = f"{PROMPT}{endpoint.prompt.name}"
        prompts = [name, *(f"{name}@{number}" for number in sorted(endpoint.versions))]
    return [*prompts, *sorted(endpoint.models)]


def prompt_of(endpoint: Endpoint, name: str) -> Prompt:
    """The prompt that `prompt/NAME[@VERSION]` names. Raises Refused."""
    asked, _, version = name.removeprefix(PROMPT).partition("@")
    if endpoint.prompt is None or asked != endpoint.prompt.name:
        listed = ", ".join(model_names(endpoint)) or "none"
        raise Refused(404, Code.MODEL_NOT_FOUND, f"There is no model {name!r} here. There are: {listed}.")
    return version_of(endpoint, version)


def chat_task(endpoint: Endpoint, plain: Json, *, stream: bool) -> Task:
    """What a body for chat completions asks for. Raises Refused."""
    checked(plain)
    _check_members(plain)
    name = plain.get("model")
    if isinstance(name, str) and name.startswith(PROMPT):
        prompt = prompt_of(endpoint, name)
        return task_of(endpoint, prompt, prompt_body(prompt, plain), stream=stream)
    route = route_of(endpoint, name)
    if not isinstance(plain.get("messages"), list) or not plain["messages"]:
        raise Refused(
            400,
            Code.BODY_INVALID,
            "messages is missing or empty.",
            faults=(Fault("/messages", "At least one."),),
        )
    body = {name: value for name, value in plain.items() if name not in {"model", "stream", "stream_options"}}
    _check_messages(body["messages"])
    return Task(route=route, body=body, build=chat_build(body, stream=stream), guard=endpoint.guard)


def _check_messages(messages: list[Any]) -> None:
    for number, message in enumerate(messages):
        if not _is_message(message):
            text = "A message has a role and a content, which is a text or a list of parts."
            raise Refused(400, Code.BODY_INVALID, text, faults=(Fault(f"/messages/{number}", text),))


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        return False
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    fine = all(isinstance(part, dict) and isinstance(part.get("text", ""), str) for part in parts)
    return fine and isinstance(content, str | list | None)


def _check_members(plain: Json) -> None:
    """What the runtime itself reads is of its kind. A count below one would make room in a budget, not take it."""
    for name, (kinds, words) in _MEMBERS.items():
        value = plain.get(name)
        is_wrong = not isinstance(value, kinds) or isinstance(value, bool) or (kinds is int and value < 1)
        if value is not None and is_wrong:
            text = f"{name} must be {words}."
            raise Refused(400, Code.BODY_INVALID, text, faults=(Fault(f"/{name}", text),))


def prompt_body(prompt: Prompt, plain: Json) -> Json:
    """The rendered prompt: what the author set stands, so that a call brings values and nothing else."""
    foreign = sorted(name for name in plain.keys() - _FREE_WITH_A_PROMPT if plain[name] is not None)
    if foreign:
        text = f"{', '.join(foreign)} is set by the prompt {prompt.name}. Remove it."
        raise Refused(400, Code.PARAMETER_REFUSED, text, faults=(Fault(f"/{foreign[0]}", text),))
    variables = plain.get("variables") or {}
    if not isinstance(variables, dict):
        raise Refused(
            400, Code.BODY_INVALID, "variables must be an object.", faults=(Fault("/variables", ""),)
        )
    body = chat_body(prompt, values_of(prompt, _with_history(prompt, plain, variables)))
    wanted = plain.get("max_completion_tokens") or plain.get("max_tokens")
    if wanted:
        own = body.get("max_completion_tokens") or body.get("max_tokens")
        body.pop("max_tokens", None)
        body["max_completion_tokens"] = min(int(wanted), int(own)) if own else int(wanted)
    return body


def _with_history(prompt: Prompt, plain: Json, variables: Json) -> Json:
    """A conversation in `messages` is the value of the one variable that takes one."""
    messages = plain.get("messages")
    if not messages:
        return variables
    takers = [v.name for v in prompt.variables if v.type is VariableType.MESSAGES]
    if len(takers) != 1:
        text = f"The prompt {prompt.name} takes variables and no messages. Send an empty list."
        raise Refused(400, Code.PARAMETER_REFUSED, text, faults=(Fault("/messages", text),))
    return {**variables, takers[0]: messages}


async def serve(request: Request, service: Service, caller: Caller, record: Record, body: bytes) -> None:
    """Answer a chat completion, whole or as a stream."""
    record.surface = "chat"
    plain = loaded(body)
    stream = bool(plain.get("stream"))
    task = chat_task(caller.endpoint, plain, stream=stream)
    record.prompt = task.prompt.id if task.prompt else ""
    if caller.endpoint.log_bodies:
        log_input(record, task, plain)
    wants_usage = bool((plain.get("stream_options") or {}).get("include_usage"))
    async with Work(service, caller, record, task) as work:
        whole_first = work.must_see_whole_answer
        work.task.build = chat_build(work.task.body, stream=stream and not whole_first)
        if not stream:
            await _whole(request, work)
        elif whole_first:
            await _as_stream(request, work, wants_usage=wants_usage)
        else:
            outlet = ChatOutlet(work, wants_usage=wants_usage)

            def headers(served: Served) -> Mapping[str, str]:
                return told.of_stream(work, served)

            await streaming.pass_on(request, work, work.task.build, outlet, headers)


def log_input(record: Record, task: Task, plain: Json) -> None:
    """Have the body of a call told without the values of sensitive variables, one that takes the messages included."""
    if task.prompt is None:
        record.bodies = {"input": plain}
        return
    variables = task.prompt.variables
    given = _with_history(task.prompt, plain, plain.get("variables") or {})
    shown = {name: value for name, value in plain.items() if name != "messages"}
    record.bodies = {"input": {**shown, "variables": redacted(given, variables)}}
    task.secrets = secrets_of(given, variables)


async def chat_answer(work: Work) -> tuple[Any, Json]:
    """The result and its completion. A prompt with a schema is held to it here too."""
    if work.task.prompt is not None:
        result, _ = await answered(work)
    else:
        result = await work.whole()
        if work.record.bodies is not None:
            work.record.bodies["output"] = result.text
    chat = {**result.chat, "usage": usage_plain(result.usage)}
    chat.setdefault("object", "chat.completion")
    chat["id"] = chat.get("id") or work.record.run
    chat["model"] = chat.get("model") or result.model
    return result, chat


async def _whole(request: Request, work: Work) -> None:
    result, chat = await chat_answer(work)
    payload = orjson.dumps(chat)
    await request.answer(200, told.of_result(work, result), payload)


class ChatOutlet(Outlet):
    """Chunks. Of a vendor that speaks OpenAI's dialect they go through byte for byte, usage aside."""

    def __init__(self, work: Work, *, wants_usage: bool) -> None:
        super().__init__()
        self._work = work
        self._wants_usage = wants_usage
        self._last: Json = {}
        self._text: list[str] | None = [] if work.record.bodies is not None else None

    def passed(self, stream: VendorStream, event: Event) -> bytes:
        """The bytes as they came, unless something in them is for us."""
        data = event.data
        counts = b'"usage"' in data and b'"usage":null' not in data
        is_empty = b'"choices":[]' in data or b'"choices": []' in data
        is_whole = not (counts or is_empty or b'"error"' in data)
        if self._text is None and stream.passes_chat and is_whole:
            if data == b"[DONE]":
                stream.reader.is_complete = True
                return b""
            if b'"finish_reason":"' in data or b'"finish_reason": "' in data:
                stream.reader.is_complete = True
            self.characters += max(0, len(data) - 180)
            return event.raw
        return super().passed(stream, event)

    def chunk(self, chunk: Json) -> bytes:
        """The chunk without usage, which is sent at the end to those who asked for it."""
        self._last = chunk
        if self._text is not None:
            self._text.extend(
                (choice.get("delta") or {}).get("content") or "" for choice in chunk.get("choices") or ()
            )
        if not chunk.get("choices"):
            return b""
        sent = {name: value for name, value in chunk.items() if name != "usage"}
        sent["model"] = sent.get("model") or self._work.task.route.alias
        return data_event(orjson.dumps(sent))

    def end(self, served: Served, usage: Usage) -> bytes:
        """Usage, if it was asked for, and the end."""
        if self._text is not None and self._work.record.bodies is not None:
            self._work.record.bodies["output"] = "".join(self._text)
        return self._usage(usage) + DONE

    def _usage(self, usage: Usage) -> bytes:
        if not self._wants_usage:
            return b""
        head: Json = {name: self._last.get(name) for name in ("id", "created", "model") if name in self._last}
        head.setdefault("id", self._work.record.run)
        head.setdefault("created", int(self._work.record.at_ms / 1000))
        head.setdefault("model", self._work.task.route.alias)
        chunk = {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage_plain(usage)}
        return data_event(orjson.dumps(chunk))

    def failed(self, refused: Refused) -> bytes:
        """The error, which OpenAI's clients raise. Without it they take what came for all of it."""
        self._work.record.code = refused.code.value
        return data_event(orjson.dumps({"error": openai_error(refused)}))


async def _as_stream(request: Request, work: Work, *, wants_usage: bool) -> None:
    """An answer that had to be seen whole, as one chunk."""
    result, chat = await chat_answer(work)
    outlet = ChatOutlet(work, wants_usage=wants_usage)
    await request.begin(200, {**told.of_result(work, result), **streaming.HEADERS})
    pieces = b"".join(outlet.chunk(chunk) for chunk in chunks_of(chat))
    await request.send(pieces + outlet._usage(result.usage) + DONE, last=True)


def chunks_of(chat: Json) -> list[Json]:
    """A whole completion as the chunks of a stream."""
    head = {
        "id": chat["id"],
        "object": "chat.completion.chunk",
        "created": chat["created"],
        "model": chat["model"],
    }
    found = []
    for choice in chat["choices"]:
        message = dict(choice["message"])
        calls = message.get("tool_calls")
        if calls:
            message["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
        place = {"index": choice["index"], "logprobs": None}
        found.append({**head, "choices": [{**place, "delta": message, "finish_reason": None}]})
        found.append({**head, "choices": [{**place, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return found
