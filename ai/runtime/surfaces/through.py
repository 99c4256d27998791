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
from ai.runtime.dialects.openai import OpenAIDialect, auth_headers, raise_error_within
from ai.runtime.errors import Code, Fault, Refused
from ai.runtime.feed import Record
from ai.runtime.snapshot import Model
from ai.runtime.surfaces import told
from ai.runtime.surfaces.chat import checked, route_of
from ai.runtime.surfaces.prompt import loaded
from ai.runtime.surfaces.response_bodies import usage_of
from ai.runtime.work import Caller, Service, Task, Work

PATHS = frozenset(
    {
        *("images/generations", "images/edits", "images/variations", "moderations"),
        *("audio/speech", "audio/transcriptions", "audio/translations"),
    }
)
_BOUNDARY = re.compile(r"multipart/form-data;.*?boundary=\"?([0-9a-z'()+_,./:=? -]{1,70})", re.IGNORECASE)
_DISPOSITION = re.compile(rb'form-data; ?name="([^"\\\r\n]{1,200})"(?:; ?filename\*?=.*)?', re.IGNORECASE)
MOST_PARTS = 200


async def serve(
    request: Request, service: Service, caller: Caller, record: Record, path: str, body: bytes
) -> None:
    """Answer what a path of OpenAI's answers."""
    record.surface = "through"
    content_type = request.headers.get("content-type", "application/json")
    form = Form.read(content_type, body) if content_type.lower().startswith("multipart/") else None
    plain = form.fields() if form else checked(loaded(body))
    if plain.get("stream") not in (None, False, "false") or plain.get("stream_format") == "sse":
        text = f"{path} is answered whole here. Leave stream out."
        raise Refused(400, Code.NOT_SUPPORTED, text, faults=(Fault("/stream", text),))
    alias = plain.get("model")
    route = route_of(caller.endpoint, alias)
    if caller.endpoint.guard:
        text = "This API looks at what goes to its models, and cannot look into images and sound."
        raise Refused(400, Code.NOT_SUPPORTED, text)

    def build(dialect: Dialect, model: Model, key: str) -> Outgoing:
        if not isinstance(dialect, OpenAIDialect):
            raise NotSupported(f"{path}, which only providers of OpenAI's kind have")
        headers = {
            "content-type": form.content_type if form else "application/json",
            "accept-encoding": "identity",
            **dict(model.provider.headers),
        }
        sent = form.with_model(model.remote) if form else orjson.dumps({**plain, "model": model.remote})
        return Outgoing(dialect.url(model, path), {**headers, **auth_headers(model.provider, key)}, sent)

    task = Task(route=route, body={}, build=build, read=_read)
    async with Work(service, caller, record, task) as work:
        result = await work.whole()
        headers: Mapping[str, str] = {**told.of_result(work, result), "content-type": result.content_type}
        await request.answer(200, headers, result.raw)


class Form:
    """A multipart form (RFC 7578), as clients write it. Whatever another reader could take otherwise is refused:

    a second model that we do not see would be asked with our key and at a price that nobody looked up.
    """

    def __init__(self, boundary: str, parts: list[tuple[str, bytes, bytes]]) -> None:
        self.content_type = f'multipart/form-data; boundary="{boundary}"'
        self._delimiter = b"--" + boundary.encode()
        self._parts = parts

    @classmethod
    def read(cls, content_type: str, body: bytes) -> Form:
        """The form in `body`. Raises Refused."""
        found = _BOUNDARY.match(content_type)
        boundary = found[1].strip() if found else ""
        pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode()) if boundary else []
        whole = len(pieces) > 2 and not pieces[0].strip() and pieces[-1].startswith(b"--")
        if not whole or len(pieces) > MOST_PARTS or not all(p.startswith(b"\r\n") for p in pieces[1:-1]):
            raise _bad_form("It has no parts between its boundaries.")
        return cls(boundary, [_part(piece[2:]) for piece in pieces[1:-1]])

    def fields(self) -> Json:
        """The parts that are no files. Raises Refused where a name that matters comes twice, or no model is named."""
        found: Json = {}
        for name, head, value in self._parts:
            if name in found and name in {"model", "stream"}:
                raise _bad_form(f"It has more than one {name}.")
            if b"filename" not in head.lower():
                found[name] = value.decode("utf-8", "replace")
        if "model" not in found:
            raise _bad_form("It has no model.")
        return checked(found)

    def with_model(self, remote: str) -> bytes:
        """The form with the vendor's name of the model."""
        rows = []
        for name, head, value in self._parts:
            sent = remote.encode() if name == "model" else value
            rows.append(b"%b\r\n%b\r\n\r\n%b\r\n" % (self._delimiter, head, sent))
        return b"".join(rows) + self._delimiter + b"--\r\n"


def _part(piece: bytes) -> tuple[str, bytes, bytes]:
    """The name, the head and the value of a part."""
    head, blank, value = piece.partition(b"\r\n\r\n")
    rows = [row.partition(b":") for row in head.split(b"\r\n")]
    dispositions = [row[2].strip() for row in rows if row[0].strip().lower() == b"content-disposition"]
    found = _DISPOSITION.fullmatch(dispositions[0]) if len(dispositions) == 1 else None
    if not blank or found is None or b"\n" in head.replace(b"\r\n", b""):
        raise _bad_form("A part of it has no name.")
    return found[1].decode("utf-8", "replace"), head, value


def _bad_form(why: str) -> Refused:
    return Refused(400, Code.BODY_INVALID, f"The form cannot be read. {why}", faults=(Fault("/model", why),))


def _read(dialect: Dialect, body: bytes) -> Answer:
    """Whatever it is. Its usage, where it tells one; a price by the call needs none."""
    try:
        plain = orjson.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        plain = {}
    raise_error_within(plain)
    return Answer({}, usage_of(plain.get("usage")) or Usage())
