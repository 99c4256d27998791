"""R17: a real dump goes into a fresh server and is verified there; a real Envoy gives nothing back after a restore."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from audit.actions import seal_events
from audit.models import AuditEvent
from embedded.postgres import wheel
from gateways.actions import difference_of, mark_behind, reconcile, sweep
from gateways.drivers.memory import forget_gateways
from gateways.enforcement import enforcement_of
from gateways.models import Deployment, Gateway, GatewayListener, GatewayNode
from subscriptions.actions import issue_credential, revoke_credential
from subscriptions.models import Credential, Subscription
from teams.models import SYSTEM, User
from teams.queries import actor_of_user
from tests import factories
from tests.gateways.gateway_node import TOKEN, RunningNode, echo_upstream, wait_for

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = wheel() / "pginstall18" / "bin"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


def database_url() -> str:
    """The address of the database that this test runs in."""
    one = connection.get_connection_params()
    query = f"host={one['host']}&port={one['port']}"
    return f"postgresql://{one['user']}:{one['password']}@/{one['dbname']}?{query}"


def backup(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    own |= {"PG_BIN": str(PROGRAMS), "DATABASE_URL": database_url(), **environment}
    return subprocess.run(
        [sys.executable, "scripts/backup", *arguments],
        cwd=ROOT, env=own, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def put_back(file: Path) -> None:
    """The portal that runs finds the old database in the place of its own, from one moment to the next."""
    one = connection.get_connection_params()
    environment = {"PGHOST": one["host"], "PGPORT": str(one["port"]), "PGUSER": one["user"]}
    environment |= {**os.environ, "PGPASSWORD": one["password"]}
    script = subprocess.run(
        [PROGRAMS / "pg_restore", "--no-owner", "--file=-", file],
        capture_output=True,
        check=True,
        timeout=100,
    ).stdout
    empty = b"DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;\n"
    subprocess.run(
        [PROGRAMS / "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
         "--output=/dev/null", one["dbname"]],
        input=empty + script, env=environment, check=True, timeout=100,
    )  # fmt: skip


# ---- a fresh server ----

IN_A_FRESH_SERVER = """
set -u
verify() { "$PYTHON" manage.py verify --no-gateways --json 2>/dev/null; }
psql() { "$PG_BIN/psql" --no-psqlrc --quiet "$DATABASE_URL" -c "$1"; }
psql 'DROP DATABASE IF EXISTS restored'; psql 'CREATE DATABASE restored'
export DATABASE_URL="$(printf %s "$DATABASE_URL" | sed 's#/gatehouse?#/restored?#')" DATABASE_OWNER_URL=
export DATABASE_OWNER_URL="$DATABASE_URL"
"$PYTHON" scripts/backup restore "$DUMP" >"$OUT/restore" 2>&1; echo "restore $?"
verify >"$OUT/verify"; echo "verify $?"
(export GATEHOUSE_MASTER_KEYS="$OTHER_KEYS"; verify >"$OUT/lost"); echo "lost $?"
"$PG_BIN/psql" --no-psqlrc --tuples-only --no-align "$DATABASE_URL" -c \
  "SELECT count(*) FROM gateways_gateway WHERE held_since IS NOT NULL"
"""
OTHER_KEYS = "1:" + "Wk4zdjlRbTJYcDdMdDRSdzFZYjZOYzhIZDVKZjBHc0E="


def test_a_dump_is_restored_into_a_fresh_server_and_verified_there(dana: User, tmp_path: Path) -> None:
    forget_gateways()
    factories.make_gateway("edge")
    credential, value = factories.make_credential()
    revoke_credential(credential, actor=SYSTEM, reason="for the trail")
    seal_events()
    file = tmp_path / "gatehouse.dump"
    done = backup("dump", str(file))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o077 == 0
    content = file.read_bytes()
    assert value.encode() not in content, "keys are sealed in it"
    for master in settings.MASTER_KEYS.values():
        assert master not in content

    own = {"PG_BIN": str(PROGRAMS), "PYTHON": sys.executable, "DUMP": str(file), "OUT": str(tmp_path)}
    without = ("DATABASE_", "REDIS_", "GATEHOUSE_STATE", "PYTEST")
    environment = {name: one for name, one in os.environ.items() if not name.startswith(without)}
    fresh = subprocess.run(
        [sys.executable, "-m", "embedded", "test", "--bare", "--", "sh", "-c", IN_A_FRESH_SERVER],
        cwd=ROOT, env={**environment, **own, "OTHER_KEYS": OTHER_KEYS},
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    said = [line for line in fresh.stdout.splitlines() if not line.startswith("  ")]
    assert said == ["restore 0", "verify 0", "lost 2", "1"], (tmp_path / "restore").read_text() + fresh.stderr
    found = json.loads((tmp_path / "verify").read_text())
    looked = {check["name"]: check["looked_at"] for check in found["checks"]}
    assert looked["audit chain"] >= 1
    assert looked["sealed secrets"] == 2


def test_what_a_restore_brings_back_is_not_believed(dana: User, client_of: Callable[[User], Client]) -> None:
    edge = factories.make_gateway("edge")
    token, _value = factories.make_api_token(user=dana)
    browser = client_of(dana)
    assert browser.get("/applications/").status_code == 200
    said = io.StringIO()
    call_command("after_restore", stdout=said)
    assert "1 REST tokens work, also what was revoked after the backup" in said.getvalue()
    edge.refresh_from_db()
    assert edge.held_since is not None
    assert browser.get("/applications/").status_code == 302, "the session is over"
    call_command("after_restore", "--revoke-tokens", stdout=said)
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert AuditEvent.objects.filter(name="gateway.held").count() == 1, "a second run holds nothing twice"


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    assert backup("dump").returncode == 2
    nowhere = backup("dump", str(tmp_path / "x"), DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert nowhere.returncode != 0
    assert not (tmp_path / "x").exists(), "no file bears the name of a backup that failed"
    assert "set DATABASE_OWNER_URL" in backup("dump", "x", DATABASE_URL="").stderr


# ---- a real gateway ----


@pytest.fixture
def node(tmp_path: Path, live_server: Any) -> Iterator[RunningNode]:
    node = RunningNode(tmp_path / "agent", portal_url=live_server.url)
    yield node
    if node.process is not None and node.process.poll() is None:
        node.stop()


@pytest.fixture
def subscription(node: RunningNode, dana: User, logistics: Any) -> Iterator[Subscription]:
    """An API on a real Envoy, and a subscription of Dana's team to it."""
    gateway = factories.make_gateway("edge", Gateway.Kind.ENVOY, token=TOKEN)
    gateway.options = {"listen": "127.0.0.1"}
    gateway.save()
    for listener in GatewayListener.objects.select_related("environment"):
        port = node.production_port if listener.environment.slug == "production" else node.sandbox_port
        listener.port, listener.public_url = port, f"http://127.0.0.1:{port}"
        listener.save()
    with echo_upstream() as url:
        version = factories.make_version(factories.make_api(factories.make_team("Shop"), "Orders"), url=url)
        factories.make_publication(version, gateway)
        application = factories.make_application(logistics)
        yield factories.make_subscription(application, factories.make_plan(version.api))


def ask(node: RunningNode, key: str) -> int:
    try:
        url = f"http://127.0.0.1:{node.production_port}/shop/orders/v1/orders"
        return httpx.get(url, headers={"x-api-key": key}, trust_env=False).status_code
    except httpx.TransportError:
        return 0


def run() -> Deployment | None:
    edge = Gateway.objects.get()
    mark_behind([edge.pk])
    return reconcile(edge, whether_due=True)


def states(credential: Credential) -> list[str]:
    found = Credential.objects.get(pk=credential.pk)
    return [segment.state.value for segment in enforcement_of(found).segments]


@pytest.mark.envoy
def test_a_restored_portal_gives_no_revoked_key_back(
    node: RunningNode,
    subscription: Subscription,
    dana: User,
    ada: User,
    client_of: Callable[[User], Client],
    tmp_path: Path,
) -> None:
    node.start()
    wait_for(GatewayNode.objects.exists)
    revoked, dead = issue_credential(subscription, actor=actor_of_user(dana), name="old")
    kept, good = issue_credential(subscription, actor=actor_of_user(dana), name="kept")
    with structlog.contextvars.bound_contextvars(request_id="first-push-0001"):
        run()
    assert (ask(node, dead), ask(node, good)) == (200, 200)
    assert '"request_id": "first-push-0001"' in node.log()
    file = tmp_path / "gatehouse.dump"
    done = backup("dump", str(file))
    assert done.returncode == 0, done.stderr

    revoke_credential(revoked, actor=actor_of_user(dana), reason="leaked")
    run()
    assert (ask(node, dead), ask(node, good)) == (401, 200)
    young, young_value = issue_credential(subscription, actor=actor_of_user(dana), name="young")
    run()
    assert ask(node, young_value) == 200

    put_back(file)
    assert Credential.objects.get(pk=revoked.pk).state == Credential.State.ACTIVE
    assert not Credential.objects.filter(public_id=young.public_id).exists()
    for _again in range(3):  # whatever rings, and however often the numbers are counted up meanwhile
        run()
        sweep()
    wait_for(lambda: Gateway.objects.get().held_since is not None)
    assert (ask(node, dead), ask(node, good), ask(node, young_value)) == (401, 200, 200)
    assert states(revoked) == ["held_back"]

    # Neither an agent that starts again nor one that lost its files gets the old keys.
    node.stop()
    node.start()
    wait_for(lambda: ask(node, good) == 200)
    run()
    assert ask(node, dead) == 401

    page = client_of(ada).get("/gateways/edge/held/").content.decode()
    back, _end, gone = page.partition("Access that would end")
    assert revoked.key_id in back
    assert kept.key_id not in page
    assert young.key_id in gone

    # A key that is revoked here ends there at once, although all else waits.
    revoke_credential(Credential.objects.get(pk=kept.pk), actor=actor_of_user(dana), reason="no more")
    run()
    assert (ask(node, good), ask(node, dead)) == (401, 401)
    assert states(kept) == ["removed"]

    # One is revoked again, and the rest is confirmed: the state is as decided.
    revoke_credential(Credential.objects.get(pk=revoked.pk), actor=actor_of_user(dana), reason="again")
    _newest, new_value = issue_credential(
        Subscription.objects.get(pk=subscription.pk), actor=actor_of_user(dana), name="after"
    )
    run()
    assert ask(node, new_value) == 401
    difference = difference_of(Gateway.objects.get())
    answer = client_of(ada).post("/gateways/edge/held/", {"seen": difference.seen})
    assert answer.status_code == 302
    done_push = run()
    assert done_push is not None
    assert done_push.state == Deployment.State.SUCCEEDED, done_push.message
    assert (ask(node, dead), ask(node, good), ask(node, young_value)) == (401, 401, 401)
    assert ask(node, new_value) == 200
    assert run() is None


@pytest.mark.envoy
def test_a_node_that_lost_its_files_gets_nothing_while_it_is_held(
    node: RunningNode, subscription: Subscription, dana: User, tmp_path: Path
) -> None:
    node.start()
    wait_for(GatewayNode.objects.exists)
    credential, value = issue_credential(subscription, actor=actor_of_user(dana), name="old")
    run()
    file = tmp_path / "gatehouse.dump"
    assert backup("dump", str(file)).returncode == 0
    revoke_credential(credential, actor=actor_of_user(dana), reason="leaked")
    run()
    put_back(file)
    wait_for(lambda: Gateway.objects.get().held_since is not None)  # by the heartbeat alone
    node.stop()
    shutil.rmtree(node.state)
    node.start()
    started = GatewayNode.objects.get().heartbeat_at
    wait_for(
        lambda: GatewayNode.objects.get().heartbeat_at > started and GatewayNode.objects.get().version == 0
    )
    run()
    assert ask(node, value) in (0, 401, 404)
