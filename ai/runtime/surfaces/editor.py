"""Trying things out before they are published: a prompt that is still a draft, a vendor that is still to be entered.

Who may is said by a ticket of the portal (`ai.tickets`): which models, for which team, until when. A ticket that holds
`inline` comes from the portal's own servers and lets a call bring provider, key and model with it.
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from ai.prompts.guards import Guard
from ai.prompts.templates import TemplateError
from ai.prompts.variables import VariableError
from ai.runtime.asgi import Request
from ai.runtime.callers import given_key
from ai.runtime.dialects import DIALECTS
from ai.runtime.dialects.contract import Json, NotSupported
from ai.runtime.errors import Code, Refused, VendorError
from ai.runtime.exchange import chat_build
from ai.runtime.feed import Record
from ai.runtime.health import Health
from ai.runtime.reading import prompt_of, vendor_of
from ai.runtime.snapshot import Endpoint, Model, ModelRoute, Prompt, Snapshot, Target
from ai.runtime.surfaces import prompt as prompts
from ai.runtime.vendors import Vendors
from ai.runtime.work import Caller, Service, Task, Work
from ai.tickets import TicketRefused, read_ticket

PATH = "/-/editor"
TRY_PATH = "/-/try"
MOST_BODY = 12_000_000
TRY_S = 20.0
_TRY_TOKENS = 5
_METHODS = "POST, OPTIONS"


def cors(request: Request, origins: frozenset[str]) -> dict[str, str]:
    """The headers that let a page of the portal read an answer. https://fetch.spec.whatwg.org/#http-cors-protocol"""
    origin = request.headers.get("origin", "")
    if origin not in origins:
        return {"vary": "origin"}
    return {
        "vary": "origin",
        "access-control-allow-origin": origin,
        "access-control-allow-headers": "authorization, content-type, accept, x-request-id",
        "access-control-allow-methods": _METHODS,
        "access-control-max-age": "600",
    }


def ticket_of(request: Request, key: bytes) -> Json:
    """What the ticket of a call holds. Raises Refused."""
    if not key:
        raise Refused(404, Code.NOT_FOUND, "This runtime has no editor: it was started without a ticket key.")
    try:
        return read_ticket(key, given_key(request, most=4_000), now=time.time())
    except (TicketRefused, ValueError, KeyError) as refused:
        text = f"The ticket does not hold: {refused}. Reload the page to get another."
        raise Refused(401, Code.INVALID_KEY, text) from None


async def serve(request: Request, service: Service, record: Record, key: bytes) -> None:
    """Run a draft with one model, as a published prompt would be run."""
    holds = ticket_of(request, key)
    plain = prompts.loaded(await request.body(MOST_BODY))
    model = _model(service.snapshot, holds, plain.get("model"))
    prompt = _draft(plain.get("prompt"), _alone(model))
    record.surface, record.team = "editor", holds["team"]
    record.labels = {str(name): str(value) for name, value in holds.get("labels", {}).items()}
    endpoint = _endpoint(prompt)
    values = prompts.values_of(prompt, plain.get("values") or {})
    stream = "text/event-stream" in request.headers.get("accept", "")
    task: Task = prompts.task_of(endpoint, prompt, prompts.chat_body(prompt, values), stream=stream)
    async with Work(service, Caller(endpoint, None, "", holds["team"]), record, task) as work:
        work.task.build = chat_build(work.task.body, stream=stream and not work.must_see_whole_answer)
        await prompts.answer(request, work, stream=stream)


def _model(snapshot: Snapshot, holds: Json, wanted: Any) -> Model:
    model = snapshot.models.get(wanted) if wanted in holds.get("models", ()) else None
    if model is None:
        text = "The ticket is not for this model, or the runtime does not have it yet. Reload the page."
        raise Refused(404, Code.MODEL_NOT_FOUND, text)
    return model


def _alone(model: Model) -> ModelRoute:
    """A route with one model and one try, so that what is seen is this model's."""
    return ModelRoute(
        id="",
        alias=model.name,
        targets=(Target(model, 1, 0),),
        retry_codes=frozenset(),
        attempts=1,
        try_timeout_s=120.0,
        stream_idle_s=60.0,
        breaker_failures=0,
        breaker_s=0,
    )


def _draft(plain: Any, route: ModelRoute) -> Prompt:
    """The draft as a prompt. Raises Refused with what is wrong with it."""
    usual = {
        "id": "",
        "name": "draft",
        "number": 0,
        "parameters": {},
        "output_schema": None,
        "cache_s": 0,
        "guard": {},
    }
    try:
        return prompt_of({**usual, "variables": [], **dict(plain or {}), "cache_s": 0}, route)
    except (TemplateError, VariableError, KeyError, TypeError, ValueError) as error:
        raise Refused(400, Code.BODY_INVALID, f"The prompt cannot be run: {error}") from None


def _endpoint(prompt: Prompt) -> Endpoint:
    return Endpoint(
        id="",
        label="editor",
        base_path="",
        host="",
        environment="",
        team="",
        api="",
        api_version="",
        prompt=prompt,
        prompt_label="draft",
        versions={},
        models={},
        envelope=True,
        stream=True,
        max_body=MOST_BODY,
        log_bodies=False,
        guard=Guard(),
    )


# ---- trying a vendor ----


async def serve_try(request: Request, vendors: Vendors, key: bytes) -> None:
    """Ask a model of a provider for a word, and tell how that went in the vendor's own terms."""
    holds = ticket_of(request, key)
    if not holds.get("inline"):
        raise Refused(403, Code.NOT_SUBSCRIBED, "This ticket is not for trying vendors.")
    plain = prompts.loaded(await request.body(MOST_BODY))
    began = time.perf_counter()
    found = await _tried(vendors, plain)
    found["latency_ms"] = round((time.perf_counter() - began) * 1000, 1)
    await request.answer(200, {"content-type": "application/json"}, orjson.dumps(found))


async def _tried(vendors: Vendors, plain: Json) -> Json:
    try:
        model, key = vendor_of(plain)
        secret = Health().secret(key)
    except (KeyError, TypeError, ValueError, OSError) as error:
        return {"ok": False, "status": 0, "code": "unusable", "message": f"{type(error).__name__}: {error}"}
    dialect = DIALECTS[model.provider.dialect]
    try:
        if model.mode == "embedding":
            outgoing = dialect.embeddings(model, secret, {"input": ["Hello"]})
            whole = await vendors.whole(outgoing, dialect, TRY_S)
            dialect.embedded(whole.body)
            return {"ok": True, "status": 200, "code": "", "message": "It answered with a vector."}
        body = {"messages": [{"role": "user", "content": "Say hello."}], "max_completion_tokens": _TRY_TOKENS}
        whole = await vendors.whole(dialect.chat(model, secret, body, stream=False), dialect, TRY_S)
        answer = dialect.answer(whole.body)
    except NotSupported as error:
        return {"ok": False, "status": 0, "code": "not_supported", "message": f"It has nothing for {error}."}
    except VendorError as error:
        failure = error.failure
        return {"ok": False, "status": failure.status, "code": failure.code, "message": failure.message}
    text = str(answer.chat["choices"][0]["message"].get("content") or "")
    return {"ok": True, "status": 200, "code": "", "message": text[:200]}
