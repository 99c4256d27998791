"""OpenAI's embeddings. https://platform.openai.com/docs/api-reference/embeddings"""

from __future__ import annotations

from typing import Any

import orjson

from ai.runtime.asgi import Request
from ai.runtime.dialects.contract import Dialect, Json, Outgoing
from ai.runtime.dialects.gemini import packed
from ai.runtime.errors import Code, Fault, Refused
from ai.runtime.feed import Record
from ai.runtime.snapshot import Model
from ai.runtime.surfaces import told
from ai.runtime.surfaces.chat import checked, route_of
from ai.runtime.surfaces.prompt import loaded
from ai.runtime.work import Caller, Service, Task, Work


async def serve(request: Request, service: Service, caller: Caller, record: Record, body: bytes) -> None:
    """Answer with one vector for each input."""
    record.surface = "embeddings"
    plain = checked(loaded(body))
    route = route_of(caller.endpoint, plain.get("model"))
    if plain.get("input") in (None, "", []):
        raise Refused(
            400,
            Code.BODY_INVALID,
            "input is missing.",
            faults=(Fault("/input", "A text, or a list of them."),),
        )
    asked = {name: value for name, value in plain.items() if name != "model"}
    task = Task(route=route, body=asked, build=_build(asked), guard=caller.endpoint.guard, is_embedding=True)
    async with Work(service, caller, record, task) as work:
        work.task.build = _build(work.task.body)
        result = await work.whole()
        wants_base64 = plain.get("encoding_format") == "base64"
        data = [_encoded(one, wants_base64) for one in result.chat["data"]]
        tokens = result.usage.input
        answer = {
            "object": "list",
            "data": data,
            "model": result.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        payload = orjson.dumps(answer)
        await request.answer(200, told.of_result(work, result), payload)


def _build(body: Json) -> Any:
    def build(dialect: Dialect, model: Model, key: str) -> Outgoing:
        return dialect.embeddings(model, key, body)

    return build


def _encoded(one: Json, wants_base64: bool) -> Json:
    """A vector in the form that was asked for, whatever the vendor knows."""
    vector = one["embedding"]
    return {**one, "embedding": packed(vector)} if wants_base64 and isinstance(vector, list) else one
