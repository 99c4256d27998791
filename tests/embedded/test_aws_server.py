"""The simulated AWS under the supervisor: it keeps what it is given, and nothing of it is left."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from embedded import aws_server
from embedded.aws_account import client_of, prepare_principal
from embedded.aws_server import Guard, Keeper, Principal, kept_principal
from embedded.console import Console
from embedded.failure import CannotRun
from embedded.installation import Installation, make_installation
from embedded.layout import Layout, make_directories
from embedded.parts import Parts
from embedded.supervisor import Supervisor
from tests.aws.doubles.functions import ECHO, make_function
from tests.aws.doubles.http_api import add_route, make_api
from tests.aws.doubles.made import made_double
from tests.aws.doubles.servers import Double, Keys
from tests.embedded.conftest import free_ports, processes_with, until


@pytest.fixture
def one(tmp_path: Path) -> Installation:
    """An installation whose simulated AWS has a port of its own."""
    made_double("ministack")
    layout = Layout(tmp_path / "a path with spaces")
    make_directories(layout)
    return make_installation(layout, {"PATH": os.environ["PATH"], "AWS_PORT": str(free_ports(1)[0])})


def started[Found](one: Installation, work: Callable[[Supervisor], Awaitable[Found]]) -> Found:
    """What `work` gives while the simulated AWS runs."""

    async def go() -> Found:
        async with Supervisor(Console(io.StringIO()), first_wait=0.1) as supervisor:
            await supervisor.start(*Parts(one, 0).aws())
            return await work(supervisor)

    return asyncio.run(go())


def as_root(one: Installation) -> Double:
    root = one.keyring["GATEHOUSE_SIMULATED_AWS_ROOT"]
    return Double(one.aws_url, Keys(root, root))


def publish(double: Double) -> str:
    """An API with a function behind it, which has answered once."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = double.client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument=document)["Role"]
    api = make_api(double)
    add_route(double, api, "GET /orders", make_function(double, ECHO, Role=role["Arn"])["FunctionArn"])
    assert double.call(api, "$default", "/orders").status_code == 200
    return api


def test_what_was_made_is_there_after_the_next_start_and_no_process_is_left(one: Installation) -> None:
    async def first(supervisor: Supervisor) -> str:
        return await asyncio.to_thread(publish, as_root(one))

    async def second(supervisor: Supervisor) -> int:
        return (await asyncio.to_thread(as_root(one).call, api, "$default", "/orders")).status_code

    api = started(one, first)
    assert processes_with(str(one.layout.state)) == []
    folder = one.layout.state / "aws"
    assert [path.name for path in folder.iterdir()] == ["state"], "functions leave their directories in tmp"
    assert folder.stat().st_mode & 0o077 == 0, "keys are in there"
    assert started(one, second) == 200


def test_a_kill_loses_nothing_that_is_older_than_a_moment(one: Installation) -> None:
    async def work(supervisor: Supervisor) -> int:
        watching = asyncio.create_task(supervisor.watch())
        api = await asyncio.to_thread(publish, as_root(one))
        await asyncio.sleep(aws_server.SAVED_AFTER_S + 1)
        (server,) = [pid for pid in processes_with("embedded.aws_server") if _serves(pid, one)]
        os.kill(server, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: _answers(one), "the simulated AWS runs again")
        watching.cancel()
        return (await asyncio.to_thread(as_root(one).call, api, "$default", "/orders")).status_code

    assert started(one, work) == 200


def _serves(pid: int, one: Installation) -> bool:
    return f"GATEWAY_PORT={one.port('AWS_PORT')}".encode() in Path(f"/proc/{pid}/environ").read_bytes()


def _answers(one: Installation) -> bool:
    try:
        return httpx.get(f"{one.aws_url}{aws_server.HEALTH}").status_code == 200
    except httpx.TransportError:
        return False


def test_gatehouse_is_a_user_who_may_assume_roles(one: Installation) -> None:
    assert "GATEHOUSE_SIMULATED_AWS_URL" not in one.portal_environment(), "not before it was started"
    root = one.keyring["GATEHOUSE_SIMULATED_AWS_ROOT"]

    async def work(supervisor: Supervisor) -> tuple[Principal | None, Principal | None, str]:
        found = []
        for _ in range(2):
            await asyncio.to_thread(prepare_principal, one.aws_url, root, one.aws_principal)
            found.append(kept_principal(one.aws_principal))
        assert found[1] is not None
        identity = client_of(found[1], "sts", one.aws_url).get_caller_identity()
        # A key that the account does not know any more is made anew.
        one.aws_principal.write_text(json.dumps({"key": "AKIAIOSFODNN7EXAMPLE", "secret": "x"}))
        await asyncio.to_thread(prepare_principal, one.aws_url, root, one.aws_principal)
        assert kept_principal(one.aws_principal) not in {
            None,
            found[0],
            Principal("AKIAIOSFODNN7EXAMPLE", "x"),
        }
        return found[0], found[1], identity["Arn"]

    first, second, arn = started(one, work)
    assert first == second
    assert arn.endswith(":user/gatehouse")
    told = one.portal_environment()
    assert told["GATEHOUSE_SIMULATED_AWS_URL"] == one.aws_url
    assert root not in told.values()
    assert root in one.customer_environment().values()
    assert one.aws_principal.stat().st_mode & 0o077 == 0


def test_a_root_key_that_is_not_the_servers_is_said(one: Installation) -> None:
    async def work(supervisor: Supervisor) -> None:
        await asyncio.to_thread(prepare_principal, one.aws_url, "another key", one.aws_principal)

    with pytest.raises(CannotRun, match="The simulated AWS refuses Gatehouse"):
        started(one, work)


def test_without_ministack_the_part_is_left_out(one: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    one.aws_principal.write_text('{"key": "AKIAIOSFODNN7EXAMPLE", "secret": "x"}')
    monkeypatch.setattr(aws_server, "is_there", lambda: False)
    assert Parts(one, 0).aws() == []
    assert "GATEHOUSE_SIMULATED_AWS_URL" not in one.portal_environment()


class Read:
    """Requests as MiniStack would read them."""

    def is_call(self, host: str, path: str) -> bool:
        return path.startswith("/_aws/execute-api/")

    def key(self, headers: dict[str, str], query: dict[str, list[str]]) -> str:
        return headers.get("authorization", "") or "".join(query.get("key", []))

    def knows(self, key: str) -> bool:
        return key == "AKIAKNOWN"


CALL = "/_aws/execute-api/abc/production/orders"


@pytest.mark.parametrize(
    ("path", "headers", "passes"),
    [
        (CALL, {}, True),
        (CALL, {"origin": "https://shop.example"}, True),
        (CALL, {"host": "evil.example"}, False),
        (CALL, {"host": ""}, False),
        (CALL, {"host": "abc.execute-api.localhost:9205"}, True),
        (f"{CALL}/@connections/x", {}, False),
        (f"{CALL}/@connections/x", {"authorization": "root"}, True),
        ("/restapis", {}, False),
        ("/restapis", {"authorization": "root"}, True),
        ("/restapis", {"authorization": "roo"}, False),
        ("/restapis", {"authorization": "AKIAKNOWN"}, True),
        ("/restapis", {"authorization": "AKIAOTHER"}, False),
        ("/restapis", {"authorization": "root", "origin": "https://shop.example"}, False),
        ("/_ministack/health", {}, True),
        ("/_ministack/reset", {"authorization": "root"}, False),
        ("/_localstack/health", {"authorization": "root"}, False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_guard(path: str, headers: dict[str, str], passes: bool, kind: str) -> None:
    reached: list[str] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    given = {"host": "127.0.0.1:9205", **headers}
    scope = {
        "type": kind,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asyncio.run(Guard(app, "root", Read())(scope, None, send))  # type: ignore[arg-type]
    assert reached == ([path] if passes else [])
    assert sent == [] if passes else sent[0].get("status", 403) == 403


def test_saving_is_done_once_for_many_changes_and_not_for_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_server, "SAVED_AFTER_S", 0.05)
    saved: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    async def go() -> None:
        keeper = Keeper(app, lambda: saved.append(time.monotonic()))
        for method in ("GET", "HEAD"):
            await keeper({"type": "http", "method": method}, None, None)  # type: ignore[arg-type]
        await asyncio.sleep(0.2)
        assert saved == []
        for _ in range(3):
            await keeper({"type": "http", "method": "POST"}, None, None)  # type: ignore[arg-type]
        await asyncio.sleep(0.2)

    asyncio.run(go())
    assert len(saved) == 1
