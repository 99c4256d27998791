"""T20: the rules of an AI endpoint look at all of what is asked, whatever its size or coding, or it is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.ai.conftest import runtime, runtime_process, vendor
from tests.ai.runtime_process import HOP, RuntimeProcess, endpoint, snapshot
from tests.ai.vendor import Vendor

__all__ = ["runtime", "runtime_process", "vendor"]

LOOKED_AT = 2_000_000
"""Characters that a rule reads at most."""
MOST_BODY = 10_000_000
SIZES = [
    1_000,
    *(edge + step for edge in (8_192, 65_536, 1_048_576, LOOKED_AT) for step in (-100, 0, 100)),
    MOST_BODY - 1_000,
    MOST_BODY + 1,
]
REFUSED = {"content_blocked", "body_too_large", "body_invalid"}


def chat(size: int, word: str) -> bytes:
    """A chat with `word` behind `size` other characters."""
    return json.dumps(
        {"model": "fast", "messages": [{"role": "user", "content": f"{'x' * size} {word}"}]}
    ).encode()


def pieces(body: bytes) -> Iterator[bytes]:
    """In chunks whose edges fall into no word twice alike."""
    for start in range(0, len(body), 65_521):
        yield body[start : start + 65_521]


CODINGS: dict[str, tuple[Callable[[bytes], bytes | Iterator[bytes]], dict[str, str]]] = {
    "plain": (bytes, {}),
    "chunked": (pieces, {}),
    "gzip": (gzip.compress, {"content-encoding": "gzip"}),
    "gzip unsaid": (gzip.compress, {}),
    "utf-16": (
        lambda body: body.decode().encode("utf-16"),
        {"content-type": "application/json; charset=utf-16"},
    ),
}


def ask(process: RuntimeProcess, content: bytes | Iterator[bytes], headers: dict[str, str]) -> httpx.Response:
    told = {"x-gatehouse-hop": HOP, "x-gatehouse-subscription": process.id("sub_1")}
    return process.client.post(
        f"/-/{process.id('pub_1')}/chat/completions",
        content=content,
        headers={"content-type": "application/json", **told, **headers},
    )


@pytest.mark.parametrize("coding", CODINGS)
def test_no_rule_is_passed_by_size_or_coding(runtime: RuntimeProcess, vendor: Vendor, coding: str) -> None:
    guard = {"rules": [{"kind": "words", "words": ["bomb"]}]}
    runtime.load(snapshot(vendor.url, endpoints=[endpoint(guard=guard, max_body=MOST_BODY)]))
    encode, headers = CODINGS[coding]
    found = {size: ask(runtime, encode(chat(size, "bomb")), headers) for size in SIZES}
    assert {answer.json()["code"] for answer in found.values()} <= REFUSED
    assert {answer.status_code for answer in found.values()} <= {400, 413, 415}
    assert not vendor.asked
    if coding in {"plain", "chunked"}:
        assert ask(runtime, encode(chat(65_536, "balm")), headers).status_code == 200, (
            "the rule is what refused"
        )


def test_a_form_whose_parts_no_rule_reads_is_refused(runtime: RuntimeProcess, vendor: Vendor) -> None:
    guard = {"rules": [{"kind": "words", "words": ["bomb"]}]}
    runtime.load(snapshot(vendor.url, endpoints=[endpoint(guard=guard)]))
    told = {"x-gatehouse-hop": HOP, "x-gatehouse-subscription": runtime.id("sub_1")}
    answer = runtime.client.post(
        f"/-/{runtime.id('pub_1')}/v1/images/edits",
        data={"model": "fast", "prompt": "a bomb"},
        files={"image": ("a.png", b"x", "image/png")},
        headers=told,
    )
    assert answer.json()["error"]["code"] == "not_supported"
    assert not vendor.asked
