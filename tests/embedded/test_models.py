"""The demo's models answer as OpenAI's clients expect: the echo the same each time, the toy what it was trained for."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from embedded import echo_model, echo_server, toy_server
from embedded.installation import make_installation
from embedded.layout import ROOT, Layout, make_directories
from embedded.parts import Parts
from embedded.samples import Server

TRIAGE = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "delivery", "technical", "account", "other"]},
        "priority": {"enum": ["low", "normal", "high"]},
    },
    "required": ["category", "priority"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def echo() -> Iterator[httpx.Client]:
    server = Server(("127.0.0.1", 0), echo_server.service, echo_server.Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.server_address[1]}", trust_env=False) as client:
        yield client
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def toy() -> Iterator[httpx.Client]:
    """A process of its own, as `make run` has it."""
    if not toy_server.is_there():
        pytest.skip("xllamacpp has no wheel for this platform")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "embedded.toy_server", "--port", str(port)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        # A connection for each call: it closes some after a stream without having said so.
        alone = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, limits=alone) as client:
            _wait(client, process)
            yield client
    finally:
        process.terminate()
        assert process.wait(10) == 0


def _wait(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the toy's server does not answer")


def ask(client: httpx.Client, model: str, text: str, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0, **more}
    return client.post("/v1/chat/completions", json=body)


def by(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}}


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_the_echo_repeats_the_last_message_of_the_user(echo: httpx.Client) -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": "Second"},
        {"role": "user", "content": [{"type": "text", "text": "Hello,\n Zürich!"}]},
    ]
    answer = echo.post("/v1/chat/completions", json={"model": "echo", "messages": messages}).json()
    assert answer["choices"][0]["message"]["content"] == "Hello,\n Zürich!"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    assert echo.get("/v1/models").json()["data"][0]["id"] == "echo"
    assert echo.get("/healthz").json() == {"status": "ok"}


def test_the_echo_streams_with_usage_where_it_is_asked_for(echo: httpx.Client) -> None:
    found = events(ask(echo, "echo", "One two three", stream=True, stream_options={"include_usage": True}))
    deltas = [one["choices"][0]["delta"].get("content", "") for one in found[:-1]]
    assert deltas == ["", "One", " two", " three", ""]
    assert found[-1]["usage"]["total_tokens"] == 6
    assert "usage" not in events(ask(echo, "echo", "One", stream=True))[-1]
    cut = ask(echo, "echo", "One two three", max_tokens=2).json()["choices"][0]
    assert (cut["message"]["content"], cut["finish_reason"]) == ("One two", "length")


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        (TRIAGE, "High priority: the delivery", {"category": "delivery", "priority": "high"}),
        ({"type": "string", "maxLength": 3}, "abcdef", "abc"),
        ({"type": "integer", "minimum": 3, "maximum": 9}, "2 of 7", 7),
        ({"type": "integer", "minimum": 3}, "none", 3),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, "a", ["a", "a"]),
        ({"type": ["null", "string"]}, "a", "a"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"const": 5}}}, "a", 5),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, "a", None),
        ({"$ref": "#/$defs/gone"}, "a", None),
    ],
)
def test_the_echo_fills_a_schema_from_the_text(schema: dict[str, Any], text: str, expected: Any) -> None:
    assert echo_model.filled(schema, text) == expected


def test_the_echo_decides_by_the_text_where_it_names_no_option(echo: httpx.Client) -> None:
    said = {
        ask(echo, "echo", "Grüezi", **by(TRIAGE)).json()["choices"][0]["message"]["content"] for _ in range(3)
    }
    assert len(said) == 1
    jsonschema.validate(json.loads(said.pop()), TRIAGE)
    assert json.loads(
        ask(echo, "echo", "a", response_format={"type": "json_object"}).json()["choices"][0]["message"][
            "content"
        ]
    ) == {"echo": "a"}
    endless: dict[str, Any] = {"type": "object", "properties": {"a": {"$ref": "#"}}}
    assert json.dumps(echo_model.filled(endless, "x")).count("a") < 30


def test_texts_with_words_in_common_are_near_each_other(echo: httpx.Client) -> None:
    texts = ["the parcel is late", "the parcel is lost", "quite something else"]
    found = echo.post("/v1/embeddings", json={"model": "echo", "input": texts}).json()
    one, near, far = (entry["embedding"] for entry in found["data"])
    assert len(one) == echo_model.SIZE
    assert math.isclose(math.hypot(*one), 1)
    assert math.sumprod(one, near) > math.sumprod(one, far)
    assert found["usage"] == {"prompt_tokens": 11, "total_tokens": 11}
    packed = {"model": "echo", "input": texts[0], "dimensions": 8, "encoding_format": "base64"}
    text = echo.post("/v1/embeddings", json=packed).json()["data"][0]["embedding"]
    assert struct.unpack("<8f", base64.b64decode(text)) == pytest.approx(echo_model.embedding(texts[0], 8))


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/chat/completions", {"model": "other", "messages": [{}]}, 404, "model_not_found"),
        ("/v1/chat/completions", {"model": "echo", "messages": []}, 400, "invalid_messages"),
        ("/v1/chat/completions", {"model": "echo", "messages": [{}], "n": 2}, 400, "invalid_n"),
        (
            "/v1/chat/completions",
            {"model": "echo", "messages": [{}], "max_tokens": 0},
            400,
            "invalid_max_tokens",
        ),
        ("/v1/chat/completions", [], 400, "invalid_body"),
        ("/v1/embeddings", {"model": "echo", "input": [1]}, 400, "invalid_input"),
        ("/v1/embeddings", {"model": "echo", "input": "a", "dimensions": 0}, 400, "invalid_input"),
        ("/v1/nothing", {}, 404, "not_found"),
    ],
)
def test_the_echo_refuses_in_openais_words(
    echo: httpx.Client, path: str, body: Any, status: int, code: str
) -> None:
    answer = echo.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("ticket", "category", "priority"),
    [
        ("My parcel has not arrived. This is urgent!", "delivery", "high"),
        ("I was charged twice for my order.", "billing", "normal"),
        ("I forgot my password. No hurry.", "account", "low"),
        ("The app crashes when I start it", "technical", "normal"),
    ],
)
def test_the_toy_sorts_tickets(toy: httpx.Client, ticket: str, category: str, priority: str) -> None:
    answer = ask(toy, "toy", f"Sort the ticket. {ticket}", **by(TRIAGE)).json()
    assert json.loads(answer["choices"][0]["message"]["content"]) == {
        "category": category,
        "priority": priority,
    }
    assert answer["usage"]["completion_tokens"] > 0


def test_the_toy_streams_with_usage_and_says_when_a_text_is_too_long(toy: httpx.Client) -> None:
    found = events(
        ask(
            toy,
            "toy",
            "Translate to French. Good morning",
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    said = "".join(one["choices"][0]["delta"].get("content") or "" for one in found if one["choices"])
    assert said == "Bonjour"
    assert found[-1]["usage"]["completion_tokens"] > 0
    assert ask(toy, "toy", "word " * 2_000).status_code == 400


def test_no_web_site_may_call_the_toy(toy: httpx.Client) -> None:
    answer = toy.get("/v1/models", headers={"origin": "https://elsewhere.example"})
    assert answer.headers.get("access-control-allow-origin") not in {"*", "https://elsewhere.example"}
    assert toy.get("/slots").status_code >= 400


def test_the_file_is_the_one_that_its_page_describes() -> None:
    page = (toy_server.FILE.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(toy_server.FILE.read_bytes()).hexdigest() in page


@pytest.mark.parametrize(
    ("is_there", "names"), [(True, ["toy model", "echo model"]), (False, ["echo model"])]
)
def test_without_the_toys_wheel_the_echo_is_started_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool, names: list[str]
) -> None:
    monkeypatch.setattr(toy_server, "is_there", lambda: is_there)
    layout = Layout(tmp_path)
    make_directories(layout)
    parts = Parts(make_installation(layout, {}), lock=0)
    assert [part.name for part in parts.models()] == names
