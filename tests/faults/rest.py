"""A REST client that repeats what was cut off, with the same Idempotency-Key, as a careful program does."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from typing import Any

import httpx

_numbers = itertools.count(1)


class Client:
    """Calls as the holder of one token. What gets no answer, or 409 or 503, is repeated for `patience_s`."""

    def __init__(self, url: str, token: str, patience_s: float = 60.0) -> None:
        self._url, self._token, self._patience_s = url, token, patience_s
        self.statuses: list[int] = []
        """Of every attempt; 0 where no answer came."""

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a POST that is done once, however often it has to be sent. Fails on any other error."""
        key = f"{next(_numbers)}-{secrets.token_hex(8)}"
        deadline = time.monotonic() + self._patience_s
        while True:
            response = self.attempt(path, body, key)
            if response is not None and response.is_success:
                return dict(response.json())
            assert response is None or response.status_code in (409, 503), response.text
            assert time.monotonic() < deadline, f"POST {path}: {response and response.text}"
            time.sleep(0.05)

    def attempt(self, path: str, body: dict[str, Any] | None, key: str) -> httpx.Response | None:
        """One attempt; None when there was no answer."""
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Idempotency-Key": key,
            "Content-Type": "application/json",
        }
        address, content = f"{self._url}/api/v1/{path}", json.dumps(body)
        try:
            response = httpx.post(address, content=content, headers=headers, timeout=30, trust_env=False)
        except httpx.TransportError:
            self.statuses.append(0)
            return None
        self.statuses.append(response.status_code)
        return response

    def raw(self, path: str, body: dict[str, Any], key: str) -> bytes:
        """The bytes of a POST, for a connection that is cut."""
        text = json.dumps(body)
        host = self._url.removeprefix("http://")
        lines = [
            f"POST /api/v1/{path} HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {self._token}",
            f"Idempotency-Key: {key}",
            "Content-Type: application/json",
            f"Content-Length: {len(text)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + text).encode()
