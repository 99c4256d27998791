"""How often the toy model is right, asked through its own server: `python -m embedded.toy_model.accuracy`.

Two kinds of questions: made by the generator from a seed that training did not have, so some are the same; and written
by hand (held_out.json), by none of its patterns.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from embedded.toy_model.examples import Example, example

HELD_OUT = Path(__file__).with_name("held_out.json")
SEED = 7_001
GENERATED = 600
CHOICES = {
    "category": ["billing", "delivery", "technical", "account", "other"],
    "sentiment": ["positive", "neutral", "negative"],
    "priority": ["low", "normal", "high"],
}


def main() -> None:
    """Print right and asked by kind."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "embedded.toy_server", "--port", str(port)])
    try:
        _wait(port)
        right: Counter[str] = Counter()
        asked: Counter[str] = Counter()
        for kind, ok in (*_generated(port), *_by_hand(port)):
            asked[kind] += 1
            right[kind] += ok
    finally:
        server.terminate()
        server.wait()
    for kind in sorted(asked):
        print(f"{kind:<28} {right[kind]:>4} of {asked[kind]:<4} {right[kind] / asked[kind]:.0%}")


def _generated(port: int) -> Iterator[tuple[str, bool]]:
    dice = random.Random(SEED)  # noqa: S311  the same each time, on purpose
    for _ in range(GENERATED):
        one = example(dice)
        said = _said(port, one.messages, _schema_of(one))
        yield f"generated, {one.kind}", said == one.answer


def _schema_of(one: Example) -> dict[str, Any] | None:
    """As a prompt would ask for the answer."""
    if not one.kind.endswith("JSON"):
        return None
    kinds = {"billing": "category", "positive": "sentiment", "neutral": "sentiment", "high": "priority"}
    options = {value: CHOICES[name] for name in set(kinds.values()) for value in CHOICES[name]}
    members = json.loads(one.answer)
    return _object(
        {name: {"enum": options[v]} if v in options else {"type": "string"} for name, v in members.items()}
    )


def _by_hand(port: int) -> Iterator[tuple[str, bool]]:
    kept = json.loads(HELD_OUT.read_text(encoding="utf-8"))
    every = {name: {"enum": options} for name, options in CHOICES.items()}
    for text, known in kept["tickets"]:
        said = json.loads(_said(port, ("Sort the support ticket of a customer.", text), _object(every)))
        for name, value in known.items():
            yield f"by hand, {name}", said[name] == value
    for text, sentiment in kept["reviews"]:
        schema = _object({"sentiment": every["sentiment"]})
        said = json.loads(_said(port, ("What is the sentiment of the review?", text), schema))
        yield "by hand, review", said["sentiment"] == sentiment


def _object(members: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _said(port: int, messages: Sequence[str], schema: Mapping[str, Any] | None) -> str:
    body: dict[str, Any] = {"model": "toy", "temperature": 0, "max_tokens": 120}
    body["messages"] = [{"role": "user", "content": text} for text in messages]
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    return str(_post(port, body)["choices"][0]["message"]["content"])


def _post(port: int, body: Mapping[str, Any]) -> Any:
    return json.loads(_called(port, "POST", "/v1/chat/completions", json.dumps(body))[1])


def _called(port: int, method: str, path: str, body: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _wait(port: int) -> None:
    """Until the model is loaded."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            if _called(port, "GET", "/health")[0] == http.HTTPStatus.OK:
                return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
