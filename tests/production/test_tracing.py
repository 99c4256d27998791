"""Traces leave only where they are asked for, reach a real receiver, and carry no secret."""

from __future__ import annotations

import gzip
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.tracing import clean
from tests.production.test_r17_backup import database_url

ROOT = Path(__file__).resolve().parents[2]
KEY = "ghp" + "a1b2c3d4e5f6g7h8" + "A" * 43 + "Zz9Yy8"

WALK = """
import os
from django.test import Client
import portal.wsgi
from django.contrib.auth.models import Permission
from opentelemetry import trace
import httpx

secret = os.environ["CANARY"]
client = Client()
client.get("/accounts/login/?next=" + secret, headers={"Authorization": "Bearer " + secret, "X-Api-Key": secret})
client.get("/invitations/inv_0123456789/" + secret)
list(Permission.objects.filter(name=secret))
with httpx.Client(headers={"Authorization": "Bearer " + secret}, trust_env=False) as web:
    web.get(os.environ["ELSEWHERE"] + "/v1/config?key=" + secret)
tracer = trace.get_tracer("test")
with tracer.start_as_current_span("a task") as span:
    span.set_attribute("api_key", "harmless-looking")
    span.record_exception(ValueError("the key " + secret + " was refused"))
trace.get_tracer_provider().force_flush()
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    """A collector that keeps what it gets; it also answers any GET."""

    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        whole = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.bodies.append(whole if self.path == "/v1/traces" else b"")
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    handler = type("Own", (Receiver,), {"bodies": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler.bodies
    server.shutdown()
    server.server_close()
    thread.join()


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own: what it imports and instruments stays there."""
    own = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings", **environment}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=own,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.django_db(transaction=True)
def test_spans_reach_the_collector_and_hold_no_secret(collector: tuple[str, list[bytes]]) -> None:
    url, bodies = collector
    done = python(
        WALK,
        OTEL_EXPORTER_OTLP_ENDPOINT=url,
        CANARY=KEY,
        ELSEWHERE=url,
        DATABASE_URL=database_url(),
        ALLOWED_HOSTS="testserver",
    )
    assert done.returncode == 0, done.stderr
    sent = b"".join(bodies)
    for expected in (
        b"gatehouse-web",
        b"accounts/login/",
        b"SELECT",
        b"auth_permission",
        b"/v1/config",
        b"a task",
    ):
        assert expected in sent, expected
    assert KEY.encode() not in sent
    assert b"Bearer" not in sent
    assert b"harmless-looking" not in sent
    assert b"[redacted]" in sent


def test_without_the_setting_nothing_of_it_is_loaded() -> None:
    """redis looks whether OpenTelemetry is there by itself; neither instrumentation nor exporter is loaded."""
    code = (
        "import portal.wsgi, sys\n"
        "parts = ('opentelemetry.instrumentation', 'opentelemetry.exporter', 'portal.spans')\n"
        "print([name for name in sys.modules if name.startswith(parts)])"
    )
    for environment in (
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
    ):
        done = python(code, **environment)
        assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_missing_packages_refuse_to_start_with_a_cure() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import django; django.setup()\n"
        "from portal.startup import refuse_unless_sound; refuse_unless_sound()"
    )
    done = python(code, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert done.returncode != 0
    assert "gatehouse.E040" in done.stderr
    assert "Install requirements/tracing.txt" in done.stderr


def test_what_is_named_or_shaped_like_a_secret_goes() -> None:
    cleaned = clean(
        {
            "http.request.header.cookie": ("sessionid=1",),
            "authorization": "x",
            "url.full": f"https://a/b?token={KEY}",
            "url.query": "a=b",
            "note": f"the key {KEY}",
            "http.response.status_code": 200,
            "http.route": "credentials/<slug:public_id>/",
        }
    )
    assert cleaned == {
        "http.request.header.cookie": "[redacted]",
        "authorization": "[redacted]",
        "url.full": "https://a/b",
        "url.query": "[redacted]",
        "note": "the key [redacted]",
        "http.response.status_code": 200,
        "http.route": "credentials/<slug:public_id>/",
    }
