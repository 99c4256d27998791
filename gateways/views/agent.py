"""Where agents report and fetch. A bearer token per gateway opens it; no person and no cookie does.

Whatever is sent is measured before it is read, read before it is believed, and refused as problem+json.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from gateways.actions import Heartbeat, fetch_config, record_heartbeat
from gateways.models import Gateway
from gateways.queries import gateway_of_token
from teams.access import AGENT

MOST_BYTES = 16 * 1024
NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
DIGEST = re.compile(r"([0-9a-f]{64})?")
MOST_VERSION = 2**62


class Malformed(Exception):
    """What was sent is not what was agreed; the text says what to send."""


@csrf_exempt
@require_http_methods(["POST"])
def heartbeat(request: HttpRequest) -> HttpResponse:
    """A node says that it is there, and what it serves."""
    gateway = gateway_of_token(request.headers.get("Authorization"))
    if gateway is None:
        return unauthorized()
    if _length(request) > MOST_BYTES:
        return problem(413, "too_large", f"Send at most {MOST_BYTES} bytes.")
    try:
        beat = read_heartbeat(request.body, gateway)
    except Malformed as error:
        return problem(400, "bad_heartbeat", str(error))
    _node, config = record_heartbeat(gateway, beat)
    return JsonResponse({"gateway": gateway.slug, "config": config})


@csrf_exempt
@require_http_methods(["GET"])
def config(request: HttpRequest) -> HttpResponse:
    """The configuration of a node that starts, keys included: for its agent alone, and stored nowhere."""
    gateway = gateway_of_token(request.headers.get("Authorization"))
    if gateway is None:
        return unauthorized()
    if not NODE.fullmatch(request.GET.get("node", "")):
        return problem(400, "bad_node", "Name the node: ?node=NAME.")
    body = fetch_config(gateway, request.GET["node"])
    if not body:
        return HttpResponse(status=204)
    return HttpResponse(body, content_type="application/json", headers={"Cache-Control": "no-store"})


for _view, _methods in ((heartbeat, ("POST",)), (config, ("GET",))):
    _view.access_rule = AGENT  # type: ignore[attr-defined]
    _view.access_methods = _methods  # type: ignore[attr-defined]


def read_heartbeat(body: bytes, gateway: Gateway) -> Heartbeat:
    """The heartbeat in `body`. Raises Malformed."""
    plain = _object(body)
    if plain.get("kind") != gateway.kind:
        _refuse(f"kind is not that of this gateway, which is {gateway.kind}.")
    digest = _text(plain, "digest", DIGEST)
    version = plain.get("version")
    if type(version) is not int or not 0 <= version <= MOST_VERSION:
        _refuse("version is a whole number from 0.")
    if type(plain.get("serving")) is not bool:
        _refuse("serving is true or false.")
    software = plain.get("software", "")
    if not isinstance(software, str) or len(software) > 80 or not software.isprintable():
        _refuse("software is a text of at most 80 characters.")
    return Heartbeat(
        node=_text(plain, "node", NODE),
        agent_url=_agent_url(plain.get("agent_url")),
        software=software,
        started_at=_moment(plain.get("started_at")),
        version=version,
        digest=digest,
        serving=plain["serving"],
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        plain = None
    if not isinstance(plain, dict):
        _refuse("Send a JSON object.")
    return plain


def _text(plain: dict[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = plain.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        _refuse(f"{name} is missing or not of its form.")
    return value


def _agent_url(value: object) -> str:
    """Where the worker reaches the agent: http or https, a host, nothing behind the port."""
    try:
        parts = urlsplit(value) if isinstance(value, str) and len(value) <= 300 else None
        port = parts.port if parts else None
    except ValueError:
        parts = port = None
    plain = parts is not None and not (
        parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/")
    )
    if parts is None or not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        _refuse("agent_url is an address such as http://127.0.0.1:9100.")
    if not parts.netloc.isascii() or not parts.netloc.isprintable() or " " in parts.netloc or port == 0:
        _refuse("agent_url is an address such as http://127.0.0.1:9100.")
    return f"{parts.scheme}://{parts.netloc}"


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or timezone.is_naive(moment):
        _refuse("started_at is a time with its zone, such as 2026-11-24T08:00:00+00:00.")
    return moment


def _refuse(text: str) -> NoReturn:
    raise Malformed(text)


def _length(request: HttpRequest) -> int:
    """The announced length of the body; Django reads no further than that."""
    text = request.headers.get("Content-Length") or "0"
    return int(text) if text.isdecimal() else MOST_BYTES + 1


def unauthorized() -> JsonResponse:
    """The answer to whoever has no gateway's token."""
    answer = problem(401, "unauthorized", "Send the token of this gateway as a bearer token.")
    answer["WWW-Authenticate"] = 'Bearer realm="Gatehouse agents"'
    return answer


def problem(status: int, name: str, detail: str) -> JsonResponse:
    """A problem document (RFC 9457)."""
    body = {
        "type": f"urn:gatehouse:{name}",
        "title": name.replace("_", " "),
        "status": status,
        "detail": detail,
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")
