"""What a gateway answers by itself, as problem details (RFC 9457): the same types and texts on every gateway.

The texts are fixed here; nothing that a person typed enters an answer. `instance` is the request id, which the
caller can name to whoever helps.
"""

from __future__ import annotations

from dataclasses import dataclass

_TYPE = "urn:gatehouse:problem:"
CHALLENGE = 'Bearer realm="api"'


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason for which a gateway answers by itself."""

    name: str
    status: int
    title: str
    detail: str

    @property
    def type(self) -> str:
        """The `type` of the problem document."""
        return problem_type(self.name)


def problem_type(name: str) -> str:
    """The `type` of a problem, for those who compare answers with it."""
    return f"{_TYPE}{name}"


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
    "This gateway does not know the key: it is mistyped, revoked, expired, was made a moment ago, or its "
    "subscription is suspended. "
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

QUOTA = Problem("quota", 429, "Quota used up", _QUOTA)
RATE = Problem("rate-limit", 429, "Too many calls", _RATE)
NO_KEY = Problem("no-key", 401, "A key is needed", _NO_KEY)
UNKNOWN_KEY = Problem("unknown-key", 401, "Unknown key", _UNKNOWN_KEY)
NO_SUBSCRIPTION = Problem("no-subscription", 403, "No subscription", _NO_SUBSCRIPTION)
UNKNOWN_PATH = Problem("unknown-path", 404, "Unknown path", _UNKNOWN_PATH)
UPSTREAM_DOWN = Problem("upstream-down", 503, "The API is not available", _UPSTREAM_DOWN)
UPSTREAM_TIMEOUT = Problem("upstream-timeout", 504, "The API took too long", _UPSTREAM_TIMEOUT)
REFUSED = "refused"
REFUSED_TITLE = "The call was refused"
