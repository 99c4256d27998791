"""The echo model behind the HTTP interface that OpenAI's clients speak: chat completions, embeddings, models.

`python -m embedded.echo_server --port 9204`, on loopback alone.
"""

from __future__ import annotations

import argparse
import base64
import json
import struct
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from embedded import echo_model, samples
from embedded.echo_model import Echo
from embedded.sample_answers import Answer, Asked, Refused

MODEL = "echo"
MOST_INPUTS, MOST_SIZE = 256, 2048


@dataclass(frozen=True, slots=True)
class Events:
    """A body that goes out piece by piece, as server-sent events."""

    data: Iterator[str]


class Handler(samples.Handler):
    """As the other samples, and with bodies that stream."""

    def _send(self, answer: Answer) -> None:
        if not isinstance(answer.body, Events):
            super()._send(answer)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for data in answer.body.data:
            event = f"data: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")


def service(asked: Asked) -> Answer:
    """Answers one call. Raises Refused."""
    if asked.path == "/v1/models" and asked.method == "GET":
        return Answer(
            200, {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "gatehouse"}]}
        )
    operation = OPERATIONS.get(asked.path)
    if operation is None or asked.method != "POST":
        raise refused(404, "There is nothing at this path.", "not_found")
    if not isinstance(asked.body, dict):
        raise refused(400, "Send a JSON object.", "invalid_body")
    if asked.body.get("model") != MODEL:
        raise refused(404, f"There is one model here: {MODEL}.", "model_not_found")
    return operation(asked.body)


def chat(body: dict[str, Any]) -> Answer:
    """A chat completion, whole or streamed."""
    messages, most = body.get("messages"), body.get("max_completion_tokens", body.get("max_tokens"))
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise refused(400, "messages must be a list of messages.", "invalid_messages")
    if body.get("n") not in (None, 1):
        raise refused(400, "One answer at a time: leave n out.", "invalid_n")
    if most is not None and (not isinstance(most, int) or most < 1):
        raise refused(400, "max_tokens must be a whole number from 1.", "invalid_max_tokens")
    echo = echo_model.answer(messages, schema=_schema(body), most=most)
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}
    if body.get("stream"):
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return Answer(200, Events(_chunks(head, echo, wants_usage=wants_usage)))
    message = {"role": "assistant", "content": echo.text}
    choice = {"index": 0, "message": message, "finish_reason": _reason(echo)}
    return Answer(200, {**head, "object": "chat.completion", "choices": [choice], "usage": echo.usage})


def embeddings(body: dict[str, Any]) -> Answer:
    """A vector for each text."""
    inputs = [body["input"]] if isinstance(body.get("input"), str) else body.get("input")
    if not isinstance(inputs, list) or not all(isinstance(one, str) for one in inputs):
        raise refused(400, "input must be a text, or a list of texts.", "invalid_input")
    size = body.get("dimensions", echo_model.SIZE)
    if not 1 <= len(inputs) <= MOST_INPUTS or not isinstance(size, int) or not 1 <= size <= MOST_SIZE:
        raise refused(
            400, f"From 1 to {MOST_INPUTS} texts, with up to {MOST_SIZE} dimensions.", "invalid_input"
        )
    packed = body.get("encoding_format") == "base64"
    vectors = [echo_model.embedding(text, size) for text in inputs]
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
        for index, vector in enumerate(vectors)
    ]
    tokens = sum(len(echo_model.PIECES.findall(text)) for text in inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Answer(200, {"object": "list", "model": MODEL, "data": data, "usage": usage})


OPERATIONS: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "/v1/chat/completions": chat,
    "/v1/embeddings": embeddings,
}


def refused(status: int, message: str, code: str) -> Refused:
    """An error as OpenAI's clients read it."""
    error = {"message": message, "type": "invalid_request_error", "code": code, "param": None}
    return Refused(Answer(status, {"error": error}, {"Content-Type": "application/json"}))


def main(arguments: list[str] | None = None) -> int:
    """Serve on loopback until told to stop."""
    parser = argparse.ArgumentParser(description="The demo's model that repeats what it is told.")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    samples.serve(samples.Server(("127.0.0.1", options.port), service, Handler))
    return 0


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    form = body.get("response_format") or {}
    if form.get("type") == "json_object":
        return {"type": "object", "properties": {"echo": {"type": "string"}}}
    found = (form.get("json_schema") or {}).get("schema") if form.get("type") == "json_schema" else None
    return found if isinstance(found, dict) else None


def _chunks(head: dict[str, Any], echo: Echo, *, wants_usage: bool) -> Iterator[str]:
    plain = {**head, "object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
        return json.dumps({**plain, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in echo.pieces:
        yield chunk({"content": piece})
    yield chunk({}, _reason(echo))
    if wants_usage:
        yield json.dumps({**plain, "choices": [], "usage": echo.usage})
    yield "[DONE]"


def _reason(echo: Echo) -> str:
    return "length" if echo.is_cut else "stop"


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


if __name__ == "__main__":
    sys.exit(main())
