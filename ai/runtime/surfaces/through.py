"""Images, speech and moderation of OpenAI's kind: passed through as they are, with the model's name put in.

https://platform.openai.com/docs/api-reference/images, .../audio, .../moderations
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from ai.pricing import Usage
from ai.runtime.asgi import Request
from ai.runtime.dialects.contract import Answer, Dialect, Json, NotSupported, Outgoing
from ai.runtime.dialects.openai import OpenAIDialect, auth_headers
from ai.runtime.errors import Code, Fault, Refused
from ai.runtime.feed import Record
from ai.runtime.snapshot import Model
from ai.runtime.surfaces import told
from ai.runtime.surfaces.chat import checked, route_of
from ai.runtime.surfaces.prompt import loaded
from ai.runtime.surfaces.responses import usage_of
from ai.runtime.work import Caller, Service, Task, Work

PATHS = frozenset(
    {
        *("images/generations", "images/edits", "images/variations", "moderations"),
        *("audio/speech", "audio/transcriptions", "audio/translations"),
    }
)
_BOUNDARY = re.compile(r"multipart/form-data;.*?boundary=\"?([^\";]{1,200})", re.IGNORECASE)
_MODEL_PART = re.compile(
    rb"(content-disposition: form-data; name=\"model\"[^\r]*\r\n(?:[^\r]+\r\n)*\r\n)([^\r]*)", re.IGNORECASE
)


async def serve(
    request: Request, service: Service, caller: Caller, record: Record, path: str, body: bytes
) -> None:
    """Answer what a path of OpenAI's answers."""
    record.surface = "through"
    content_type = request.headers.get("content-type", "application/json")
    alias, plain = _model_of(content_type, body)
    route = route_of(caller.endpoint, alias)
    if caller.endpoint.guard:
        text = "This API looks at what goes to its models, and cannot look into images and sound."
        raise Refused(400, Code.NOT_SUPPORTED, text)

    def build(dialect: Dialect, model: Model, key: str) -> Outgoing:
        if not isinstance(dialect, OpenAIDialect):
            raise NotSupported(f"{path}, which only providers of OpenAI's kind have")
        headers = {
            "content-type": content_type,
            "accept-encoding": "identity",
            **dict(model.provider.headers),
        }
        sent = _with_model(plain, body, model.remote)
        return Outgoing(dialect.url(model, path), {**headers, **auth_headers(model.provider, key)}, sent)

    task = Task(route=route, body={}, build=build, read=_read)
    async with Work(service, caller, record, task) as work:
        result = await work.whole()
        headers: Mapping[str, str] = {**told.of_result(work, result), "content-type": result.content_type}
        await request.answer(200, headers, result.raw)


def _model_of(content_type: str, body: bytes) -> tuple[str, Json | None]:
    """The alias that a body names, and the body where it is JSON."""
    if not content_type.lower().startswith("multipart/"):
        plain = checked(loaded(body))
        return str(plain.get("model") or ""), plain
    found = _MODEL_PART.search(body) if _BOUNDARY.match(content_type) else None
    if found is None:
        raise Refused(
            400, Code.BODY_INVALID, "The form has no model.", faults=(Fault("/model", "It is missing."),)
        )
    return found[2].decode("utf-8", "replace"), None


def _with_model(plain: Json | None, body: bytes, name: str) -> bytes:
    if plain is not None:
        return orjson.dumps({**plain, "model": name})
    return _MODEL_PART.sub(lambda match: match[1] + name.encode(), body, count=1)


def _read(dialect: Dialect, body: bytes) -> Answer:
    """Whatever it is. Its usage, where it tells one; a price by the call needs none."""
    try:
        plain = orjson.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        plain = {}
    return Answer({}, usage_of(plain.get("usage")) or Usage())
