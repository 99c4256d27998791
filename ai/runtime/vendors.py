"""One HTTP attempt at a vendor: whole answers and streams, with bounds on time and size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

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
        self.reader: StreamReader = dialect.reader()
        self.passes_chat = dialect.passes_chat

    async def begin(self) -> None:
        """Wait for the first events: until then another model can still answer. Raises VendorError.

        Also where they are an error: vendors that are overloaded say so with status 200 in a stream.
        """
        async for events in self._read():
            self._first = events
            reader = self._dialect.reader()
            for event in events:
                for _ in reader.read(event):
                    pass
            return
        raise malformed("it ended before it began")

    async def batches(self) -> AsyncIterator[list[Event]]:
        """The events, as many at a time as came together. Raises VendorError when the stream breaks off or stalls."""
        if self._first:
            yield self._first
        async for events in self._read():
            yield events
        rest = self._framing.rest()
        if rest is not None:
            yield [rest]

    async def _read(self) -> AsyncIterator[list[Event]]:
        content = self._response.content
        try:
            while True:
                async with asyncio.timeout(self._idle_s):
                    piece = await content.readany()
                if not piece:
                    return
                events = list(self._framing.feed(piece))
                if events:
                    yield events
        except TimeoutError:
            text = f"The model sent nothing for {self._idle_s:.0f} seconds."
            raise VendorError(VendorFailure(504, text, "stalled", is_timeout=True)) from None
        except (aiohttp.ClientError, OSError, EventTooLong) as error:
            raise VendorError(
                VendorFailure(502, f"The model's answer broke off ({type(error).__name__}).", "cut")
            ) from None

    def close(self) -> None:
        """Leave the rest unread and the connection closed."""
        self._response.close()


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole answer with status 200."""

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
                    return Whole(await _body(response, MOST_ANSWER_BYTES), _headers(response))
        except TimeoutError:
            raise _too_slow(within_s) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreachable(error) from None

    async def stream(
        self, outgoing: Outgoing, dialect: Dialect, within_s: float, idle_s: float
    ) -> VendorStream:
        """A stream whose first event is there. Raises VendorError, also where it does not come within `within_s`."""
        response: aiohttp.ClientResponse | None = None
        begun = False
        try:
            async with asyncio.timeout(within_s):
                response = await self._post(outgoing)
                await _raise_failure(response, dialect)
                stream = VendorStream(response, dialect, idle_s)
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
        # As it is: `%3A` in the name of a model would become a colon, and AWS's signature would not hold.
        url = URL(outgoing.url, encoded=True)
        return await self._session.post(
            url, data=outgoing.body, headers=outgoing.headers, allow_redirects=False
        )


async def _raise_failure(response: aiohttp.ClientResponse, dialect: Dialect) -> None:
    if response.status == 200:
        return
    body = await response.content.read(MOST_ERROR_BYTES)
    raise VendorError(dialect.failure(response.status, _headers(response), body))


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_any():
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
