"""Examples of calls, and code that runs as it is shown, whatever a document says."""

from __future__ import annotations

import ast
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.spec.examples import MAX_VALUES, ExampleBody, ExampleCall, Sampler
from apis.spec.samples import code_samples, example_call
from apis.spec.worker import read_document

BASE = "https://gateway.example.com:8080/shop/orders/v2"


@pytest.fixture
def orders(spec_bytes: Callable[[str], bytes]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(read_document(spec_bytes("orders-3.1.yaml"))["text"])
    return document


@pytest.fixture
def weather(spec_bytes: Callable[[str], bytes]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(read_document(spec_bytes("weather-3.0.json"))["text"])
    return document


def test_required_parameters_are_filled_in(orders: dict[str, Any]) -> None:
    assert example_call(orders, "GET", "/orders").query == (("state", "open"),)
    assert example_call(orders, "GET", "/orders/{order_id}").path == "/orders/o_17"


def test_a_body_comes_from_examples_defaults_and_types(orders: dict[str, Any]) -> None:
    body = example_call(orders, "POST", "/orders").body
    assert body is not None
    assert (body.kind, body.content_type) == ("json", "application/json")
    assert body.value["customer"] == "Dana"
    assert "id" not in body.value  # read only
    assert body.value["lines"] == [{"article": "123e4567-e89b-12d3-a456-426614174000", "amount": 3}]


def test_parameters_within_a_segment_are_filled_in(weather: dict[str, Any]) -> None:
    call = example_call(weather, "GET", "/cities/{city}/forecast.{format}")
    assert (call.path, call.query) == ("/cities/text/forecast.json", (("days", "1"),))


def test_schemas_that_contain_themselves_end() -> None:
    root: dict[str, Any] = {"s": {"type": "object", "properties": {}}}
    for name in "abcdefgh":
        root["s"]["properties"][name] = {"type": "array", "items": {"$ref": "#/s"}}
    sampler = Sampler(root)
    value = sampler.of_schema(root["s"], 0)
    assert len(json.dumps(value)) < 20 * MAX_VALUES


def test_the_operation_s_parameters_replace_those_of_its_path() -> None:
    root = {
        "paths": {
            "/a/{x}": {
                "parameters": [{"name": "x", "in": "path", "example": "outer"}],
                "get": {"parameters": [{"name": "x", "in": "path", "example": "inner"}]},
            }
        }
    }
    assert example_call(root, "GET", "/a/{x}").path == "/a/inner"


@pytest.mark.parametrize("value", [".", "..", "", "../../admin", "a/b", "a?b#c", "ü %"])
def test_an_example_stays_one_segment(value: str) -> None:
    root = {"paths": {"/a/{x}": {"get": {"parameters": [{"name": "x", "in": "path", "example": value}]}}}}
    segments = example_call(root, "GET", "/a/{x}").path.split("/")
    assert len(segments) == 3
    assert segments[2] not in ("", ".", "..")
    assert not set(segments[2]) & set("?# /")


def test_headers_of_the_caller_are_not_set_by_a_document() -> None:
    names = ["X-API-Key", "Authorization", "Host", "Bad\r\nName", "X-Trace", "Cookie"]
    parameters = [{"name": n, "in": "header", "required": True, "example": "a\r\nEvil: 1"} for n in names]
    call = example_call({"paths": {"/a": {"get": {"parameters": parameters}}}}, "GET", "/a")
    assert call.headers == (("X-Trace", "a  Evil: 1"),)


def test_samples_carry_the_address_and_the_key_variable(orders: dict[str, Any]) -> None:
    samples = code_samples(BASE, example_call(orders, "GET", "/orders"))
    assert samples["curl"] == f"curl '{BASE}/orders?state=open' \\\n  -H \"X-API-Key: $KEY\""
    assert f'"{BASE}/orders?state=open"' in samples["python"]
    assert 'os.environ["KEY"]' in samples["python"]
    assert "process.env.KEY" in samples["javascript"]


def test_samples_carry_the_key_when_it_is_given(orders: dict[str, Any]) -> None:
    for text in code_samples(BASE, example_call(orders, "POST", "/orders"), "ghp_key").values():
        assert "ghp_key" in text
        assert "KEY" not in text


def test_files_are_sent_as_files(weather: dict[str, Any]) -> None:
    samples = code_samples(BASE, example_call(weather, "POST", "/observations"))
    assert "-F photo=@file.bin" in samples["curl"]
    assert "--form-string place=text" in samples["curl"]
    assert 'files={"photo": open("file.bin", "rb")}' in samples["python"]
    assert 'form.append("photo", new Blob(' in samples["javascript"]


@pytest.mark.parametrize(
    ("method", "start"), [("GET", "curl h"), ("HEAD", "curl --head"), ("PUT", "curl -X PUT")]
)
def test_curl_uses_the_method(method: str, start: str) -> None:
    assert code_samples("http://a", ExampleCall(method, "/x", (), (), None))["curl"].startswith(start)


def test_an_ipv6_address_is_no_pattern_to_curl() -> None:
    call = ExampleCall("GET", "/x", (), (), None)
    assert "--globoff 'http://[::1]/x'" in code_samples("http://[::1]", call)["curl"]


HOSTILE = st.text(
    st.sampled_from([*"'\"`$\\!;|&<>(){}[]@#%*?~ \n\r\t=ab", "\u2028", "\x7f", "😀", "é"]), max_size=20
)
json_hostile = st.recursive(
    HOSTILE | st.none() | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=6,
)


def keyword(code: str, name: str) -> Any:
    """The value of one argument of the httpx.request call in a Python sample."""
    call = next(n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Call) and n.keywords)
    return ast.literal_eval(next(k.value for k in call.keywords if k.arg == name))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(json_hostile, HOSTILE)
def test_hostile_values_stay_values_in_every_language(value: Any, key: str) -> None:
    call = ExampleCall("POST", "/x", (("q", key),), (), ExampleBody("json", "application/json", value))
    samples = code_samples("http://a", call, key)
    words = [word for word in shlex.split(samples["curl"]) if word != "\n"]  # shlex keeps joined lines apart
    assert words[words.index("-H") + 1] == f"X-API-Key: {key}"
    assert json.loads(words[words.index("--data-raw") + 1]) == value
    assert len(words) == 10
    assert keyword(samples["python"], "json") == value
    assert keyword(samples["python"], "headers") == {"X-API-Key": key}
    script = samples["javascript"]
    assert script.isascii()
    assert "<" not in script
    sent = script.partition("body: ")[2].partition(",\n}")[0]
    if sent.startswith("JSON.stringify("):
        assert json.loads(sent.removeprefix("JSON.stringify(").removesuffix(")")) == value


def test_a_body_named_like_the_prototype_is_kept() -> None:
    body = ExampleBody("json", "application/json", {"__proto__": {"a": 1}})
    script = code_samples("http://a", ExampleCall("POST", "/x", (), (), body))["javascript"]
    assert r'body: "{\"__proto__\": {\"a\": 1}}"' in script


NASTY = "'; touch pwned; $(touch pwned) `touch pwned` \"\\ </script> {x} @/etc/passwd \u2028 😀"


class Recorder(BaseHTTPRequestHandler):
    """Keeps what was sent to it."""

    sent: ClassVar[list[tuple[str, str, str | None, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.sent.append((self.command, self.path, self.headers["X-API-Key"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Quiet."""


@pytest.fixture
def recorder() -> Iterator[str]:
    Recorder.sent.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("language", "command"),
    [
        ("curl", ["sh", "-c"]),
        ("python", [sys.executable, "-c"]),
        ("javascript", ["node", "--input-type=module", "-e"]),
    ],
)
def test_each_sample_really_sends_the_call(
    language: str, command: list[str], recorder: str, tmp_path: Path
) -> None:
    program = "curl" if language == "curl" else command[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    value = {"text": NASTY, NASTY: [None, True, 1.5, {"__proto__": 1}]}
    call = ExampleCall("POST", "/x", (("q", NASTY),), (), ExampleBody("json", "application/json", value))
    sample = code_samples(recorder, call)[language]
    environment = {**os.environ, "KEY": "ghp_secret", "NO_PROXY": "*"}
    subprocess.run(
        [*command, sample], check=True, env=environment, cwd=tmp_path, timeout=60, capture_output=True
    )
    ((method, path, key, body),) = Recorder.sent
    assert (method, key, body) == ("POST", "ghp_secret", value)
    assert parse_qs(urlsplit(path).query) == {"q": [NASTY]}
    assert list(tmp_path.iterdir()) == []
