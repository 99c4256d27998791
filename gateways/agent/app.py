"""The agent's own small HTTP interface, and the tasks that run beside it."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateways.agent.ai_runtime.plane import AiRuntimePlane
from gateways.agent.applier import Applier, Stale
from gateways.agent.authorities import system_ca_file
from gateways.agent.envoy.plane import EnvoyPlane
from gateways.agent.losses import Losses
from gateways.agent.metrics import Metrics
from gateways.agent.nginx.plane import NginxPlane
from gateways.agent.plane import DataPlane, NotInForce, Refused
from gateways.agent.portal import Portal
from gateways.agent.reporter import Reporter
from gateways.agent.segments import Segments
from gateways.agent.settings import Settings
from gateways.agent.shipper import Shipper
from gateways.agent.store import Store
from gateways.engine.document import canonical_json
from gateways.engine.pushes import BaseUnknown, WireError, read_push

logger = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""An id that is taken over from the worker, so that one search finds the way of a decision."""
LARGEST_PUSH = 256 * 1024 * 1024
_OUTCOMES: tuple[tuple[type[Exception], int, str], ...] = (
    (BaseUnknown, 412, "Not held here"),
    (WireError, 400, "Not a configuration"),
    (Stale, 409, "Older than what is in force"),
    (Refused, 422, "Refused by the gateway"),
    (NotInForce, 503, "Not in force"),
)


@dataclass(frozen=True, slots=True)
class Agent:
    """The parts of one agent."""

    settings: Settings
    store: Store
    segments: Segments
    plane: DataPlane
    applier: Applier
    portal: Portal | None
    reporter: Reporter | None
    shipper: Shipper | None


PLANES: Mapping[str, type[EnvoyPlane | NginxPlane | AiRuntimePlane]] = {
    plane.kind: plane for plane in (EnvoyPlane, NginxPlane, AiRuntimePlane)
}


def build_agent(settings: Settings) -> Agent:
    """The parts, wired; nothing runs yet."""
    store = Store(settings.state, settings.kind)
    segments = Segments(store.usage, settings.kind)
    plane: DataPlane = PLANES[settings.kind](
        settings,
        store,
        ca_file=system_ca_file(settings.ca_file),
        before_start=segments.open_before_start,
        killed=lambda: _note_killed(Losses(store.usage), segments),
    )
    applier = Applier(store, plane)
    portal = Portal(settings.portal_url, settings.token) if settings.portal_url else None
    reporter = shipper = None
    if portal is not None:
        reporter = Reporter(
            applier,
            portal,
            node=settings.node,
            agent_url=settings.agent_url,
            kind=plane.kind,
            software=plane.software,
        )
        shipper = Shipper(
            store,
            segments,
            portal,
            plane.reopen_logs,
            node=settings.node,
            spool_bytes=settings.spool_bytes,
        )
    return Agent(settings, store, segments, plane, applier, portal, reporter, shipper)


def _note_killed(losses: Losses, segments: Segments) -> None:
    name = segments.current()
    if name:
        losses.note_killed(name, segments.size(name))


def build_app(agent: Agent) -> Starlette:
    """The ASGI application; its lifespan runs the gateway, the reporter and the shipper."""
    metrics = Metrics(agent.applier, agent.plane, agent.shipper)

    async def put_config(request: Request) -> Response:
        body = await _whole_body(request)
        if body is None:
            return _problem(413, "Too large", f"A configuration has at most {LARGEST_PUSH} bytes.")
        with metrics.push_seconds.time():
            response = await _apply(agent, body)
        metrics.pushes.labels(str(response.status_code)).inc()
        return response

    async def get_config(request: Request) -> Response:
        state = await agent.applier.state()
        summary = {
            "node": agent.settings.node,
            "version": state.version,
            "digest": state.digest,
            "serving": state.is_serving,
            "problems": state.problems,
        }
        if request.query_params.get("items") != "new":
            return _with_items(summary, state.items)
        known = request.query_params.get("known", "").split(",")
        new = agent.applier.difference(state.digest, known) if state.is_serving else None
        if new is None:
            return JSONResponse(summary)
        return _with_items({**summary, "since": new.since, "gone": new.gone, "files": new.files}, new.items)

    async def get_files(request: Request) -> Response:
        """The files as they lie on disk, whoever wrote them: keys included, as in a push. `?texts=no`: digests."""
        found = await agent.applier.on_disk()
        answer = {
            "node": agent.settings.node,
            "version": found.version,
            "digest": found.digest,
            "stale": found.stale,
            "digests": found.digests,
        }
        if request.query_params.get("texts") != "no":
            answer["files"] = found.files
        return JSONResponse(answer)

    async def get_metrics(request: Request) -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/v1/config", _authenticated(agent.settings.token, put_config), methods=["PUT"]),
            Route("/v1/config", _authenticated(agent.settings.token, get_config), methods=["GET"]),
            Route("/v1/files", _authenticated(agent.settings.token, get_files), methods=["GET"]),
            Route("/metrics", _authenticated(agent.settings.token, get_metrics), methods=["GET"]),
            Route("/healthz", _health(agent), methods=["GET"]),
        ],
        lifespan=lambda _: _running(agent),
    )


@contextlib.asynccontextmanager
async def _running(agent: Agent) -> AsyncIterator[None]:
    """Serve what is on disk at once; the portal is asked afterwards."""
    prepare(agent)
    tasks = [asyncio.create_task(work) for work in _work(agent)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await agent.plane.stop()
        if agent.portal is not None:
            await agent.portal.close()


def prepare(agent: Agent) -> None:
    """Put the files in place with which the gateway can start."""
    agent.store.prepare(agent.plane.first_files)
    agent.applier.load()
    agent.plane.prepare(agent.applier.held.files if agent.applier.held else {})
    agent.segments.open_before_start()


def _work(agent: Agent) -> list[Coroutine[None, None, None]]:
    work = [agent.plane.keep_running()]
    if agent.reporter is not None:
        work.append(agent.reporter.keep_reporting())
    if agent.shipper is not None:
        work.append(agent.shipper.keep_shipping())
    return [_guarded(each) for each in work]


async def _guarded(work: Awaitable[None]) -> None:
    """A task that ends by an error of ours must be seen: its silence would look like peace."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception:
        logger.exception("a task of the agent has ended")
        raise


def _authenticated(
    token: str, endpoint: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    expected = f"Bearer {token}".encode()

    async def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            return _problem(401, "Not allowed", "Send the gateway's token as Authorization: Bearer.")
        asked = request.headers.get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            answer = await endpoint(request)
        answer.headers["X-Request-Id"] = request_id
        return answer

    return guarded


def _health(agent: Agent) -> Callable[[Request], Awaitable[Response]]:
    async def healthz(request: Request) -> Response:
        live, kind = await agent.plane.is_live(), agent.plane.kind
        status = "ok" if live else f"{kind} is not running"
        return JSONResponse({"status": status, kind: live}, status_code=200 if live else 503)

    return healthz


def _with_items(summary: Mapping[str, object], items: Iterable[str]) -> Response:
    """The objects are JSON already."""
    body = f'{canonical_json(summary)[:-1]},"items":[{",".join(items)}]}}'
    return Response(body, media_type="application/json")


async def _whole_body(request: Request) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_PUSH:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


async def _apply(agent: Agent, body: bytes) -> Response:
    started = time.monotonic()
    try:
        push = await asyncio.to_thread(read_push, body, agent.applier.held)
        if push.kind != agent.plane.kind:
            raise WireError(f"this agent rules {agent.plane.label}, not {push.kind!r}")
        await agent.applier.apply(push)
    except tuple(error for error, _, _ in _OUTCOMES) as error:
        status, title = next((s, t) for kind, s, t in _OUTCOMES if isinstance(error, kind))
        logger.warning("push not applied", status=status, reason=str(error))
        return _problem(status, title, str(error))
    milliseconds = round((time.monotonic() - started) * 1000)
    return JSONResponse({"version": push.version, "digest": push.digest, "milliseconds": milliseconds})


def _problem(status: int, title: str, detail: str) -> Response:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
    )
