"""The ASGI application: which surface a call is for, and the form of its errors."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import orjson
import structlog

from ai.runtime import callers
from ai.runtime.asgi import CallerLeft, Receive, Request, Scope, Send
from ai.runtime.errors import Code, Refused, anthropic_error, problem
from ai.runtime.feed import Record
from ai.runtime.surfaces import chat, editor, embeddings, messages, models, prompt, responses, through
from ai.runtime.vendors import Vendors
from ai.runtime.work import Caller, Service

logger = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_PINNED = re.compile(r"@(\d{1,9})")

type Surface = Callable[[Request, Service, Caller, Record, bytes], Awaitable[None]]

SURFACES: dict[str, Surface] = {
    "chat/completions": chat.serve,
    "messages": messages.serve,
    "responses": responses.serve,
    "embeddings": embeddings.serve,
}


@dataclass(frozen=True, slots=True)
class Trials:
    """What the editor of the portal needs: the key of its tickets, and the origins that its pages come from."""

    vendors: Vendors
    key: bytes = field(repr=False, default=b"")
    origins: frozenset[str] = frozenset()


class Runtime:
    """The application. `service` is replaced as a whole when a new snapshot is in force."""

    def __init__(self, service: Service, trials: Trials) -> None:
        self.service = service
        self.under_way = 0
        self._trials = trials

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, environments: Mapping[str, str]
    ) -> None:
        """Answer one call on a port that serves `environments`, by host (empty: any)."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive, send)
        record = Record(
            at_ms=time.time() * 1000,
            run=f"run_{secrets.token_hex(13)}",
            request_id=_request_id(request),
            surface="",
            bytes_in=0,
        )
        self.under_way += 1
        try:
            await self._serve(request, record, environments)
        except Refused as refused:
            if not request.started:
                await _refuse(request, record, refused)
        except CallerLeft:
            pass
        except Exception:
            logger.exception("a call failed", request_id=record.request_id)
            if not request.started:
                text = f"Something is wrong with the runtime. Tell its operator the request id {record.request_id}."
                with suppress(Exception):
                    await _refuse(request, record, Refused(500, Code.NOT_READY, text, again=False))
        finally:
            self.under_way -= 1

    async def _serve(self, request: Request, record: Record, environments: Mapping[str, str]) -> None:
        service = self.service
        if request.path in {editor.PATH, editor.TRY_PATH}:
            await self._try(request, service, record)
            return
        found = callers.find(request, service.snapshot, service.rates, environments)
        caller = found.caller
        record.endpoint, record.key_id, record.team = caller.endpoint.id, caller.key_id, caller.team
        record.subscription = caller.subscription.id if caller.subscription else ""
        path = found.path.removeprefix("v1/").strip("/")
        if path == "models" or path.startswith("models/"):
            _allow(request, "GET")
            await models.serve(request, caller, record, path.removeprefix("models").removeprefix("/"))
            return
        _allow(request, "POST")
        body = await request.body(caller.endpoint.max_body)
        record.bytes_in = len(body)
        await self._answer(request, service, caller, record, path, body)

    async def _try(self, request: Request, service: Service, record: Record) -> None:
        trials = self._trials
        if request.path == editor.TRY_PATH:
            _allow(request, "POST")
            await editor.serve_try(request, trials.vendors, trials.key)
            return
        request.extra_headers.update(editor.cors(request, trials.origins))
        if request.method == "OPTIONS":
            await request.answer(204, {}, b"")
            return
        _allow(request, "POST")
        await editor.serve(request, service, record, trials.key)

    async def _answer(
        self, request: Request, service: Service, caller: Caller, record: Record, path: str, body: bytes
    ) -> None:
        pinned = _PINNED.fullmatch(path)
        if not path or pinned:
            await prompt.serve(request, service, caller, record, body, pinned[1] if pinned else "")
        elif path in SURFACES:
            await SURFACES[path](request, service, caller, record, body)
        elif path in through.PATHS:
            await through.serve(request, service, caller, record, path, body)
        else:
            text = "There is nothing at this path. A prompt is called at the API's own address."
            raise Refused(404, Code.NOT_FOUND, text)


def _allow(request: Request, method: str) -> None:
    if request.method != method:
        text = f"{request.method} is not known here. Use {method}."
        raise Refused(405, Code.METHOD_NOT_ALLOWED, text, headers={"allow": method})


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


async def _refuse(request: Request, record: Record, refused: Refused) -> None:
    """An error in the form of its surface."""
    record.status = refused.status
    is_anthropic = record.surface == "messages" or request.path.rstrip("/").endswith("/messages")
    plain = (
        anthropic_error(refused, record.request_id) if is_anthropic else problem(refused, record.request_id)
    )
    kind = "application/json" if is_anthropic else "application/problem+json"
    headers = {"content-type": kind, "x-request-id": record.request_id, **refused.answer_headers()}
    await request.answer(refused.status, headers, orjson.dumps(plain))
