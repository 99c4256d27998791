"""The portal, as the agent calls it: heartbeat, configuration, usage."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import httpx

REQUEST_S = 20.0
HEARTBEAT_S = 8.0
"""With the pause before the next one still below what counts as away: one lost answer is no outage."""


class PortalError(Exception):
    """The portal did not answer, or not as agreed; `status` is 0 when there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Gap(Exception):
    """The portal holds the feed up to `offset` only."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the portal holds {offset} bytes")
        self.offset = offset


class BadLine(PortalError):
    """The portal cannot read the line of `length` bytes at `offset` of the segment; what is before it is fine."""

    def __init__(self, offset: int, length: int, why: str) -> None:
        super().__init__(f"the line at byte {offset} is not a call: {why}", httpx.codes.BAD_REQUEST)
        self.offset = offset
        self.length = length


class Portal:
    """The portal of one gateway. All methods may raise PortalError."""

    def __init__(self, url: str, token: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(REQUEST_S, connect=3.0),
            trust_env=False,
            follow_redirects=False,
            verify=ssl.create_default_context() if url.startswith("https:") else True,
            transport=transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def heartbeat(self, report: Mapping[str, Any]) -> bool:
        """Say that this node is alive. True when the portal has another configuration to fetch."""
        response = await self._call("POST", "/agent/v1/heartbeat", json=report, timeout=HEARTBEAT_S)
        return bool(_body(response).get("config") == "fetch")

    async def configuration(self, node: str) -> bytes:
        """The configuration that this node should serve; empty when nothing was ever published."""
        response = await self._call("GET", "/agent/v1/config", params={"node": node})
        return b"" if response.status_code == httpx.codes.NO_CONTENT else response.content

    async def durable_offset(self, node: str, segment: str) -> int:
        """Up to where the portal holds the feed of a segment."""
        query = {"node": node, "segment": segment}
        return _offset(await self._call("GET", "/agent/v1/usage", params=query))

    async def ship(
        self, node: str, segment: str, offset: int, body: bytes, *, complete_until: float | None = None
    ) -> int:
        """Hand over `body`, which begins at `offset`. Returns the durable offset; raises Gap when it is below.

        `complete_until` (POSIX seconds) says that with this body all calls that ended before it are told.
        """
        headers = {
            "Content-Type": "application/x-ndjson",
            "X-Node": node,
            "X-Segment": segment,
            "X-Offset": str(offset),
        }
        if complete_until is not None:
            headers["X-Complete-Until"] = str(round(complete_until * 1000))
        return _offset(await self._call("POST", "/agent/v1/usage", content=body, headers=headers))

    async def report_loss(self, loss: Mapping[str, Any]) -> int:
        """Say that a stretch of a segment is lost. Returns the durable offset of the segment; raises Gap."""
        return _offset(await self._call("POST", "/agent/v1/usage/losses", json=loss))

    async def _call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = await self._client.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise PortalError(f"the portal does not answer ({type(error).__name__})") from error
        if response.status_code == httpx.codes.CONFLICT and "usage" in path:
            raise Gap(_offset(response))
        if response.status_code == httpx.codes.BAD_REQUEST and path.endswith("/usage"):
            _raise_bad_line(response)
        if not response.is_success:
            raise PortalError(f"{method} {path} was answered {response.status_code}", response.status_code)
        return response


def _raise_bad_line(response: httpx.Response) -> None:
    """Raise BadLine if the answer names one; other refusals are none of ours to mend."""
    try:
        found = response.json()
        place = found["offset"], found["length"]
    except (ValueError, KeyError, TypeError):
        return
    if all(isinstance(number, int) and number >= 0 for number in place) and place[1]:
        raise BadLine(*place, why=str(found.get("detail", "")))


def _body(response: httpx.Response) -> Mapping[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise PortalError("the portal's answer is not the agreed JSON", response.status_code)
    return found


def _offset(response: httpx.Response) -> int:
    offset = _body(response).get("offset")
    if not isinstance(offset, int) or offset < 0:
        raise PortalError("the portal's answer holds no offset", response.status_code)
    return offset
