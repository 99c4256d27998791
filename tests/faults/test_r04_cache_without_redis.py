"""R4: without Redis people sign in and up, reset, read and call as before, within a moment, and limits still hold."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django.test import Client

from embedded.layout import Layout, make_directories, socket_directory
from embedded.redis_server import Redis, answers
from gateways.actions import ringing
from portal.cache import rest
from teams.models import Team, User
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
QUICK_S = 3.0
"""Far below every time-out of a proxy, far above what a busy machine takes for a page."""


class Server:
    """A Redis of this test's own, which can be killed and started again."""

    def __init__(self, layout: Layout) -> None:
        self.redis = Redis(layout, fast=True)
        self.redis.prepare()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        launch = self.redis.launch()
        self.process = subprocess.Popen(
            launch.command, cwd=launch.directory, env=dict(launch.environment), stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not answers(self.redis.socket):
            assert time.monotonic() < deadline, "Redis does not start"
            assert self.process.poll() is None, "Redis died"

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def redis_server(tmp_path: Path, settings: Any) -> Iterator[Server]:
    """The cache and the broker of this process are a Redis of its own."""
    layout = Layout(tmp_path / "var")
    make_directories(layout)
    with socket_directory(layout):
        server = Server(layout)
        server.start()
        before = current_app.conf.broker_url
        settings.CACHES = {
            "default": {**settings.CACHES["default"], "LOCATION": f"unix://{server.redis.socket}"}
        }
        _point_at(f"redis+socket://{server.redis.socket}")
        rest.end()
        yield server
        server.kill()
        _point_at(before)
        rest.end()


def _point_at(url: str) -> None:
    current_app.pool.force_close_all()
    current_app.amqp._producer_pool = None
    current_app.conf.broker_url = current_app.conf.broker_write_url = url
    ringing.hear_again()


def quick(began: float) -> bool:
    return time.monotonic() - began < QUICK_S


@pytest.fixture
def no_redis(redis_server: Server) -> Server:
    """It was used, and then it was killed."""
    cache.set("before", 1)
    assert cache.get("before") == 1
    redis_server.kill()
    return redis_server


def test_people_sign_in_up_and_reset_without_redis(no_redis: Server, alice: User, mailoutbox: Any) -> None:
    began = time.monotonic()
    entered = Client().post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert entered.status_code == 302
    assert quick(began)
    made = Client().post(
        "/accounts/signup/", {"name": "Nora", "email": "nora@example.test", "password1": PASSWORD}
    )
    assert made.status_code == 302
    assert User.objects.filter(email="nora@example.test").exists()
    assert Client().post("/accounts/password/reset/", {"email": alice.email}).status_code == 302
    assert re.search(r"/accounts/password/reset/key/", mailoutbox[-1].body)


def test_the_limit_on_sign_in_holds_without_redis(no_redis: Server, alice: User) -> None:
    for _number in range(5):
        Client().post("/accounts/login/", {"login": alice.email, "password": "wrong"})
    refused = Client().post("/accounts/login/", {"login": alice.email, "password": PASSWORD})
    assert refused.status_code == 200
    assert "Too many failed" in refused.content.decode()


def test_pages_and_rest_answer_without_redis(
    no_redis: Server, client_of: Any, api_of: Any, shop: Team, alice: User
) -> None:
    api = factories.make_api(shop, "Orders")
    factories.make_publication(factories.make_version(api), factories.make_gateway("edge"))
    factories.make_plan(api)
    browser = client_of(alice)
    assert "Orders" in browser.get("/catalogue/").content.decode()
    page = browser.get(f"/apis/{shop.slug}/{api.slug}/v1/reference/", follow=True)
    assert page.status_code == 200
    assert "edge.example.test" in page["Content-Security-Policy"]
    answer = api_of(alice).get("/api/v1/teams")
    assert answer.status_code == 200
    assert answer["RateLimit-Remaining"] == "599", "calls are counted in this process meanwhile"


def test_calls_are_limited_without_redis(no_redis: Server, api_of: Any, alice: User, settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {"token": "3/day"}}
    client = api_of(alice)
    assert [client.get("/api/v1/me").status_code for _n in range(4)] == [200, 200, 200, 429]


def test_redis_is_used_again_once_it_is_back(no_redis: Server) -> None:
    assert cache.get("before") is None
    assert rest.lasts
    cache.set("meanwhile", 2)
    assert cache.get("meanwhile") == 2
    no_redis.start()
    rest.end()
    cache.set("after", 3)
    assert not rest.lasts
    no_redis.kill()
    no_redis.start()  # connections of the pool are dead now: the next use must not fail, nor rest
    cache.set("again", 4)
    assert cache.get("again") == 4
    assert not rest.lasts


@pytest.mark.parametrize("call", ["add", "get_many", "set_many", "incr", "touch", "delete_many", "has_key"])
def test_every_operation_works_without_redis(no_redis: Server, call: str) -> None:
    cache.set("n", 1, 60)
    done = {
        "add": lambda: (cache.add("m", 1, 60), cache.add("m", 2, 60)) == (True, False),
        "get_many": lambda: cache.get_many(["n", "x"]) == {"n": 1},
        "set_many": lambda: cache.set_many({"a": 1, "b": 2}, 60) == [] and cache.get("b") == 2,
        "incr": lambda: cache.incr("n") == 2,
        "touch": lambda: cache.touch("n", 60),
        "delete_many": lambda: cache.delete_many(["n"]) is None and cache.get("n") is None,
        "has_key": lambda: cache.has_key("n") and not cache.has_key("x"),
    }[call]
    assert done()
