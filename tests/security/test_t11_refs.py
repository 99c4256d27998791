"""T11: reading a document opens no file and no socket, whatever it refers to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apis.spec.document import SpecRefused, read_spec

ROOT = Path(__file__).parents[2]

REFERENCES = [
    "http://127.0.0.1:{port}/x.json",
    "HTTP://127.0.0.1:{port}/x.json",
    "https://127.0.0.1:{port}/x.json",
    "ftp://127.0.0.1:{port}/x",
    "//127.0.0.1:{port}/x",
    "file:///etc/passwd",
    "/etc/passwd",
    "../../../etc/passwd",
    "other.yaml#/a",
    "urn:example:x",
    "data:application/json,{{}}",
    "?x",
    "",
    " #/components",
    "#",
    "#anchor",
]
PLACES = {
    "parameter": {"paths": {"/a": {"get": {"parameters": [{"$ref": "REF"}]}}}},
    "path item": {"paths": {"/a": {"$ref": "REF"}}},
    "schema": {"paths": {}, "components": {"schemas": {"A": {"properties": {"b": {"$ref": "REF"}}}}}},
    "example": {"paths": {}, "components": {"schemas": {"A": {"example": {"$ref": "REF"}}}}},
    "extension": {"paths": {}, "x-anything": [{"$ref": "REF"}]},
}


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Reading uses no cache."""


def document(place: object, reference: str) -> bytes:
    head = {"openapi": "3.1.0", "info": {"title": "a", "version": "1"}}
    return json.dumps(
        {**head, **json.loads(json.dumps(place).replace('"REF"', json.dumps(reference)))}
    ).encode()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket on loopback that would notice a call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize("reference", REFERENCES)
def test_every_reference_out_of_the_document_is_refused_and_nothing_is_called(
    reference: str, listener: socket.socket
) -> None:
    target = reference.format(port=listener.getsockname()[1])
    with pytest.raises(SpecRefused) as caught:
        read_spec(document(PLACES["schema"], target))
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == ("external-ref", 1)
    assert problem.pointer == "/components/schemas/A/properties/b/$ref"
    with pytest.raises(BlockingIOError):
        listener.accept()


# What the worker does with stdin, under a hook that writes down what is opened. Runs in a process of its own because
# an audit hook stays for good.
_HOOKED = """
import json, sys
from apis.spec import worker
worker.warm_up()
documents = json.load(sys.stdin)
opened = []
watching = True
def hook(event, arguments):
    if watching and (event in ("open", "import") or event.startswith(("socket.", "subprocess.", "os.", "urllib."))):
        opened.append([event, str(arguments)[:100]])
sys.addaudithook(hook)
codes = []
for text in documents:
    answer = worker.answer(text.encode())
    codes.append(answer["problems"][0]["code"] if "problems" in answer else "read")
watching = False
print(json.dumps({"opened": opened, "codes": codes}))
"""


def test_an_audit_hook_sees_no_socket_and_no_file() -> None:
    documents = [document(place, ref.format(port=9)) for place in PLACES.values() for ref in REFERENCES]
    documents += [path.read_bytes() for path in sorted((ROOT / "tests" / "specs").iterdir())]
    dialects = {"$schema": "http://127.0.0.1:9/s", "$id": "http://127.0.0.1:9/i"}
    place = {"jsonSchemaDialect": "http://127.0.0.1:9/d", "components": {"schemas": {"A": dialects}}}
    documents += [
        document(place, ""),
        b"a: !!python/object/apply:os.system [id]\n",
        b"a: !include /etc/passwd\n",
    ]
    done = subprocess.run(
        [sys.executable, "-c", _HOOKED],
        input=json.dumps([data.decode() for data in documents]).encode(),
        capture_output=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["opened"] == []
    assert told["codes"][: len(PLACES) * len(REFERENCES)] == ["external-ref"] * (
        len(PLACES) * len(REFERENCES)
    )
    assert "read" in told["codes"]


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')",
        "socket.socket()",
        "socket.getaddrinfo('localhost', 80)",
        "subprocess.run(['id'])",
        "os.open('/etc/passwd', os.O_RDONLY)",
        "os.listdir('/')",
        "import ctypes",
    ],
)
def test_the_sealed_process_can_open_nothing(attempt: str) -> None:
    script = f"""
import os, socket, subprocess
from apis.spec.worker import Sealed, seal
seal()
try:
    {attempt}
except Sealed:
    print("sealed")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    assert done.stdout.strip() == b"sealed", done.stderr.decode()


def test_native_code_finds_no_free_file_descriptor() -> None:
    script = (
        "import ctypes\nfrom apis.spec.worker import seal\nlibc = ctypes.CDLL(None)\n"
        "connect, read = libc.socket, libc.open\nseal()\nprint(connect(2, 1, 0), read(b'/etc/passwd', 0))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, env={}, check=True)
    assert done.stdout.split() == [b"-1", b"-1"]


def test_the_worker_gets_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONPATH and the like would let the environment decide what runs; secrets have no business in there."""
    monkeypatch.setenv("PYTHONSTARTUP", "/nonexistent")
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    assert read_spec(b"openapi: 3.1.0\ninfo: {title: a, version: b}\npaths: {}\n").title == "a"
