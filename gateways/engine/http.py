"""The one HTTP client of drivers: timeouts, retries with jitter, bearer auth, errors without secrets."""

from __future__ import annotations

import json
import random
import re
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Self

import httpx
import structlog

from gateways.engine.driver import DriverError

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
TEMPORARY_STATUSES = frozenset({408, 409, 425, 429})
MESSAGE_CHARS = 2_000

_KEY = re.compile(r"\b(gh[a-z][0-9A-Za-z]{16})[0-9A-Za-z]{49}\b")
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s\"',]+")


def redact(text: str, *secrets: str) -> str:
    """`text` without `secrets`, bearer tokens and whole gateway keys (of which the public part stays)."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "[redacted]")
    return _BEARER.sub(r"\1[redacted]", _KEY.sub(r"\1[redacted]", text))


class HttpClient:
    """Calls one admin API. Raises DriverError for everything that is no 2xx; use it as a context manager.

    Timeouts are seconds. Connection errors and 5xx are retried for idempotent methods, `retries` times,
    with full jitter. Redirects are not followed and the environment's proxies are not used: an admin API
    is where its operator says it is. Certificates are checked against `ca_file`, or the system's authorities.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str = "",
        timeout: float = 30.0,
        connect_timeout: float = 3.0,
        retries: int = 3,
        ca_file: str = "",
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._token = token
        self._retries = retries
        self._sleep = sleep
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout, connect=connect_timeout),
            follow_redirects=False,
            trust_env=False,
            verify=_authorities(base_url, ca_file),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        heed: Collection[int] = (),
    ) -> httpx.Response:
        """The answer to one call. Raises DriverError: permanent when the same call would fail again.

        An answer with a status of `heed` is returned too: the caller knows what to do then.
        """
        attempts = self._retries + 1 if method in IDEMPOTENT_METHODS else 1
        for attempt in range(1, attempts + 1):
            last = attempt == attempts
            try:
                response = self._client.request(
                    method, path, content=content, json=json, headers={**request_id(), **(headers or {})}
                )
            except httpx.TransportError as error:
                if last:
                    raise self._unreachable(error) from error
            else:
                if response.is_success or response.status_code in heed:
                    return response
                if last or response.status_code < 500:
                    raise self._refused(response)
            self._sleep(random.uniform(0, min(2.0, 0.1 * 2**attempt)))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the last attempt returns or raises")

    def _unreachable(self, error: httpx.TransportError) -> DriverError:
        where = self._client.base_url
        detail = redact(str(error) or type(error).__name__, self._token)
        return DriverError(f"{where.host}:{where.port or ''} did not answer: {detail}", permanent=False)

    def _refused(self, response: httpx.Response) -> DriverError:
        status = response.status_code
        detail = redact(problem_text(response), self._token)[:MESSAGE_CHARS]
        permanent = 300 <= status < 500 and status not in TEMPORARY_STATUSES
        return DriverError(f"{detail} (HTTP {status})", permanent=permanent)


def request_id() -> dict[str, str]:
    """The id of the call that led here, as a header: the other side's log names it too."""
    found = structlog.contextvars.get_contextvars().get("request_id")
    return {"X-Request-Id": str(found)} if found else {}


def _authorities(base_url: str, ca_file: str) -> ssl.SSLContext:
    """Loading authorities takes many milliseconds, so a client of plain HTTP trusts nobody."""
    if not base_url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context(cafile=ca_file or None)


def problem_text(response: httpx.Response) -> str:
    """The sentence in an error answer: `detail`, `message` or `title` of its JSON, else its text."""
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return response.text.strip() or response.reason_phrase
    if isinstance(body, dict):
        for name in ("detail", "message", "title"):
            if isinstance(body.get(name), str) and body[name]:
                return str(body[name])
    return response.text.strip()
