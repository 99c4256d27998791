"""Bedrock's signatures and frames, with botocore as the oracle: it is AWS's own client."""

from __future__ import annotations

import json
import struct
import zlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from ai.runtime.dialects import DIALECTS, bedrock
from ai.runtime.dialects.event_stream import EventStream
from ai.runtime.errors import VendorError
from ai.runtime.sse import MOST_EVENT_BYTES, EventTooLong
from tests.ai.dialects.support import Heard, frame, model, stream_of

NOW = datetime(2026, 11, 28, 3, 4, 5, tzinfo=UTC)
NAMES = [
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "eu.amazon.nova-pro-v1:0",
    "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "with space+plus",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEBYaD//+=="])
def test_a_signature_is_the_one_of_aws_own_client(
    name: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"messages": [{"role": "user", "content": "Grüezi"}]}
    asked = DIALECTS["bedrock"].chat(model("bedrock", name), "key", body, stream=False)
    theirs = AWSRequest("POST", asked.url, data=asked.body, headers={"content-type": "application/json"})
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token or None)
    botocore.auth.SigV4Auth(credentials, "bedrock", "eu-central-1").add_auth(theirs)
    ours = bedrock.signed(
        *(asked.url, asked.body, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token),
        region="eu-central-1",
        service="bedrock",
        now=NOW,
    )
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]
    assert ours.get("x-amz-security-token", "") == token


def test_what_is_signed_is_what_is_sent() -> None:
    asked = DIALECTS["bedrock"].chat(
        model("bedrock", NAMES[0]), "AKID:SECRET:TOKEN", {"messages": []}, stream=True
    )
    assert urlsplit(asked.url).path == "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream"
    assert "/eu-central-1/bedrock/aws4_request" in asked.headers["authorization"]
    assert "SECRET" not in repr(dict(asked.headers))
    bearer = DIALECTS["bedrock"].chat(model("bedrock"), "bedrock-api-key-1", {"messages": []}, stream=False)
    assert bearer.headers["authorization"] == "Bearer bedrock-api-key-1"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bedrock-runtime.us-west-2.amazonaws.com", "us-west-2"),
        ("bedrock.internal", "us-east-1"),
        ("127.0.0.1", "us-east-1"),
        ("vpce-1-2.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
    ],
)
def test_the_region_is_in_the_name_of_the_host(host: str, region: str) -> None:
    assert bedrock.region_of(f"https://{host}/model/x/converse") == region


def test_frames_are_those_that_botocore_reads() -> None:
    """The encoder of these tests, which is ours, is held to AWS's decoder."""
    stream = stream_of("bedrock_stream.json")
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    theirs = [(message.headers[":event-type"], message.payload) for message in buffer]
    ours = [(event.name.decode(), event.data) for event in EventStream().feed(stream)]
    assert ours == theirs


def test_a_stream_is_the_same_split_at_every_byte() -> None:
    stream = stream_of("bedrock_stream.json")
    whole = list(EventStream().feed(stream))
    for cut in range(len(stream)):
        framing = EventStream()
        assert [*framing.feed(stream[:cut]), *framing.feed(stream[cut:])] == whole


@given(st.data())
def test_a_damaged_frame_is_refused_wherever_the_damage_is(data: st.DataObject) -> None:
    """CRC-32 finds every change of a single byte. What is refused is never read on."""
    good = frame("messageStart", b'{"role":"assistant"}')
    place = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VendorError) as raised:
        list(EventStream().feed(bytes(bad) + good))
    assert raised.value.failure.code == "malformed"


def test_a_frame_that_is_too_long_or_cut_is_no_event() -> None:
    prelude = struct.pack(">II", MOST_EVENT_BYTES + 1, 0)
    with pytest.raises(EventTooLong):
        list(EventStream().feed(prelude + struct.pack(">I", zlib.crc32(prelude))))
    framing = EventStream()
    assert not list(framing.feed(stream_of("bedrock_stream.json")[:20]))
    assert framing.rest() is None


def test_headers_that_do_not_add_up_are_refused() -> None:
    rows = b"\x0b:event-type\x07\xff\xff"
    prelude = struct.pack(">II", 16 + len(rows), len(rows))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + rows
    found = list(EventStream().feed(body + struct.pack(">I", zlib.crc32(body))))
    assert [event.name for event in found] == [b""]
    rows = b"\xff:event-type"
    prelude = struct.pack(">II", 16 + len(rows), len(rows))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + rows
    with pytest.raises(VendorError):
        list(EventStream().feed(body + struct.pack(">I", zlib.crc32(body))))


def test_an_end_without_a_count_is_an_end() -> None:
    """`metadata` comes after `messageStop`; a line that is cut between them costs an estimate, not an error."""
    events = [["messageStart", {}], ["messageStop", {"stopReason": "end_turn"}]]
    heard = Heard("bedrock", [frame(name, json.dumps(body).encode()) for name, body in events])
    assert (heard.finish, heard.reader.is_complete, heard.reader.usage) == ("stop", True, None)
