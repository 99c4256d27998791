"""Where agents deliver their usage feeds. The protocol is told in docs/agent.md."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from gateways.models import Gateway
from gateways.queries import gateway_of_token
from teams.access import AGENT
from usage.actions import FeedGap, ingest_batch
from usage.feed import FeedMalformed
from usage.models import FeedCheckpoint

MOST_BYTES = 8 * 1024 * 1024
NAME_LENGTH = 80


@csrf_exempt
@require_http_methods(["GET", "POST"])
def feed(request: HttpRequest) -> HttpResponse:
    """GET: how far a segment is durable. POST: take a batch in; the durable offset after it."""
    gateway = gateway_of_token(request.headers.get("Authorization", ""))
    if gateway is None:
        answer = _problem(401, "unauthorized", "Send this gateway's token as a bearer token.")
        answer["WWW-Authenticate"] = 'Bearer realm="Gatehouse agents"'
        return answer
    if request.method == "GET":
        return _how_far(gateway, request.GET.get("node", ""), request.GET.get("segment", ""))
    return _take_in(gateway, request)


feed.access_rule = AGENT  # type: ignore[attr-defined]
feed.access_methods = ("GET", "POST")  # type: ignore[attr-defined]


def _how_far(gateway: Gateway, node: str, segment: str) -> HttpResponse:
    checkpoint = FeedCheckpoint.objects.filter(gateway=gateway, node=node, segment=segment).first()
    return JsonResponse({"segment": segment, "offset": checkpoint.offset if checkpoint else 0})


def _take_in(gateway: Gateway, request: HttpRequest) -> HttpResponse:
    node, segment = request.headers.get("X-Node", ""), request.headers.get("X-Segment", "")
    if not 0 < len(node) <= NAME_LENGTH or not 0 < len(segment) <= NAME_LENGTH:
        return _problem(400, "bad_feed", "X-Node and X-Segment name the feed, in 1 to 80 characters each.")
    if int(request.headers.get("Content-Length") or 0) > MOST_BYTES:
        return _problem(413, "too_large", f"Send at most {MOST_BYTES} bytes at once.")
    try:
        offset = int(request.headers.get("X-Offset", ""))
        until = _complete_until(request.headers.get("X-Complete-Until", ""))
        if offset < 0:
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
        return _problem(400, "bad_feed", str(malformed))
    return JsonResponse({"segment": segment, "offset": durable})


def _complete_until(text: str) -> datetime | None:
    return datetime.fromtimestamp(float(text) / 1000, UTC) if text else None


def _problem(status: int, name: str, detail: str, **more: object) -> JsonResponse:
    body = {
        "type": f"urn:gatehouse:{name}",
        "title": name.replace("_", " "),
        "status": status,
        "detail": detail,
    }
    return JsonResponse({**body, **more}, status=status, content_type="application/problem+json")
