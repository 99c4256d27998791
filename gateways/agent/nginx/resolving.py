"""A name server for the nginx beside this agent, on loopback: it answers what this machine itself would.

nginx asks a name server while it runs, and neither looks into /etc/hosts then nor into the search list of
/etc/resolv.conf; a name that cannot be resolved at its start would even keep it from starting. So its `resolver` is
the agent, which asks the system (RFC 1035, queries for A and AAAA only; IPv4 is preferred, as with Envoy).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from ipaddress import ip_address

_HEADER = struct.Struct("!6H")
_ANSWER = struct.Struct("!HHHIH")
_A, _AAAA, _IN = 1, 28, 1
_RESPONSE = 0x8180
_NAME_ERROR, _SERVER_FAILURE = 3, 2
_POINTER_TO_QUESTION = 0xC00C
_TTL_S = 5
_MOST = 16


class NameServer(asyncio.DatagramProtocol):
    """Answers on `port` of 127.0.0.1 once it is open. `answered` are the names that were resolved so far."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self.answered: set[str] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to answer; again without effect."""
        if self._transport is None:
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=self._socket)

    def close(self) -> None:
        """Answer no more."""
        (self._transport or self._socket).close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query."""
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, query: bytes, address: tuple[str, int]) -> None:
        question = read_question(query)
        if question is None or self._transport is None:
            return
        name, sort, end = question
        code, found = await _looked_up(name)
        self._transport.sendto(response(query, end, code, _of_sort(found, sort)), address)
        self.answered.add(name)


def read_question(query: bytes) -> tuple[str, int, int] | None:
    """The name and the type that are asked for, and where the question ends; None for anything but one question."""
    try:
        _, flags, count, *_ = _HEADER.unpack_from(query)
        labels, at = [], _HEADER.size
        while size := query[at]:
            if size > 63:
                return None
            labels.append(query[at + 1 : at + 1 + size].decode("ascii").lower())
            at += 1 + size
        sort, of_class = struct.unpack_from("!2H", query, at + 1)
    except (struct.error, IndexError, UnicodeDecodeError):
        return None
    if flags & 0x8000 or count != 1 or of_class != _IN:
        return None
    return ".".join(labels), sort, at + 5


def response(query: bytes, end: int, code: int, addresses: list[bytes]) -> bytes:
    """The answer to `query`, whose question ends at `end`."""
    number = _HEADER.unpack_from(query)[0]
    head = _HEADER.pack(number, _RESPONSE | code, 1, len(addresses), 0, 0)
    records = [
        _ANSWER.pack(_POINTER_TO_QUESTION, _A if len(packed) == 4 else _AAAA, _IN, _TTL_S, len(packed))
        + packed
        for packed in addresses
    ]
    return head + query[_HEADER.size : end] + b"".join(records)


async def _looked_up(name: str) -> tuple[int, list[bytes]]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        gone = error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        return (_NAME_ERROR if gone else _SERVER_FAILURE), []
    except (OSError, UnicodeError):
        return _SERVER_FAILURE, []
    texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    return 0, [ip_address(text).packed for text in texts]


def _of_sort(addresses: list[bytes], sort: int) -> list[bytes]:
    """IPv4 addresses for A; for AAAA those of IPv6, where there are no others."""
    fourth = [packed for packed in addresses if len(packed) == 4]
    if sort == _A:
        return fourth[:_MOST]
    return [] if fourth or sort != _AAAA else addresses[:_MOST]
