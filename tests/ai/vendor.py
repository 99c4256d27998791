"""A vendor of models under the control of a test: it answers what it is told to and remembers what it was asked.

It stands for somebody else's service, in raw HTTP, so that it can also do what no proper server does.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Asked:
    """One request that the vendor got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass
class Reply:
    """What the vendor answers: `pieces` are written one by one, each after `gap_s`. `cut` drops the line after them."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pieces: Sequence[bytes] = ()
    gap_s: float = 0.0
    cut: bool = False
    hold: threading.Event | None = None
    """Waited for before the first byte."""


def completion(text: str, *, usage: dict[str, Any] | None = None, **message: Any) -> Reply:
    """OpenAI's answer with a text."""
    counted = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15} if usage is None else usage
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "served-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": "stop",
            }
        ],
    }
    return Reply(pieces=[json.dumps({**body, **({"usage": counted} if counted else {})}).encode()])


def chunk(text: str | None, finish: str | None = None, **more: Any) -> bytes:
    """One event of OpenAI's stream."""
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "served-model"}
    return (
        b"data: " + json.dumps({**body, "choices": choices, **more}, separators=(",", ":")).encode() + b"\n\n"
    )


def usage_chunk(prompt: int = 10, output: int = 5) -> bytes:
    """OpenAI's last chunk but one."""
    usage = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "served-model"}
    return b"data: " + json.dumps({**body, "choices": [], "usage": usage}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def stream(*texts: str, end: Sequence[bytes] | None = None, **more: Any) -> Reply:
    """OpenAI's stream of texts."""
    last = [chunk(None, "stop"), usage_chunk(), DONE] if end is None else list(end)
    pieces = [*(chunk(text) for text in texts), *last]
    return Reply(headers={"content-type": "text/event-stream"}, pieces=pieces, **more)


def error(status: int, body: Any, **headers: str) -> Reply:
    """An answer that is no success."""
    return Reply(status, {"content-type": "application/json", **headers}, [json.dumps(body).encode()])


class Vendor:
    """Listens on loopback. `replies` are given in turn, the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.replies: list[Reply | Callable[[Asked], Reply]] = [completion("Hello")]
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._stopped = threading.Event()
        self.left = threading.Event()
        """Set when a client dropped the line while an answer was being written."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self, *replies: Reply | Callable[[Asked], Reply]) -> None:
        """What it answers from now on."""
        self.replies = list(replies)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line, suppress(OSError, ValueError):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for asked in _requests(line):
                self.asked.append(asked)
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if not self._write(line, reply(asked) if callable(reply) else reply):
                    return

    def _write(self, line: socket.socket, reply: Reply) -> bool:
        if reply.hold is not None:
            reply.hold.wait(30)
        head = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in reply.headers.items())]
        is_stream = reply.headers.get("content-type") == "text/event-stream" or reply.gap_s or reply.cut
        if is_stream:
            head.append("transfer-encoding: chunked")
        else:
            head.append(f"content-length: {sum(map(len, reply.pieces))}")
        try:
            line.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
            for piece in reply.pieces:
                line.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if is_stream else piece)
                time.sleep(reply.gap_s)
            if reply.cut:
                return False
            if is_stream:
                line.sendall(b"0\r\n\r\n")
        except OSError:
            self.left.set()
            return False
        return True


def _requests(line: socket.socket) -> Iterator[Asked]:
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            piece = line.recv(65_536)
            if not piece:
                return
            buffer += piece
        head, _, buffer = buffer.partition(b"\r\n\r\n")
        first, *rows = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        length = int(headers.get("content-length", 0))
        while len(buffer) < length:
            buffer += line.recv(65_536)
        body, buffer = buffer[:length], buffer[length:]
        method, path, _ = first.split(" ")
        yield Asked(method, path, headers, body)
