"""Where agents deliver their usage feeds. The protocol is told in docs/agent.md."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from gateways.models import Gateway
from gateways.queries import gateway_of_token
from teams.access import AGENT
from usage.actions import FeedGap, Loss, ingest_batch, note_loss
from usage.feed import FeedMalformed
from usage.models import FeedCheckpoint, FeedLoss

MOST_BYTES = 8 * 1024 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
NAMES_WANTED = "The node and the segment name the feed: letters, digits, . _ -, at most 80 of each."
LOSS_WANTED = "A loss has node, segment, reason, position, size, and from and until in POSIX milliseconds."
MOST_LOSS_BYTES = 4096
MOST_OFFSET = 2**62
LAST_MS = 4_102_444_800_000
"""The year 2100, in POSIX milliseconds."""


@csrf_exempt
@require_http_methods(["GET", "POST"])
def feed(request: HttpRequest) -> HttpResponse:
    """GET: how far a segment is durable. POST: take a batch in; the durable offset after it."""
    gateway = gateway_of_token(request.headers.get("Authorization", ""))
    if gateway is None:
        return _unauthorized()
    if request.method == "GET":
        return _how_far(gateway, request.GET.get("node", ""), request.GET.get("segment", ""))
    return _take_in(gateway, request)


@csrf_exempt
@require_http_methods(["POST"])
def losses(request: HttpRequest) -> HttpResponse:
    """An agent says that a stretch of its feed is lost; the durable offset of its segment."""
    gateway = gateway_of_token(request.headers.get("Authorization", ""))
    if gateway is None:
        return _unauthorized()
    if _length(request) > MOST_LOSS_BYTES:
        return _problem(413, "too_large", f"Send at most {MOST_LOSS_BYTES} bytes.")
    try:
        loss = _read_loss(request.body)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return _problem(400, "bad_loss", LOSS_WANTED)
    try:
        return JsonResponse({"segment": loss.segment, "offset": note_loss(gateway, loss)})
    except FeedGap as gap:
        return _problem(409, "feed_gap", str(gap), offset=gap.offset)


for _view, _methods in ((feed, ("GET", "POST")), (losses, ("POST",))):
    _view.access_rule = AGENT  # type: ignore[attr-defined]
    _view.access_methods = _methods  # type: ignore[attr-defined]


def _how_far(gateway: Gateway, node: str, segment: str) -> HttpResponse:
    if not NAME.fullmatch(node) or not NAME.fullmatch(segment):
        return _problem(400, "bad_feed", NAMES_WANTED)
    checkpoint = FeedCheckpoint.objects.filter(gateway=gateway, node=node, segment=segment).first()
    return JsonResponse({"segment": segment, "offset": checkpoint.offset if checkpoint else 0})


def _take_in(gateway: Gateway, request: HttpRequest) -> HttpResponse:
    node, segment = request.headers.get("X-Node", ""), request.headers.get("X-Segment", "")
    if not NAME.fullmatch(node) or not NAME.fullmatch(segment):
        return _problem(400, "bad_feed", NAMES_WANTED)
    if _length(request) > MOST_BYTES:
        return _problem(413, "too_large", f"Send at most {MOST_BYTES} bytes at once.")
    try:
        offset = int(request.headers.get("X-Offset", ""))
        until = _complete_until(request.headers.get("X-Complete-Until", ""))
        if not 0 <= offset < MOST_OFFSET:
            raise ValueError
    except ValueError:
        return _problem(400, "bad_feed", "X-Offset is a byte offset, X-Complete-Until is POSIX milliseconds.")
    try:
        durable = ingest_batch(
            gateway, node=node, segment=segment, offset=offset, body=request.body, complete_until=until
        )
    except FeedGap as gap:
        return _problem(409, "feed_gap", str(gap), offset=gap.offset)
    except FeedMalformed as malformed:
        place = {"offset": malformed.offset, "length": malformed.length}
        return _problem(400, "bad_line", str(malformed), **place)
    return JsonResponse({"segment": segment, "offset": durable})


def _complete_until(text: str) -> datetime | None:
    """The moment that the header names, None without one. Raises ValueError."""
    return _moment(float(text)) if text else None


def _read_loss(body: bytes) -> Loss:
    """The loss in `body`. Raises ValueError, TypeError, KeyError, RecursionError, OverflowError."""
    plain = json.loads(body.decode())
    node, segment, position, size = plain["node"], plain["segment"], plain["position"], plain["size"]
    if not NAME.fullmatch(node) or not NAME.fullmatch(segment):
        raise ValueError
    if not all(type(number) is int and 0 <= number < MOST_OFFSET for number in (position, size)):
        raise ValueError
    starts_at, ends_at = _moment(plain["from"]), min(_moment(plain["until"]), timezone.now())
    reason = FeedLoss.Reason(plain["reason"])
    return Loss(node, segment, reason, position, size, min(starts_at, ends_at), ends_at)


def _moment(milliseconds: float) -> datetime:
    """A time from POSIX milliseconds. Raises ValueError, also for NaN and infinity."""
    if not 0 <= milliseconds <= LAST_MS:
        raise ValueError
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _unauthorized() -> HttpResponse:
    answer = _problem(401, "unauthorized", "Send this gateway's token as a bearer token.")
    answer["WWW-Authenticate"] = 'Bearer realm="Gatehouse agents"'
    return answer


def _length(request: HttpRequest) -> int:
    """The announced length of the body; Django reads no further than that."""
    text = request.headers.get("Content-Length") or "0"
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else MOST_BYTES + 1


def _problem(status: int, name: str, detail: str, **more: object) -> JsonResponse:
    body = {
        "type": f"urn:gatehouse:{name}",
        "title": name.replace("_", " "),
        "status": status,
        "detail": detail,
    }
    return JsonResponse({**body, **more}, status=status, content_type="application/problem+json")
