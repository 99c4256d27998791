"""Images, speech and moderation of OpenAI's kind: passed through, with the model's name put in."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.ai import vendor as vendors
from tests.ai.runtime_process import (
    ENDPOINT,
    HOP,
    SUBSCRIPTION,
    RuntimeProcess,
    endpoint,
    model,
    provider,
    snapshot,
)
from tests.ai.vendor import Reply, Vendor

CALL = [{"since": 0, "version": "v", "currency": "USD", "rates": [{"unit": "call", "nanos": 40_000_000}]}]
WAV = b'RIFF\r\n--boundary\r\ncontent-disposition: form-data; name="model"\r\n\r\nother\x00\xff'


def form(runtime: RuntimeProcess, path: str, **options: Any) -> httpx.Response:
    """A call with a form."""
    headers = {
        "x-gatehouse-hop": HOP,
        "x-gatehouse-subscription": runtime.id(SUBSCRIPTION),
        **options.pop("headers", {}),
    }
    return runtime.client.post(f"/-/{runtime.id(ENDPOINT)}/v1/{path}", headers=headers, **options)


def test_an_image_is_made_and_its_tokens_are_counted(runtime: RuntimeProcess, vendor: Vendor) -> None:
    """https://platform.openai.com/docs/api-reference/images/object"""
    usage = {
        "total_tokens": 100,
        "input_tokens": 50,
        "output_tokens": 50,
        "input_tokens_details": {"text_tokens": 10},
    }
    raw = json.dumps({"created": 1, "data": [{"b64_json": "iVBO"}], "usage": usage}).encode()
    vendor.answers(Reply(pieces=[raw]))
    runtime.load(snapshot(vendor.url))
    answer = runtime.call({"model": "fast", "prompt": "A cat", "size": "1024x1024"}, "v1/images/generations")
    assert answer.content == raw
    assert answer.headers["x-ai-cost-usd"] == "0.00015"
    assert vendor.asked[0].path == "/v1/images/generations"
    assert vendor.asked[0].json == {"model": "small", "prompt": "A cat", "size": "1024x1024"}


def test_sound_comes_as_it_is(runtime: RuntimeProcess, vendor: Vendor) -> None:
    sound = bytes(range(256)) * 50
    vendor.answers(Reply(headers={"content-type": "audio/mpeg"}, pieces=[sound]))
    runtime.load(snapshot(vendor.url, models=[model(prices=CALL)]))
    answer = runtime.call({"model": "fast", "input": "Hello", "voice": "alloy"}, "v1/audio/speech")
    assert (answer.content, answer.headers["content-type"]) == (sound, "audio/mpeg")
    assert answer.headers["x-ai-cost-usd"] == "0.04"


def test_what_is_not_counted_has_no_price_by_tokens(runtime: RuntimeProcess, vendor: Vendor) -> None:
    """Nothing is not free: the vendor said no count and the list has no rate for a call."""
    vendor.answers(Reply(headers={"content-type": "audio/mpeg"}, pieces=[b"x"]))
    runtime.load(snapshot(vendor.url))
    answer = runtime.call({"model": "fast", "input": "Hello", "voice": "alloy"}, "v1/audio/speech")
    assert "x-ai-cost-usd" not in answer.headers


def test_a_form_goes_through_with_the_vendors_name_of_the_model(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    """Also where the file holds what looks like a part."""
    usage = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"audio_tokens": 14},
        "output_tokens": 5,
    }
    vendor.answers(Reply(pieces=[json.dumps({"text": "Hi", "usage": usage}).encode()]))
    runtime.load(snapshot(vendor.url))
    files = {"file": ("a.wav", WAV, "audio/wav")}
    answer = form(runtime, "audio/transcriptions", data={"model": "fast", "language": "de"}, files=files)
    assert answer.json()["text"] == "Hi"
    sent = vendor.asked[0]
    assert sent.headers["content-type"].startswith("multipart/form-data")
    assert WAV in sent.body
    assert sent.body.count(b"\r\n\r\nsmall\r\n") == 1
    assert b"fast" not in sent.body
    (line,) = runtime.feed()
    assert line[16][0][5:7] == [14, 5]


def parts(*rows: bytes, boundary: bytes = b"b") -> bytes:
    """A form by hand."""
    return b"".join(b"--" + boundary + b"\r\n" + row + b"\r\n" for row in rows) + b"--" + boundary + b"--\r\n"


MODEL = b'Content-Disposition: form-data; name="model"\r\n\r\nfast'


@pytest.mark.parametrize(
    "body",
    [
        parts(MODEL, MODEL.replace(b"fast", b"dear")),
        parts(b'Content-Disposition: form-data; name="prompt"\r\n\r\nA cat'),
        parts(MODEL, b"Content-Disposition: form-data; name=model\r\n\r\ndear"),
        parts(MODEL, b"Content-Disposition: form-data; name*=utf-8''model\r\n\r\ndear"),
        parts(MODEL, b'Content-Disposition: form-data; name="x"\nX: "\r\n\r\ndear'),
        parts(MODEL, b"X: y\r\n\r\ndear"),
        parts(MODEL, b'Content-Disposition: form-data; name="api_base"\r\n\r\nhttp://169.254.169.254'),
        parts(MODEL, b'Content-Disposition: form-data; name="stream"\r\n\r\ntrue'),
        parts(MODEL, boundary=b"bb"),
        b"--b\r\n" + MODEL,
        b"",
    ],
)
def test_a_form_that_could_be_read_in_two_ways_is_refused(
    runtime: RuntimeProcess, vendor: Vendor, body: bytes
) -> None:
    """Else the vendor would be asked for a model that nobody chose for the caller."""
    runtime.load(snapshot(vendor.url))
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = form(runtime, "images/edits", content=body, headers=headers)
    assert answer.status_code == 400
    assert not vendor.asked


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"model": "other", "prompt": "x"}, "images/generations", "model_not_found"),
        ({"prompt": "x"}, "images/generations", "model_not_found"),
        ({"model": "fast", "prompt": "x", "stream": True}, "images/generations", "not_supported"),
        ({"model": "fast", "input": "x", "stream_format": "sse"}, "audio/speech", "not_supported"),
        ({"model": "fast", "input": "x", "base_url": "http://x"}, "moderations", "parameter_refused"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    runtime: RuntimeProcess, vendor: Vendor, body: dict[str, Any], path: str, code: str
) -> None:
    runtime.load(snapshot(vendor.url))
    assert runtime.call(body, f"v1/{path}").json()["error"]["code"] == code
    assert not vendor.asked


def test_a_rule_that_cannot_look_into_it_lets_nothing_through(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    guard = {"rules": [{"kind": "words", "words": ["bomb"]}]}
    runtime.load(snapshot(vendor.url, endpoints=[endpoint(guard=guard)]))
    answer = runtime.call({"model": "fast", "prompt": "x"}, "v1/images/generations")
    assert answer.json()["error"]["code"] == "not_supported"


def test_only_openais_kind_has_it_and_an_error_is_one(runtime: RuntimeProcess, vendor: Vendor) -> None:
    body = {"model": "fast", "input": "x"}
    runtime.load(snapshot(vendor.url, providers=[provider(vendor.url, dialect="gemini")]))
    assert runtime.call(body, "v1/moderations").json()["error"]["code"] == "not_supported"
    vendor.answers(Reply(pieces=[b'{"error": {"message": "Away"}}']))
    runtime.load(snapshot(vendor.url))
    assert runtime.call(body, "v1/moderations").status_code == 502
    vendor.answers(vendors.error(400, {"error": {"message": "No such voice."}}))
    refused = runtime.call(body, "v1/moderations").json()
    assert refused["error"]["message"].endswith("No such voice.")
