"""One HTTP attempt at a vendor: whole answers and streams, with bounds on time and size."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
from yarl import URL

from ai.runtime.dialects.contract import Dialect, Outgoing, StreamReader, malformed
from ai.runtime.errors import VendorError, VendorFailure
from ai.runtime.sse import Event, EventTooLong

MOST_ANSWER_BYTES = 32_000_000
MOST_ERROR_BYTES = 64_000
CONNECT_S = 5.0


class VendorStream:
    """The answer of a vendor as it comes. `reader` reads its events; close it when done, whatever happened."""

    def __init__(self, response: aiohttp.ClientResponse, dialect: Dialect, idle_s: float) -> None:
        self._response = response
        self._dialect = dialect
        self._framing = dialect.framing()
        self._idle_s = idle_s
        self._first: list[Event] = []
        self._content = response.content
        self._loop = asyncio.get_running_loop()
        self._asked_at = 0.0  # 0: nobody waits for the vendor
        self._stalled = False
        self._timer = self._loop.call_later(idle_s, self._look_at_clock)
        self.reader: StreamReader = dialect.reader()
        self.passes_chat = dialect.passes_chat

    async def begin(self) -> None:
        """Wait for the first events: until then another model can still answer. Raises VendorError.

        Also where they are an error: vendors that are overloaded say so with status 200 in a stream.
        """
        first = await self.events()
        if not first:
            raise malformed("it ended before it began")
        reader = self._dialect.reader()
        for event in first:
            for _ in reader.read(event):
                pass
        self._first = first

    async def events(self) -> list[Event]:
        """The next events, as many as came together; none at the end.

        Raises VendorError when the stream breaks off or stalls.
        """
        if self._first:
            first, self._first = self._first, []
            return first
        try:
            while True:
                self._asked_at = self._loop.time()
                piece = await self._content.readany()
                self._asked_at = 0.0
                if not piece:
                    rest = self._framing.rest()
                    return [] if rest is None else [rest]
                events = list(self._framing.feed(piece))
                if events:
                    return events
        except (aiohttp.ClientError, OSError, EventTooLong) as error:
            if self._stalled:
                text = f"The model sent nothing for {self._idle_s:.0f} seconds."
                raise VendorError(VendorFailure(504, text, "stalled", is_timeout=True)) from None
            raise VendorError(
                VendorFailure(502, f"The model's answer broke off ({type(error).__name__}).", "cut")
            ) from None

    def _look_at_clock(self) -> None:
        """End a stream that stalls. One timer for all of it: one for each piece would cost more than the piece."""
        now = self._loop.time()
        left = self._asked_at + self._idle_s - now if self._asked_at else self._idle_s
        if left > 0:
            self._timer = self._loop.call_later(left, self._look_at_clock)
            return
        self._stalled = True
        self._response.close()

    def close(self) -> None:
        """Leave the rest unread and the connection closed, unless all of it came."""
        self._timer.cancel()
        self._response.close()


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole answer with status 200. Names of `headers` are found in whatever case."""

    body: bytes
    headers: Mapping[str, str]


class Vendors:
    """The connections to vendors, kept open between calls. Redirects are not followed and no proxy is used."""

    def __init__(self, connector: aiohttp.BaseConnector | None = None) -> None:
        self._session = aiohttp.ClientSession(
            connector=connector or aiohttp.TCPConnector(limit=0, keepalive_timeout=45, ttl_dns_cache=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_connect=CONNECT_S),
            trust_env=False,
            skip_auto_headers={"User-Agent"},
            read_bufsize=2**18,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def whole(self, outgoing: Outgoing, dialect: Dialect, within_s: float) -> Whole:
        """The whole answer. Raises VendorError for anything but status 200."""
        try:
            async with asyncio.timeout(within_s):
                response = await self._post(outgoing)
                async with response:
                    await _raise_failure(response, dialect)
                    return Whole(await _body(response, MOST_ANSWER_BYTES), response.headers)
        except TimeoutError:
            raise _too_slow(within_s) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreachable(error) from None

    async def stream(
        self, outgoing: Outgoing, dialect: Dialect, within_s: float, idle_s: float
    ) -> VendorStream:
        """A stream whose first event is there. Raises VendorError, also where it does not come within `within_s`."""
        response: aiohttp.ClientResponse | VendorStream | None = None
        begun = False
        try:
            async with asyncio.timeout(within_s):
                response = await self._post(outgoing)
                await _raise_failure(response, dialect)
                response = stream = VendorStream(response, dialect, idle_s)
                await stream.begin()
            begun = True
            return stream
        except TimeoutError:
            raise _too_slow(within_s) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreachable(error) from None
        finally:
            if response is not None and not begun:
                response.close()

    async def _post(self, outgoing: Outgoing) -> aiohttp.ClientResponse:
        return await self._session.post(
            _url(outgoing.url), data=outgoing.body, headers=outgoing.headers, allow_redirects=False
        )


@lru_cache(1024)
def _url(text: str) -> URL:
    """As it is: `%3A` in the name of a model would become a colon, and AWS's signature would not hold."""
    return URL(text, encoded=True)


async def _raise_failure(response: aiohttp.ClientResponse, dialect: Dialect) -> None:
    if response.status == 200:
        return
    body = await response.content.read(MOST_ERROR_BYTES)
    raise VendorError(dialect.failure(response.status, _headers(response), body))


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    pieces, size = [], 0
    while piece := await response.content.readany():
        size += len(piece)
        if size > most:
            raise malformed(f"it is longer than {most:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _too_slow(seconds: float) -> VendorError:
    return VendorError(
        VendorFailure(
            504, f"The model did not answer within {seconds:.0f} seconds.", "timeout", is_timeout=True
        )
    )


def _unreachable(error: Exception) -> VendorError:
    """Without the address, which the error's own text holds."""
    return VendorError(
        VendorFailure(0, f"The vendor cannot be reached ({type(error).__name__}).", "unreachable")
    )
