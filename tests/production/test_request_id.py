"""One id from the call through the task and the reconcile to the agent, and back in the answer."""

from __future__ import annotations

import http.server
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from celery import current_app
from celery.app.trace import trace_task
from django.test import Client
from django_structlog.celery.receivers import CeleryReceiver

from audit.models import AuditEvent
from gateways.drivers.agents.client import AgentClient, on_every_node
from gateways.drivers.memory import forget_gateways
from gateways.engine.driver import Node
from gateways.models import Gateway
from gateways.tasks import reconcile_gateway
from portal.request_id import FORM
from teams.models import Team, User
from tests import factories

GIVEN = "proxy-id-0123456789"


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """All that is logged, as it stands in the log."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    [console] = [one for one in logging.getLogger().handlers if type(one) is logging.StreamHandler][:1]
    handler.setFormatter(console.formatter)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def lines(stream: io.StringIO, **wanted: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in found if all(line.get(name) == value for name, value in wanted.items())]


@pytest.mark.parametrize("bad", ["", "short", "x" * 65, 'a" inject', "new\nline-0123", "ä" * 10])
def test_an_answer_names_its_call(bad: str) -> None:
    assert Client().get("/healthz", headers={"X-Request-Id": GIVEN}).headers["X-Request-Id"] == GIVEN
    own = Client().get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"]
    assert own != bad
    assert FORM.fullmatch(own)


@pytest.mark.django_db(transaction=True)
def test_one_id_goes_from_the_click_through_the_task_into_the_push(
    shop: Team,
    alice: User,
    dana: User,
    logistics: Team,
    client_of: Callable[[User], Client],
    said: io.StringIO,
) -> None:
    forget_gateways()
    edge = factories.make_gateway("edge")
    Gateway.objects.update(options={"unreachable": "1"})
    version = factories.make_version(factories.make_api(shop, "Orders"))
    factories.make_publication(version, edge)
    subscription = factories.make_subscription(
        factories.make_application(logistics), factories.make_plan(version.api)
    )
    credential, value = factories.make_credential(subscription)
    sent: list[dict[str, Any]] = []
    with current_app.pool.acquire(block=True) as kombu:
        queue = kombu.SimpleQueue("push")
        queue.clear()
        answer = client_of(dana).post(
            f"/credentials/{credential.public_id}/revoke/",
            {"reason": "leaked"},
            headers={"X-Request-Id": GIVEN},
        )
        assert answer.status_code in (302, 303)
        assert answer.headers["X-Request-Id"] == GIVEN
        message = queue.get(timeout=5)
        sent.append(message.headers)
        message.ack()
        queue.close()
    assert AuditEvent.objects.get(name="credential.revoked").request_id == GIVEN
    assert sent[0]["__django_structlog__"]["request_id"] == GIVEN
    # What the worker does with the message, in this process: its receivers, its tracer, the same task.
    receivers = CeleryReceiver()
    receivers.connect_worker_signals()
    trace_task(reconcile_gateway, sent[0]["id"], [edge.pk], {}, request=sent[0], app=current_app)
    del receivers
    [failed] = lines(said, event="reconcile_failed")
    assert failed["request_id"] == GIVEN
    assert failed["gateway"] == "edge"
    assert value not in said.getvalue()


@pytest.fixture
def agent() -> Iterator[tuple[str, list[str | None]]]:
    """Somebody who writes down the ids with which an agent is called."""
    asked: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("X-Request-Id"))
            body = json.dumps(
                {"version": 0, "digest": "", "serving": False, "items": [], "problems": []}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_agents_of_all_nodes_are_called_with_it(agent: tuple[str, list[str | None]]) -> None:
    url, asked = agent
    clients = [AgentClient(Node(name, url), "token") for name in ("a", "b")]
    with structlog.contextvars.bound_contextvars(request_id=GIVEN):
        on_every_node(clients, AgentClient.served)
    assert set(asked) == {GIVEN}
    assert len(asked) >= 2
