"""A real agent with a real Envoy, and with a real nginx: refusals, restarts, kills, and what it tells whom."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateways.drivers.envoy import filters
from gateways.drivers.envoy.resources import xds_text
from gateways.engine.diff import diff
from gateways.engine.document import Document, Kind
from gateways.engine.driver import DriverError, Node
from gateways.engine.pushes import Push, make_push
from tests.gateways import documents as make
from tests.gateways.driver_contract import publish
from tests.gateways.gateway_node import TOKEN, NodeUnderTest, RunningNode, echo_upstream, free_port, wait_for
from tests.gateways.portal_server import Ledger, portal_server

pytestmark = pytest.mark.envoy

KEYS_FILE = {"envoy": "ecds-keys.json", "nginx": "keys.conf"}


@pytest.fixture(scope="module")
def upstream_url() -> Iterator[str]:
    with echo_upstream() as url:
        yield url


@pytest.fixture(scope="module", params=["envoy", "nginx"])
def kind(request: pytest.FixtureRequest) -> str:
    """What the agent rules."""
    return str(request.param)


@pytest.fixture(scope="module")
def ledger(kind: str) -> Ledger:
    return Ledger(TOKEN)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, upstream_url: str, ledger: Ledger, kind: str
) -> Iterator[NodeUnderTest]:
    """An agent that reports to a portal."""
    with portal_server(ledger) as portal_url:
        node = RunningNode(tmp_path_factory.mktemp("agent") / "with a space", kind, portal_url)
        node.start()
        under_test = NodeUnderTest(node, upstream_url)
        yield under_test
        under_test.client.close()
        node.stop()


def shop(running: NodeUnderTest, count: int = 1) -> Document:
    items = list(make.catalogue(count).items.values())
    return make.document(make.upstream("1", running.upstream_url), *items[1:])


def call(running: NodeUnderTest, number: int = 1) -> int:
    name = f"{number:04d}"
    return running.call(f"/shop/orders-{name}/v1", make.key_value(name)).status


def has_begun_to_serve(running: NodeUnderTest) -> bool:
    """For a gateway that starts: before its first answer it may break connections off."""
    try:
        return call(running) == 200
    except httpx.TransportError:
        return False


def agent(
    running: NodeUnderTest, method: str, path: str, token: str = TOKEN, **more: object
) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    url = f"{running.node.url}{path}"
    return httpx.request(method, url, headers=headers, trust_env=False, timeout=30, **more)  # type: ignore[arg-type]


def a_push(running: NodeUnderTest, **changes: str) -> Push:
    """A push of the shop with some files changed behind the translator's back."""
    connection = running.node.connection()
    document = running.driver().adapt(shop(running)).document
    rendered = {**running.driver().phases(document, document)[-1]}
    rendered.update({name.replace("_", ".").replace("9", "-"): text for name, text in changes.items()})
    return make_push(running.node.kind, connection.version, document, [rendered])


# Who may ask


@pytest.mark.parametrize("token", ["", "wrong", f"{TOKEN}x", TOKEN[:-1]])
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/config"), ("GET", "/v1/config"), ("GET", "/metrics")]
)
def test_without_the_token_nothing_is_said_t24(
    running: NodeUnderTest, method: str, path: str, token: str
) -> None:
    """T24, T38."""
    response = agent(running, method, path, token)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


def test_health_is_open_and_says_little(running: NodeUnderTest) -> None:
    assert agent(running, "GET", "/healthz", "").json() == {"status": "ok", running.node.kind: True}


def test_metrics_are_there_for_who_has_the_token(running: NodeUnderTest) -> None:
    publish(running, *shop(running).items.values())
    text = agent(running, "GET", "/metrics").text
    assert re.search(r"gatehouse_agent_config_version [1-9]", text)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"format":1}', b"\xff", b"null"])
def test_what_is_no_configuration_is_refused_t38(running: NodeUnderTest, body: bytes) -> None:
    """T38."""
    assert agent(running, "PUT", "/v1/config", content=body).status_code == 400


# What is taken


def test_an_older_version_is_refused(running: NodeUnderTest) -> None:
    old = a_push(running)
    publish(running, *shop(running).items.values())
    response = agent(running, "PUT", "/v1/config", content=old.to_bytes())
    assert response.status_code == 409
    assert call(running) == 200


def test_the_same_push_twice_is_fine(running: NodeUnderTest) -> None:
    push = a_push(running)
    answers = [agent(running, "PUT", "/v1/config", content=push.to_bytes()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].json()["digest"] == push.digest


TWICE = xds_text([filters.keys(Document.of([make.key("1"), replace(make.key("1"), id="crd_2")]))])
"""A table in which one key stands twice."""

REFUSED = {
    "envoy": [
        (
            {
                "cds_json": '{"resources":[{"name":"upb_1","nonsense":1,"load_assignment":{"endpoints":[]}}],'
                '"version_info":"v"}'
            },
            "nonsense",
        ),
        ({"ecds9keys_json": TWICE}, "for sub_1 of ecds-keys.json stands twice"),
        ({"cds_json": "not json"}, "does not hold together"),
        (
            {
                "cds_json": '{"resources":[{"name":"upb_1","type":"STRICT_DNS","connect_timeout":"-5s",'
                '"load_assignment":{"cluster_name":"upb_1","endpoints":[]}}],"version_info":"v"}'
            },
            "upb_1|timeout|Duration|duration",
        ),
    ],
    "nginx": [
        (
            {"upstreams_conf": "# upstream/upb_1\nupstream upb_1 {\n    nonsense on;\n}\n"},
            "nonsense.*upstream upb_1",
        ),
        ({"upstreams_conf": "upstream upb_1 {"}, "does not hold together"),
        ({"limits_conf": "limit_req_zone $x zone=a:1m rate=0r/s;\n"}, "rate=0r/s"),
        (
            {"keys_conf": f"map $a $b {{\n{make.key_value('1')} 1;\n{make.key_value('1')} 2;\n}}\n"},
            "conflicting.*redacted",
        ),
    ],
}


@pytest.mark.parametrize("number", range(4))
def test_a_refusal_comes_in_the_gateways_words_and_the_old_stays_in_force_r9(
    running: NodeUnderTest, number: int
) -> None:
    """R9, and that the next good push is taken without a restart."""
    changes, words = REFUSED[running.node.kind][number]
    publish(running, *shop(running).items.values())
    before = {path.name: path.read_bytes() for path in running.node.files.iterdir()}
    response = agent(running, "PUT", "/v1/config", content=a_push(running, **changes).to_bytes())
    assert response.status_code == 422
    assert re.search(words, response.json()["detail"])
    assert make.key_value("1") not in response.text
    assert {path.name: path.read_bytes() for path in running.node.files.iterdir()} == before
    assert call(running) == 200
    publish(running, *shop(running, 2).items.values())
    assert call(running, 2) == 200


def test_what_is_refused_only_at_the_swap_is_put_back_r9(running: NodeUnderTest) -> None:
    """A port that is taken passes every trial: it fails at the swap."""
    publish(running, *shop(running).items.values())
    connection = running.node.connection()
    taken = int(running.upstream_url.rpartition(":")[2])
    listeners = (*connection.listeners[:1], type(connection.listeners[0])("sandbox", taken))
    driver = running.driver(listeners=listeners)
    changes = diff(driver.observe(None), driver.adapt(shop(running, 2)).document)
    with pytest.raises(DriverError, match=f"{taken}|bind") as error:
        driver.apply(changes, lambda step, sentence: None)  # noqa: ARG005
    assert error.value.permanent
    assert call(running) == 200
    assert call(running, 2) == 404
    publish(running, *shop(running, 2).items.values())
    assert call(running, 2) == 200


def test_the_proof_is_the_version_that_the_gateway_shows(running: NodeUnderTest) -> None:
    publish(running, *shop(running).items.values())
    if running.node.kind == "nginx":
        served, worker = running.node.admin("/served").split()
        assert served in (running.node.state / "served.conf").read_text()
        assert b"worker process" in Path(f"/proc/{worker}/cmdline").read_bytes()
        return
    shown = running.node.admin("/stats?type=TextReadouts")
    for path in (running.node.state / "xds").glob("*.json"):
        assert json.loads(path.read_text())["version_info"] in shown
    assert set(
        re.findall(r"update_rejected: (\d+)", running.node.admin("/stats?filter=keys.update_rejected"))
    ) == {"0"}


def test_files_changed_behind_the_agents_back_are_seen_and_put_right_r11(running: NodeUnderTest) -> None:
    """R11."""
    document = shop(running)
    publish(running, *document.items.values())
    keys = running.node.files / KEYS_FILE[running.node.kind]
    keys.write_text(keys.read_text().replace(make.key_value("0001"), make.key_value("0666")))
    driver = running.driver()
    changes = diff(driver.observe(None), driver.adapt(document).document)
    assert {name.kind for name in changes.refs()} == {Kind.KEY}
    publish(running, *document.items.values())
    assert call(running) == 200


# Nodes that are not alike


def test_one_node_that_is_away_does_not_keep_the_other_from_the_change(running: NodeUnderTest) -> None:
    publish(running, *shop(running).items.values())
    both = (*running.node.connection().nodes, Node("away", f"http://127.0.0.1:{free_port()}"))
    changes = diff(running.driver().observe(None), running.driver().adapt(shop(running, 2)).document)
    with pytest.raises(DriverError, match="away") as error:
        running.driver(nodes=both).apply(changes, lambda step, sentence: None)  # noqa: ARG005
    assert not error.value.permanent
    assert call(running, 2) == 200


def test_a_gateway_without_nodes_says_what_to_do(running: NodeUnderTest) -> None:
    with pytest.raises(DriverError, match="Start its agent"):
        running.driver(nodes=()).observe(None)


# What is told to the portal


def test_the_heartbeat_says_what_is_served(running: NodeUnderTest, ledger: Ledger) -> None:
    publish(running, *shop(running).items.values())
    digest = running.driver().adapt(shop(running)).document.digest()
    told = {"digest": digest, "serving": True}
    wait_for(lambda: ledger.heartbeats and told.items() <= ledger.heartbeats[-1].items())
    report = ledger.heartbeats[-1]
    kind = running.node.kind
    assert (report["node"], report["kind"], report["agent_url"]) == ("node-1", kind, running.node.url)
    assert report["software"].lower().startswith(f"{kind} 1.")


def test_calls_arrive_in_the_feed_with_who_called(running: NodeUnderTest, ledger: Ledger) -> None:
    publish(running, *shop(running).items.values())
    path, key = "/shop/orders-0001/v1/orders/7", make.key_value("0001")
    good = running.client.get(running.url(f"{path}?secret=1"), headers={"authorization": f"Bearer {key}"})
    bad = running.client.get(running.url(path), headers={"x-api-key": key[:-1] + "y"})
    wanted = {good.headers["x-request-id"], bad.headers["x-request-id"]}
    rows = wait_for(
        lambda: {r[11]: r for r in ledger.rows()} if wanted <= {r[11] for r in ledger.rows()} else {}
    )
    row = rows[good.headers["x-request-id"]]
    assert row[1:7] == ["pub_0001", "sub_0001", "0000000000000001"[-16:], "GET", path, 200]
    # nginx measures whole milliseconds, the call and its upstream by two clocks.
    assert row[7] + (running.node.kind == "nginx") >= row[8] >= 0
    assert row[8] > 0 or running.node.kind == "nginx"
    assert row[10] == len(good.content)
    refused = rows[bad.headers["x-request-id"]]
    assert (refused[2], refused[3], refused[6], refused[12]) == ("", "", 401, "unknown_api_key")


def test_no_key_and_no_token_is_written_down_t22(running: NodeUnderTest, ledger: Ledger) -> None:
    """T22: only the files that must hold keys hold them, and only their owner may read those."""
    publish(running, *shop(running).items.values())
    assert call(running) == 200
    key = make.key_value("0001")
    root = running.node.state
    holding = {
        path.name for path in root.rglob("*") if path.is_file() and key in path.read_text(errors="replace")
    }
    assert holding == {"push.json", KEYS_FILE[running.node.kind]}
    said = running.node.log() + json.dumps(ledger.rows()) + agent(running, "GET", "/v1/config").text
    assert key not in said
    assert TOKEN not in said
    for path in root.rglob("*"):
        loose = path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        own = path.is_symlink() or path.is_socket() or path.name in {"envoy.log", "nginx.log"}
        assert own or not loose, path
    if running.node.kind == "envoy":
        assert key not in running.node.admin("/config_dump")


# When it dies


def gateway_pid(node: RunningNode) -> int:
    return int(re.findall(r'"pid": (\d+)', node.log())[-1])


def test_a_killed_gateway_is_started_again_and_serves_r6(running: NodeUnderTest) -> None:
    """R6."""
    publish(running, *shop(running).items.values())
    pid = gateway_pid(running.node)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: gateway_pid(running.node) != pid)

    def serves() -> bool:
        try:
            return call(running) == 200
        except httpx.TransportError:  # the connection kept from before
            return False

    wait_for(serves)
    processes = running.node.log().count('"event": "the gateway started"')
    assert processes >= 2


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_agent_that_ends_takes_its_gateway_along_and_comes_back_as_it_was(
    tmp_path: Path, upstream_url: str, how: int, kind: str
) -> None:
    """R6: the portal is away the whole time."""
    node = RunningNode(tmp_path / "agent", kind, f"http://127.0.0.1:{free_port()}")
    node.start()
    first = NodeUnderTest(node, upstream_url)
    publish(first, *shop(first).items.values())
    node.stop(how)
    node.start()
    again = NodeUnderTest(node, upstream_url)
    wait_for(lambda: has_begun_to_serve(again))
    assert diff(again.driver().observe(None), again.driver().adapt(shop(again)).document).is_empty
    node.stop()
    first.client.close()
    again.client.close()


def test_a_new_node_fetches_its_configuration(tmp_path: Path, upstream_url: str, kind: str) -> None:
    ledger = Ledger(TOKEN)
    with portal_server(ledger) as portal_url:
        node = RunningNode(tmp_path / "agent", kind, portal_url)
        under_test = NodeUnderTest(node, upstream_url)
        ledger.config = under_test.driver().snapshot(shop(under_test))
        node.start()
        wait_for(lambda: has_begun_to_serve(under_test))
        node.stop()
        under_test.client.close()


def test_kills_lose_at_most_unwritten_lines_and_double_none_r12(
    tmp_path: Path, upstream_url: str, kind: str
) -> None:
    """R12: the agent is killed between calls whose lines the gateway has written; the portal fails in every way."""
    ledger = Ledger(TOKEN)
    with portal_server(ledger) as portal_url:
        node = RunningNode(tmp_path / "agent", kind, portal_url)
        under_test = NodeUnderTest(node, upstream_url)
        sent: list[str] = []
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            node.start()
            publish(under_test, *shop(under_test).items.values())
            ledger.failures = ["down", "lost", "", "lost", "", "", "lost"]
            path = under_test.url("/shop/orders-0001/v1/x")
            for _ in range(30):
                response = under_test.client.get(path, headers={"x-api-key": make.key_value("0001")})
                sent.append(response.headers["x-request-id"])
            logs = node.state / "usage"
            wait_for(
                lambda logs=logs, last=sent[-1]: (
                    any(last in f.read_text() for f in logs.glob("*.log")) or last in str(ledger.rows())
                )
            )
            node.stop(how)
        ledger.failures = []
        node.start()
        wait_for(lambda: len(ledger.rows()) >= len(sent))
        node.stop()
        under_test.client.close()
    assert sorted(row[11] for row in ledger.rows()) == sorted(sent)
