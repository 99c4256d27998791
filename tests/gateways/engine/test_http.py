"""The HTTP client of drivers: what it tries again, what it calls permanent, and what it never says."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from gateways.engine.driver import DriverError
from gateways.engine.http import HttpClient, redact
from tests.gateways import documents as make

TOKEN = "a-token-that-nobody-may-see"


class Server:
    """Answers in turn; counts what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def client(server: Callable[[httpx.Request], httpx.Response]) -> HttpClient:
    transport = httpx.MockTransport(server)
    return HttpClient("http://gw.test", token=TOKEN, transport=transport, sleep=lambda _: None)


def test_the_token_goes_along_and_a_good_answer_comes_back() -> None:
    server = Server(httpx.Response(200, json={"a": 1}))
    assert client(server).request("GET", "/x").json() == {"a": 1}
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_put_is_tried_again_after_5xx_and_lost_connections() -> None:
    server = Server(httpx.Response(503), httpx.ConnectError("no"), httpx.Response(200))
    assert client(server).request("PUT", "/x").status_code == 200
    assert len(server.requests) == 3


def test_a_post_is_sent_once() -> None:
    server = Server(httpx.Response(503, json={"detail": "later"}))
    with pytest.raises(DriverError, match="later") as error:
        client(server).request("POST", "/x")
    assert not error.value.permanent
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (400, True),
        (401, True),
        (404, True),
        (422, True),
        (301, True),
        (409, False),
        (429, False),
        (502, False),
    ],
)
def test_what_would_be_refused_again_is_permanent(status: int, permanent: bool) -> None:
    with pytest.raises(DriverError) as error:
        client(Server(httpx.Response(status))).request("GET", "/x")
    assert error.value.permanent is permanent


def test_a_gateway_that_does_not_answer_is_temporary() -> None:
    with pytest.raises(DriverError, match=r"gw\.test") as error:
        client(Server(httpx.ConnectTimeout("slow"))).request("GET", "/x")
    assert not error.value.permanent


def test_errors_hold_no_token_and_no_key() -> None:
    """T22."""
    secret = make.key_value("1")
    said = f"bad config: Bearer {TOKEN} key {secret} token {TOKEN}"
    with pytest.raises(DriverError) as error:
        client(Server(httpx.Response(422, json={"detail": said}))).request("PUT", "/x")
    assert TOKEN not in error.value.message
    assert secret not in error.value.message
    assert secret[:19] in error.value.message


def test_redaction_leaves_plain_words_alone() -> None:
    assert redact("ghost stories of ghs") == "ghost stories of ghs"
