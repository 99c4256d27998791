"""Outbound HTTP to addresses that somebody typed in, by the rules of `teams.egress`."""

from __future__ import annotations

import ssl
import time
from typing import Any

import httpcore
import httpx

from teams.egress import EgressRefused, EgressRules, checked_url

MAX_RESPONSE_BYTES = 10_000_000


class _DeadlineStream(httpcore.NetworkStream):
    """A stream whose reads and writes end at `deadline` (monotonic seconds), however slowly the other side drips."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def _left(self, timeout: float | None) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("deadline")
        return left if timeout is None else min(left, timeout)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        started = self._stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _DeadlineStream(started, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _GuardedBackend(httpcore.SyncBackend):
    """Opens TCP connections to checked addresses only, and nothing else."""

    def __init__(self, rules: EgressRules, deadline: float) -> None:
        self._rules = rules
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        address = self._rules.checked_addresses(host, port)[0]
        stream = super().connect_tcp(address, port, timeout, local_address, socket_options)
        return _DeadlineStream(stream, self._deadline)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Any = None
    ) -> httpcore.NetworkStream:
        raise EgressRefused("scheme", "Local sockets are not called from here.")


def guarded_client(
    rules: EgressRules,
    *,
    timeout_s: float = 10.0,
    total_s: float = 60.0,
    verify: ssl.SSLContext | None = None,
) -> httpx.Client:
    """An httpx client for one errand behind the guard: no redirects, no proxies of the environment, no cookies kept.

    `timeout_s` seconds for each step, `total_s` for all that the client does. httpx has no public way to set the
    network backend of its pool: this replaces the private `_pool`, hence httpx is pinned and tests show that the
    guard is asked. Raises EgressRefused from the call.
    """
    transport = httpx.HTTPTransport(trust_env=False)
    transport._pool = httpcore.ConnectionPool(
        ssl_context=verify or ssl.create_default_context(),
        network_backend=_GuardedBackend(rules, time.monotonic() + total_s),
        max_connections=10,
    )
    return httpx.Client(
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        timeout=timeout_s,
        headers={"User-Agent": "gatehouse", "Accept-Encoding": "identity"},
    )


def fetch(
    url: str,
    rules: EgressRules | None = None,
    *,
    max_bytes: int = MAX_RESPONSE_BYTES,
    total_s: float = 20.0,
    verify: ssl.SSLContext | None = None,
) -> bytes:
    """The body at `url`, which must answer 200 within `total_s` seconds and `max_bytes` bytes.

    Raises EgressRefused, also for redirects, errors of the network, and compressed answers (which could unfold).
    """
    checked_url(url)
    with guarded_client(rules or EgressRules(), total_s=total_s, verify=verify) as client:
        try:
            with client.stream("GET", url) as response:
                _check_answer(response)
                return _limited_body(response, max_bytes)
        except httpx.TimeoutException as error:
            raise EgressRefused(
                "too-slow", "The address takes too long to answer. Try again later."
            ) from error
        except httpx.HTTPError as error:
            message = f"The address did not answer as it should ({type(error).__name__}). Check it."
            raise EgressRefused("unreachable", message) from error


def _check_answer(response: httpx.Response) -> None:
    if response.is_redirect:
        raise EgressRefused("redirect", "The address redirects elsewhere. Give the final address.")
    if response.status_code != httpx.codes.OK:
        raise EgressRefused("status", f"The address answers {response.status_code}, not 200. Check it.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise EgressRefused(
            "encoding", "The answer is compressed, which was not asked for. Serve it as it is."
        )


def _limited_body(response: httpx.Response, max_bytes: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise EgressRefused(
                "too-large", f"The answer has more than {max_bytes:,} bytes. Give a smaller one."
            )
    return bytes(body)
