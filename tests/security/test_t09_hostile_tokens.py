"""T9: whatever stands in `Authorization` or `X-API-Key`, our doors say 401, and each value costs the same queries."""

from __future__ import annotations

import string
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.sealing import checksum
from tests import factories

pytestmark = pytest.mark.django_db

LETTERS = string.ascii_letters + string.digits
bodies = st.builds(
    "ght{}{}".format,
    st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=16, max_size=16),
    st.text(LETTERS, min_size=43, max_size=43),
)
formed = st.builds(lambda body: body + checksum(body), bodies)
"""Well formed and unknown: the only ones that are worth a look into the database."""
bytes_ = st.binary(max_size=200).map(lambda value: value.decode("latin-1"))
"""A server hands on the bytes of a header as Latin-1 (PEP 3333), whatever they are."""
sql = st.sampled_from(
    ["' OR 1=1 --", "%s", "%(x)s", "{0}", "\\x00", "ght" + "é" * 65, "x" * 9_000, "ght" * 30]
)
cut = st.builds(lambda token, length: token[:length], formed, st.integers(0, 68))
value = st.one_of(bytes_, sql, cut, formed, formed.map(lambda token: f"{token}\n"), formed.map(str.upper))
scheme = st.sampled_from(
    ["Bearer ", "bearer ", "BEARER  ", "Bearer\t", "Basic ", "Token ", "", "Bearer, Bearer "]
)
REST, AGENTS = ("/api/v1/me", "/api/v1/apis"), ("/agent/v1/heartbeat", "/agent/v1/config", "/agent/v1/usage")
names = st.sampled_from(["HTTP_AUTHORIZATION", "HTTP_AUTHORIZATION", "HTTP_X_API_KEY"])
headers = given(url=st.sampled_from(REST + AGENTS), name=names, scheme=scheme, value=value)


@settings(max_examples=200)
@headers
def test_t09_no_header_opens_a_door_or_breaks_it(url: str, name: str, scheme: str, value: str) -> None:
    check(url, name, scheme + value)


@pytest.mark.long
@settings(max_examples=5_000)
@headers
def test_t09_no_header_opens_a_door_or_breaks_it_in_full(
    url: str, name: str, scheme: str, value: str
) -> None:
    check(url, name, scheme + value)


def check(url: str, name: str, header: str) -> None:
    """401 after at most one look into the database, whatever the header is."""
    status, queries = asked(Client(raise_request_exception=False), url, {name: header})
    if url in AGENTS:
        assert status in (401, 405)  # not by GET
        assert queries <= 1
    elif url == "/api/v1/apis" and (header == "" or name == "HTTP_X_API_KEY"):
        assert status == 200  # open to all; an X-API-Key means nothing here
    else:
        assert status == 401
        assert queries <= 1


def asked(client: Client, url: str, extra: dict[str, Any]) -> tuple[int, int]:
    """The status of a call, and how many queries it took."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.get(url, **extra)
    return answer.status_code, len(queries)


def test_t09_a_wrong_secret_costs_the_queries_of_an_unknown_token() -> None:
    _token, known = factories.make_api_token(user=factories.make_user())
    wrong = known[:19] + "".join(reversed(known[19:62]))
    wrong += checksum(wrong)
    unknown = "ght" + "0" * 16 + wrong[19:62]
    unknown += checksum(unknown)
    client = Client()
    counted = [
        asked(client, "/api/v1/me", {"HTTP_AUTHORIZATION": f"Bearer {one}"}) for one in (wrong, unknown)
    ]
    assert counted == [(401, 1), (401, 1)]
