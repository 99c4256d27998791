"""What Envoy answers by itself, as `application/problem+json` (RFC 9457): one text per reason.

The texts are fixed here; nothing that a person typed enters a format string. `instance` is the request id,
which the caller can name to whoever helps.
"""

from __future__ import annotations

from gateways.drivers.envoy.filters import DATE_END, LIMIT_HEADER
from gateways.drivers.envoy.resources import Json

_PROBLEM = "urn:gatehouse:problem:"
_CHALLENGE = {"header": {"key": "www-authenticate", "value": 'Bearer realm="api"'}}


def local_replies() -> Json:
    """The `local_reply_config` of a listener: the first mapper whose filter fits answers."""
    return {
        "mappers": [
            _quota(),
            _mapper(_status(429), "rate-limit", 429, "Too many calls", _RATE),
            _mapper(_all(_status(401), _no_key()), "no-key", 401, "A key is needed", _NO_KEY, _CHALLENGE),
            _mapper(_status(401), "unknown-key", 401, "Unknown key", _UNKNOWN_KEY, _CHALLENGE),
            _mapper(_status(403), "no-subscription", 403, "No subscription", _NO_SUBSCRIPTION),
            _mapper(_status(404), "unknown-path", 404, "Unknown path", _UNKNOWN_PATH),
            _mapper(_status(503), "upstream-down", 503, "The API is not available", _UPSTREAM_DOWN),
            _mapper(_status(504), "upstream-timeout", 504, "The API took too long", _UPSTREAM_TIMEOUT),
        ],
        "body_format": _body("refused", "%RESPONSE_CODE%", "The call was refused", "%LOCAL_REPLY_BODY%"),
    }


_RATE = (
    "The calls of this subscription are over the rate of its plan. Wait the seconds that "
    "X-RateLimit-Reset says and call again, or ask for a bigger plan in the portal."
)
_QUOTA = (
    "The quota of this subscription is used up. Calls are taken again at the time that Retry-After says; "
    "a bigger plan can be asked for in the portal."
)
_NO_KEY = (
    "Send the key of a subscription in the X-API-Key header, or as Authorization: Bearer. "
    "Keys are made in the portal, on the page of your application."
)
_UNKNOWN_KEY = (
    "This gateway does not know the key: it is mistyped, revoked, expired, or was made a moment ago. "
    "Look at your keys in the portal, on the page of your application."
)
_NO_SUBSCRIPTION = (
    "The key is good, but its subscription does not cover this API here. "
    "Ask for access on the page of the API in the portal."
)
_UNKNOWN_PATH = (
    "No API is published at this path. Compare it with the address on the page of the API in the portal."
)
_UPSTREAM_DOWN = "The service behind this API does not answer. Call again later; its team sees the failure."
_UPSTREAM_TIMEOUT = (
    "The service behind this API did not answer in time. Call again later, and mind that the first call may "
    "still have had its effect."
)


def _quota() -> Json:
    """A blocked subscription carries the HTTP date at which the block ends where others carry their limit."""
    blocked = {"header_filter": {"header": {"name": LIMIT_HEADER, "string_match": {"suffix": DATE_END}}}}
    until = {"header": {"key": "retry-after", "value": f"%REQ({LIMIT_HEADER})%"}}
    mapper = _mapper(_all(_status(403), blocked), "quota", 429, "Quota used up", _QUOTA, until)
    return {**mapper, "status_code": 429}


def _mapper(accepts: Json, name: str, status: int, title: str, detail: str, *headers: Json) -> Json:
    mapper: Json = {"filter": accepts, "body_format_override": _body(name, status, title, detail)}
    return {**mapper, "headers_to_add": list(headers)} if headers else mapper


def _body(name: str, status: int | str, title: str, detail: str) -> Json:
    problem = {
        "type": f"{_PROBLEM}{name}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "%REQ(x-request-id)%",
    }
    return {"json_format": problem, "content_type": "application/problem+json"}


def _status(code: int) -> Json:
    value = {"default_value": code, "runtime_key": f"gatehouse.local_reply.{code}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _all(*accepts: Json) -> Json:
    return {"and_filter": {"filters": list(accepts)}}


def _no_key() -> Json:
    return _all(_absent("x-api-key"), _absent("authorization"))


def _absent(header: str) -> Json:
    return {"header_filter": {"header": {"name": header, "present_match": False}}}


def problem_type(name: str) -> str:
    """The `type` of a problem, for those who compare answers with it."""
    return f"{_PROBLEM}{name}"
