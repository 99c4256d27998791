"""A prompt as an ordinary JSON service: exactly its variables in, its output with usage and cost out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from ai.pricing import Usage, money
from ai.prompts.chat import prompt_body
from ai.prompts.checks import unfenced
from ai.prompts.guards import Guard
from ai.prompts.schemas import faults_of
from ai.prompts.variables import with_defaults
from ai.runtime.asgi import Request
from ai.runtime.bodies import redacted, secrets_of
from ai.runtime.dialects.contract import Json
from ai.runtime.errors import Code, Fault, Refused, problem
from ai.runtime.exchange import Served, chat_build
from ai.runtime.feed import Record
from ai.runtime.snapshot import Endpoint, Prompt
from ai.runtime.sse import named_event
from ai.runtime.surfaces import streaming, told
from ai.runtime.surfaces.streaming import Outlet
from ai.runtime.work import Caller, Result, Service, Task, Work


def loaded(body: bytes) -> Json:
    """The body of a call as an object. Raises Refused."""
    try:
        plain = orjson.loads(body or b"{}")
    except ValueError as error:
        raise Refused(400, Code.BODY_INVALID, f"The body is no JSON: {error}.") from None
    if not isinstance(plain, dict):
        raise Refused(400, Code.BODY_INVALID, "The body must be a JSON object.")
    return plain


def values_of(prompt: Prompt, plain: Json) -> Json:
    """The values of the variables with their defaults. Raises Refused with every fault and its place."""
    faults = tuple(_faults(prompt, plain))
    if faults:
        text = " ".join(_in_words(fault) for fault in faults[:3])
        raise Refused(400, Code.VARIABLE_INVALID, text, faults=faults)
    return with_defaults(prompt.variables, plain)


def _in_words(fault: Fault) -> str:
    place = fault.pointer.removeprefix("/")
    return f"{place}: {fault.detail}" if place else fault.detail


def _faults(prompt: Prompt, plain: Json) -> Iterable[Fault]:
    given = {name: value for name, value in plain.items() if value is not None}
    for fault in faults_of(prompt.inputs, given):
        named = fault.pointer.removeprefix("/").partition("/")[0]
        yield Fault(fault.pointer, "It is not right." if named in prompt.sensitive else fault.detail)


def chat_body(prompt: Prompt, values: Json) -> Json:
    """The chat completion that the prompt asks for. A model that takes no schema is told about it in words."""
    return prompt_body(
        prompt.templates,
        prompt.variables,
        values,
        parameters=prompt.parameters,
        output_schema=prompt.output_schema,
        takes_schema=prompt.route.offers("json_schema"),
    )


def task_of(endpoint: Endpoint, prompt: Prompt, body: Json, *, stream: bool) -> Task:
    """What is to be done for a prompt."""
    guard: Guard = endpoint.guard.and_(prompt.guard)
    return Task(
        route=prompt.route,
        body=body,
        build=lambda dialect, model, key: dialect.chat(model, key, body, stream=stream),
        prompt=prompt,
        guard=guard,
        cache_s=prompt.cache_s,
        cache_parts=(prompt.id,),
    )


def version_of(endpoint: Endpoint, wanted: str) -> Prompt:
    """The version of the endpoint's prompt that a call pins, else that of its label. Raises Refused."""
    if endpoint.prompt is None:
        raise Refused(
            404, Code.NOT_FOUND, "This API has no prompt. Call one of its models: GET models lists them."
        )
    if not wanted:
        return endpoint.prompt
    found = endpoint.versions.get(int(wanted)) if wanted.isdecimal() else None
    if found is None:
        listed = ", ".join(map(str, sorted(endpoint.versions)))
        text = f"{endpoint.prompt.name} has no released version {wanted}. There are: {listed}."
        raise Refused(404, Code.NOT_FOUND, text)
    return found


async def serve(
    request: Request, service: Service, caller: Caller, record: Record, body: bytes, pinned: str
) -> None:
    """Answer a call of a prompt, whole or as a stream."""
    endpoint = caller.endpoint
    prompt = version_of(endpoint, pinned or request.headers.get("x-ai-prompt-version", ""))
    record.surface, record.prompt = "prompt", prompt.id
    values = values_of(prompt, loaded(body))
    wants_stream = "text/event-stream" in request.headers.get("accept", "")
    if wants_stream and not endpoint.stream:
        raise Refused(400, Code.NOT_SUPPORTED, "This API does not stream. Ask for application/json.")
    task = task_of(endpoint, prompt, chat_body(prompt, values), stream=wants_stream)
    if endpoint.log_bodies:
        record.bodies = {"input": redacted(values, prompt.variables)}
        task.secrets = secrets_of(values, prompt.variables)
    async with Work(service, caller, record, task) as work:
        work.task.build = chat_build(work.task.body, stream=wants_stream and not _whole_first(work))
        await answer(request, work, stream=wants_stream)


async def answer(request: Request, work: Work, *, stream: bool) -> None:
    """Carry out what was admitted, and answer with it."""
    if stream:
        await _stream(request, work)
    else:
        await _whole(request, work)


def _whole_first(work: Work) -> bool:
    return work.must_see_whole_answer or bool(work.task.cache_s)


# ---- whole answers ----


async def _whole(request: Request, work: Work) -> None:
    result, output = await answered(work)
    body = envelope(work, result, output) if work.caller.endpoint.envelope else output
    payload = orjson.dumps(body)
    await request.answer(200, told.of_result(work, result), payload)


async def answered(work: Work) -> tuple[Result, Any]:
    """The answer and its output, which follows the schema if there is one: after one repair, or not at all."""
    result = await work.whole()
    prompt = work.task.prompt
    assert prompt is not None  # noqa: S101 - a prompt's task has one
    if prompt.outputs is None:
        return _noted(work, result, result.text)
    output, faults = parsed(prompt, result.text)
    if faults:
        first = result
        result = await work.again(chat_build(_repair(work.task.body, first.text, faults), stream=False))
        output, faults = parsed(prompt, result.text)
        result.usage = first.usage.plus(result.usage)
        result.cost = None if None in (first.cost, result.cost) else (first.cost or 0) + (result.cost or 0)
    if faults:
        text = f"The output does not follow the schema of {prompt.name}, also after one repair: {faults[0].detail}"
        raise Refused(502, Code.OUTPUT_INVALID, text, faults=tuple(faults), again=False)
    return _noted(work, result, output)


def _noted(work: Work, result: Result, output: Any) -> tuple[Result, Any]:
    if work.record.bodies is not None:
        work.record.bodies["output"] = output
    return result, output


def parsed(prompt: Prompt, text: str) -> tuple[Any, list[Fault]]:
    """The output in `text`, and what is wrong with it by the schema of the prompt."""
    try:
        output = orjson.loads(unfenced(text))
    except ValueError as error:
        return None, [Fault("", f"It is no JSON: {error}.")]
    faults = faults_of(prompt.outputs, output)
    return output, [Fault(fault.pointer, fault.detail) for fault in faults]


def _repair(body: Json, text: str, faults: Iterable[Fault]) -> Json:
    listed = "\n".join(f"- {fault.pointer or '(whole)'}: {fault.detail}" for fault in faults)
    ask = f"This does not follow the schema:\n{listed}\nAnswer again with the JSON alone, corrected."
    said = [{"role": "assistant", "content": text}, {"role": "user", "content": ask}]
    return {**body, "messages": [*body["messages"], *said]}


def envelope(work: Work, result: Result, output: Any) -> Json:
    """The answer of a prompt: output, usage, cost, model and version."""
    choice = result.chat["choices"][0]
    return {
        "id": work.record.run,
        "output": output,
        "finish_reason": choice.get("finish_reason"),
        **facts(work, result.usage, result.cost, result.currency, result.price_version),
        "model": {
            "served": result.model,
            "route": work.task.route.alias,
            "fallback": result.is_fallback,
            "attempts": result.attempts,
        },
        "prompt": _prompt_facts(work),
    }


def facts(work: Work, usage: Usage, cost: int | None, currency: str, price_version: str) -> Json:
    """Usage and cost. A cost that nobody knows is null, and says so."""
    known = cost is not None and bool(currency)
    return {
        "usage": usage.to_plain(),
        "cost": {
            "amount": money(cost) if known and cost is not None else None,
            "currency": currency or None,
            "price_version": price_version or None,
            "estimated": usage.estimated,
        },
    }


def _prompt_facts(work: Work) -> Json:
    prompt = work.task.prompt
    assert prompt is not None  # noqa: S101 - a prompt's task has one
    return {"name": prompt.name, "version": prompt.number, "label": work.caller.endpoint.prompt_label}


# ---- streams ----


class PromptOutlet(Outlet):
    """`delta` events with text, then `done` with everything but the output, or `error`."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self._finish: str | None = None
        self._text: list[str] = []

    def chunk(self, chunk: Json) -> bytes:
        """The text of a chunk."""
        for choice in (chunk.get("choices") or ())[:1]:
            self._finish = choice.get("finish_reason") or self._finish
            text = (choice.get("delta") or {}).get("content")
            if text:
                self._text.append(text)
                return named_event("delta", orjson.dumps({"text": text}))
        return b""

    def end(self, served: Served, usage: Usage) -> bytes:
        """The facts, unless the text does not follow the schema: what was sent cannot be repaired."""
        work, text = self._work, "".join(self._text)
        prompt = work.task.prompt
        if work.record.bodies is not None:
            work.record.bodies["output"] = text
        if prompt is not None and prompt.outputs is not None:
            _, faults = parsed(prompt, text)
            if faults:
                detail = f"The output does not follow the schema of {prompt.name}: {faults[0].detail}"
                return self.failed(
                    Refused(502, Code.OUTPUT_INVALID, detail, faults=tuple(faults), again=False)
                )
        attempt = work.record.attempts[-1]
        done = {
            "id": work.record.run,
            "finish_reason": self._finish,
            **facts(work, usage, attempt.cost, attempt.currency, attempt.price_version),
            "model": _served_facts(work, served),
            "prompt": _prompt_facts(work),
        }
        return named_event("done", orjson.dumps(done))

    def failed(self, refused: Refused) -> bytes:
        """The problem."""
        self._work.record.code = refused.code.value
        return named_event("error", orjson.dumps(problem(refused, self._work.record.request_id)))


def _served_facts(work: Work, served: Served) -> Json:
    return {
        "served": served.model.name,
        "route": work.task.route.alias,
        "fallback": served.is_fallback,
        "attempts": served.attempts,
    }


async def _stream(request: Request, work: Work) -> None:
    if _whole_first(work):
        await _as_stream(request, work)
        return
    outlet = PromptOutlet(work)

    def headers(served: Served) -> Mapping[str, str]:
        return told.of_stream(work, served)

    await streaming.pass_on(request, work, work.task.build, outlet, headers)


async def _as_stream(request: Request, work: Work) -> None:
    """An answer that had to be seen whole, in the form of a stream."""
    result, output = await answered(work)
    text = output if isinstance(output, str) else orjson.dumps(output).decode()
    done = envelope(work, result, output)
    del done["output"]
    headers = {**told.of_result(work, result), **streaming.HEADERS}
    await request.begin(200, headers)
    pieces = named_event("delta", orjson.dumps({"text": text})) + named_event("done", orjson.dumps(done))
    await request.send(pieces, last=True)
