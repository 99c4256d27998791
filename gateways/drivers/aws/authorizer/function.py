"""What runs in the account, as a Lambda function: lets in who has a key of a subscription to the API that is called.

It is deployed by the portal together with `keys.json`, which holds digests of keys and no key. It is asked by API
Gateway at every call of an HTTP API (payload format 2.0, simple answers) and at every connection of a WebSocket API
(whose answer is a policy). One file, nothing but Python's own library.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

HEADER = "x-api-key"
BEARER = "bearer "

_tables: list[dict[str, Any]] = []
_buckets: dict[str, tuple[float, float]] = {}
"""For each subscription what is left, and when that was counted: in this running copy of the function alone."""


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:
    """API Gateway's question and the answer to it. `context` is Lambda's, and not used."""
    if not _tables:
        _tables.append(json.loads(Path(__file__).with_name("keys.json").read_text(encoding="utf-8")))
    called = event.get("requestContext") or {}
    place = f"{called.get('apiId')}/{called.get('stage')}"
    is_allowed, said = decided(_tables[0], presented(event), place, time.time())
    if event.get("version") == "2.0":
        return {"isAuthorized": is_allowed, "context": said}
    return _policy(event.get("methodArn", "*"), said, is_allowed=is_allowed)


def presented(event: dict[str, Any]) -> str:
    """The key that the caller shows: in x-api-key, as a bearer, or, where headers cannot be sent, in the query of a
    WebSocket's address."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if headers.get(HEADER):
        return str(headers[HEADER])
    bearer = str(headers.get("authorization") or "")
    if bearer[: len(BEARER)].lower() == BEARER:
        return bearer[len(BEARER) :].strip()
    query = event.get("queryStringParameters") or {}
    return "" if event.get("version") == "2.0" else str(query.get(HEADER) or "")


def decided(table: dict[str, Any], key: str, place: str, now: float) -> tuple[bool, dict[str, str]]:
    """Whether `key` may call `place` ("API/STAGE"), and what the access log is told: the subscription and the key by
    their ids, or why not."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    if not key or digest not in table["keys"]:
        return False, {"refused": "unknown key" if key else "no key"}
    name, subscription = table["keys"][digest]
    said = {"subscription": subscription, "key": name}
    grant = table["subscriptions"][subscription]
    if place not in grant["places"]:
        return False, {**said, "refused": "not for this API"}
    if grant["blocked"]:
        return False, {**said, "refused": "quota used up"}
    if grant["rate"] and not _take(subscription, now, *grant["rate"]):
        return False, {**said, "refused": "too fast"}
    return True, said


def _take(subscription: str, now: float, per_second: float, burst: float) -> bool:
    """Best effort: every running copy of the function counts for itself."""
    left, at = _buckets.get(subscription, (burst, now))
    left = min(burst, left + max(0.0, now - at) * per_second)
    _buckets[subscription] = (left - 1 if left >= 1 else left, now)
    return left >= 1


def _policy(resource: str, said: dict[str, str], *, is_allowed: bool) -> dict[str, Any]:
    effect = "Allow" if is_allowed else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": said.get("key", "nobody"), "policyDocument": document, "context": said}
