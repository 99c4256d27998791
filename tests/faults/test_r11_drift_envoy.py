"""R11 on a real Envoy: files of its directory are changed by hand, and the next look finds it."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone

from gateways.actions import (
    inspect_after_push,
    inspect_gateway,
    mark_behind,
    overwrite_drift,
    reconcile,
    sweep_drift,
)
from gateways.drivers.envoy.resources import xds_file
from gateways.enforcement import enforcement_of
from gateways.models import DriftFinding, Gateway, GatewayListener, GatewayNode
from subscriptions.models import Block, Credential, Subscription
from teams.models import PlatformRole
from teams.queries import actor_of_user
from tests import factories
from tests.faults.kinds import FaultyNode
from tests.gateways.gateway_node import TOKEN, RunningNode, echo_upstream, wait_for
from tests.gateways.route_tables import FORMS, change_routes, claims_of

pytestmark = [pytest.mark.envoy, pytest.mark.django_db(transaction=True)]

GHOST = "ghp0123456789abcdef" + "Sesame9" * 7
COUNT = 3


@dataclass
class Edge:
    """A gateway of one running Envoy with three APIs, each with a subscription and a key."""

    node: RunningNode
    gateway: Gateway
    subscriptions: list[Subscription]
    keys: list[str]

    @property
    def xds(self) -> Path:
        return self.node.state / "xds"

    def write(self, name: str, text: str) -> None:
        """As somebody who knows what Envoy watches for: moved into place."""
        (self.node.state / "by-hand").write_text(text)
        os.replace(self.node.state / "by-hand", self.xds / name)

    def edit(self, name: str, change: Callable[[list[Any]], None]) -> None:
        resources = json.loads((self.xds / name).read_text())["resources"]
        change(resources)
        self.write(name, xds_file(resources))

    def edit_routes(self, chance: random.Random, change: Callable[[list[Any]], None]) -> None:
        """In the tree, or written anew as a list."""
        form = chance.choice(FORMS)
        self.edit(self.routes, lambda found: change_routes(found[0]["virtual_hosts"][0], change, form))

    def call(self, number: int = 0, key: str = "") -> int:
        path = f"/shop/orders-{number}/v1/orders"
        url = f"http://127.0.0.1:{self.node.production_port}{path}"
        return httpx.get(url, headers={"x-api-key": key} if key else {}, trust_env=False).status_code

    def look(self) -> list[DriftFinding]:
        found = inspect_gateway(self.gateway)
        assert found is not None, Gateway.objects.values().get()
        assert Gateway.objects.get(pk=self.gateway.pk).unread == []
        return found

    def work(self) -> None:
        """What the worker does when the bell rings."""
        reconcile(Gateway.objects.get(pk=self.gateway.pk), whether_due=True)
        inspect_after_push(self.gateway)

    @property
    def routes(self) -> str:
        return f"rds-{self.node.production_port}.json"


@pytest.fixture
def edge(tmp_path: Path, live_server: Any) -> Iterator[Edge]:
    node = FaultyNode(tmp_path / "agent", portal_url=live_server.url, heartbeat_s=0.3)
    gateway = factories.make_gateway("edge", Gateway.Kind.ENVOY, token=TOKEN)
    Gateway.objects.update(options={"listen": "127.0.0.1"})
    for listener in GatewayListener.objects.select_related("environment"):
        port = node.production_port if listener.environment.slug == "production" else node.sandbox_port
        listener.port, listener.public_url = port, f"http://127.0.0.1:{port}"
        listener.save()
    with echo_upstream() as url:
        subscriptions, keys = _catalogue(gateway, url)
        node.start()
        try:
            wait_for(lambda: GatewayNode.objects.filter(gateway=gateway).exists())
            mark_behind([gateway.pk])
            reconcile(Gateway.objects.get(pk=gateway.pk), whether_due=True)
            yield Edge(node, gateway, subscriptions, keys)
        finally:
            node.stop()


def _catalogue(gateway: Gateway, url: str) -> tuple[list[Subscription], list[str]]:
    team = factories.make_team("Shop")
    subscriptions, keys = [], []
    for number in range(COUNT):
        version = factories.make_version(factories.make_api(team, f"Orders {number}"), url=url)
        factories.make_publication(version, gateway)
        plan = factories.make_plan(version.api, rate_calls=100 + number)
        subscriptions.append(factories.make_subscription(plan_revision=plan))
        keys.append(factories.make_credential(subscriptions[-1])[1])
    until = timezone.now() + timedelta(hours=5)
    Block.objects.create(subscription=subscriptions[2], reason="quota_day", until=until)
    return subscriptions, keys


def credentials(resources: list[Any]) -> list[Any]:
    return resources[0]["typed_config"]["credentials"]


def named(routes: list[Any]) -> list[Any]:
    return [entry for entry in routes if "name" in entry]


def clients(entry: Any) -> list[str]:
    return entry["typed_per_filter_config"]["gatehouse.keys"]["allowed_clients"]


def row_of(resources: list[Any], subscription: Subscription) -> Any:
    return next(row for row in credentials(resources) if row["key"] == subscription.public_id)


# ---- the edits: each does one thing to the files, and says what must be found: kind, sort, urgent ----

type Expected = tuple[str, str, bool]
type Edit = Callable[[Edge, random.Random], Expected]


def add_key(edge: Edge, chance: random.Random) -> Expected:
    value = f"ghp{chance.randrange(10**15):016d}{'S' * 49}"
    client = chance.choice(edge.subscriptions).public_id
    edge.edit("ecds-keys.json", lambda found: credentials(found).append({"key": value, "client": client}))
    return "key", "ghost", True


def delete_key(edge: Edge, chance: random.Random) -> Expected:
    edge.edit("ecds-keys.json", lambda found: credentials(found).pop(chance.randrange(COUNT)))
    return "key", "missing", True


def move_key(edge: Edge, chance: random.Random) -> Expected:
    row = chance.randrange(COUNT)
    edge.edit("ecds-keys.json", lambda found: credentials(found)[row].update(client="sub_elsewhere"))
    return "key", "changed", True


def widen(edge: Edge, chance: random.Random) -> Expected:
    def change(found: list[Any]) -> None:
        entry = chance.choice(named(found))
        other = next(s.public_id for s in edge.subscriptions if s.public_id not in clients(entry))
        clients(entry).append(other)

    edge.edit_routes(chance, change)
    return "grant", "changed", True


def narrow(edge: Edge, chance: random.Random) -> Expected:
    edge.edit_routes(chance, lambda found: clients(chance.choice(named(found))).pop())
    return "grant", "changed", True


def unknown_grant(edge: Edge, chance: random.Random) -> Expected:
    edge.edit_routes(chance, lambda found: clients(chance.choice(named(found))).append("sub_by_hand"))
    return "grant", "ghost", True


def open_route(edge: Edge, chance: random.Random) -> Expected:
    edge.edit_routes(chance, lambda found: chance.choice(named(found)).pop("typed_per_filter_config"))
    return "route", "changed", True


def delete_route(edge: Edge, chance: random.Random) -> Expected:
    edge.edit_routes(chance, lambda found: found.remove(chance.choice(named(found))))
    return "route", "missing", True


def move_route(edge: Edge, chance: random.Random) -> Expected:
    edge.edit_routes(
        chance,
        lambda found: chance.choice(named(found))["match"].update(path_separated_prefix="/else/where"),
    )
    return "route", "changed", False


def misplace_route(edge: Edge, chance: random.Random) -> Expected:
    def change(found: list[Any]) -> None:
        claims = claims_of(found[0]["virtual_hosts"][0])
        claims["/else/where"] = claims.pop(chance.choice(sorted(claims)))

    edge.edit(edge.routes, change)
    return "route", "changed", True


def back_door(edge: Edge, chance: random.Random) -> Expected:
    def change(found: list[Any]) -> None:
        cluster = chance.choice(named(found))["route"]["cluster"]
        found.insert(0, {"match": {"prefix": "/back"}, "route": {"cluster": cluster}})

    edge.edit_routes(chance, change)
    return "route", "foreign", True


def harmless_route(edge: Edge, chance: random.Random) -> Expected:
    entry = {"name": "ping", "match": {"path": "/ping"}, "direct_response": {"status": 200}}
    edge.edit_routes(chance, lambda found: found.insert(0, entry))
    return "route", "foreign", False


def add_cluster(edge: Edge, chance: random.Random) -> Expected:
    cluster = {"name": f"by-hand-{chance.randrange(99)}", "type": "STATIC", "connect_timeout": "1s"}
    edge.edit("cds.json", lambda found: found.append({"@type": found[0]["@type"], **cluster}))
    return "cluster", "foreign", False


def redirect(edge: Edge, chance: random.Random) -> Expected:
    def change(found: list[Any]) -> None:
        [group] = chance.choice(found)["load_assignment"]["endpoints"]
        group["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = 9

    edge.edit("cds.json", change)
    return "upstream", "changed", False


def slow_down(edge: Edge, chance: random.Random) -> Expected:
    edge.edit("cds.json", lambda found: chance.choice(found).update(connect_timeout="9.000s"))
    return "upstream", "changed", False


def delete_cluster(edge: Edge, chance: random.Random) -> Expected:
    edge.edit("cds.json", lambda found: found.pop(chance.randrange(COUNT)))
    return "upstream", "missing", True


def raise_limit(edge: Edge, chance: random.Random) -> Expected:
    edge.edit(
        "ecds-buckets.json",
        lambda found: chance.choice(found[0]["typed_config"]["descriptors"])["token_bucket"].update(
            max_tokens=9999
        ),
    )
    return "limit", "changed", False


def delete_limit(edge: Edge, chance: random.Random) -> Expected:
    edge.edit(
        "ecds-buckets.json",
        lambda found: found[0]["typed_config"]["descriptors"].pop(chance.randrange(COUNT)),
    )
    return "limit", "missing", True


def swap_limit(edge: Edge, chance: random.Random) -> Expected:
    edge.edit(
        "ecds-limits.json", lambda found: row_of(found, edge.subscriptions[0]).update(client="unlimited")
    )
    return "grant", "changed", False


def set_block(edge: Edge, chance: random.Random) -> Expected:
    until = formatdate(2_000_000_000 + chance.randrange(999), usegmt=True)
    edge.edit("ecds-limits.json", lambda found: row_of(found, edge.subscriptions[1]).update(client=until))
    return "block", "ghost", True


def lift_block(edge: Edge, chance: random.Random) -> Expected:
    shape = "102-per-1s-burst-20"
    edge.edit("ecds-limits.json", lambda found: row_of(found, edge.subscriptions[2]).update(client=shape))
    return "block", "missing", True


def forget_application(edge: Edge, chance: random.Random) -> Expected:
    edge.edit("ecds-applications.json", lambda found: credentials(found).pop(chance.randrange(COUNT)))
    return "grant", "changed", True


def without_check(edge: Edge, chance: random.Random) -> Expected:
    def change(found: list[Any]) -> None:
        listener = next(one for one in found if one["name"] == f"port-{edge.node.production_port}")
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager["http_filters"] = [f for f in manager["http_filters"] if f["name"] != "gatehouse.keys"]

    edge.edit("lds.json", change)
    return "listener", "changed", True


def garbage(edge: Edge, chance: random.Random) -> Expected:
    names = ["cds.json", "lds.json", "ecds-keys.json", "ecds-limits.json", edge.routes]
    path = edge.xds / chance.choice(names)
    path.write_bytes(chance.randbytes(200))
    return "file", "changed", True


def delete_file(edge: Edge, chance: random.Random) -> Expected:
    (edge.xds / chance.choice(["ecds-keys.json", "ecds-buckets.json", edge.routes])).unlink()
    return "file", "missing", True


def add_file(edge: Edge, chance: random.Random) -> Expected:
    edge.write(chance.choice(["rds-9999.json", "notes.txt", "ecds-own.json"]), "by hand")
    return "file", "foreign", False


def rewrite_file(edge: Edge, chance: random.Random) -> Expected:
    name = chance.choice(["cds.json", edge.routes])
    edge.write(name, json.dumps(json.loads((edge.xds / name).read_text()), indent=2))
    return "file", "changed", False


EDITS: tuple[Edit, ...] = (
    add_key, delete_key, move_key, widen, narrow, unknown_grant, open_route, delete_route, move_route,
    misplace_route, back_door,
    harmless_route, add_cluster, redirect, slow_down, delete_cluster, raise_limit, delete_limit, swap_limit, set_block,
    lift_block, forget_application, without_check, garbage, delete_file, add_file, rewrite_file,
)  # fmt: skip


def test_each_sort_of_edit_is_found_by_the_next_look_and_put_right(edge: Edge) -> None:
    edits_are_found(edge, EDITS, random.Random(11))


@pytest.mark.long
def test_fifty_edits_are_found_by_the_next_look_and_put_right(edge: Edge) -> None:
    chance = random.Random(50)
    edits_are_found(edge, [*EDITS, *chance.choices(EDITS, k=50 - len(EDITS))], chance)


def edits_are_found(edge: Edge, edits: Any, chance: random.Random) -> None:
    ada = actor_of_user(factories.make_user(platform_roles=[PlatformRole.ADMINISTRATOR]))
    clean = {path.name: path.read_text() for path in edge.xds.iterdir()}
    assert edge.look() == [], "a clean gateway has none"
    for edit in edits:
        expected = edit(edge, chance)
        found = edge.look()
        also = {("grant", "changed", True)} if edit is open_route else set()  # it stands on no list any more
        assert {(row.kind, row.sort, row.urgent) for row in found} == {expected} | also, edit.__name__
        if not expected[2]:
            overwrite_drift(found[0], actor=ada)
        edge.work()
        ended = DriftFinding.objects.filter(pk__in=[row.pk for row in found])
        assert {row.state for row in ended} == {"overwritten"}, edit.__name__
        assert {path.name: path.read_text() for path in edge.xds.iterdir()} == clean, edit.__name__
        assert edge.call(0, edge.keys[0]) == 200, edit.__name__


def test_many_edits_at_once_are_all_found_by_one_sweep(edge: Edge) -> None:
    """In one sweep, on files that do not hide each other."""
    chance = random.Random(7)
    several = (
        delete_key,
        add_key,
        redirect,
        delete_limit,
        set_block,
        lift_block,
        unknown_grant,
        harmless_route,
        add_file,
    )
    expected = {edit(edge, chance) for edit in several}
    assert sweep_drift() == [edge.gateway.pk]
    found = DriftFinding.objects.all()
    assert expected <= {(row.kind, row.sort, row.urgent) for row in found}
    assert {row.node for row in found} == {"node-1"}
    edge.work()
    assert edge.look() == []


def test_a_key_written_in_by_hand_works_until_the_next_look_and_no_longer(edge: Edge, caplog: Any) -> None:
    client = edge.subscriptions[0].public_id
    edge.edit("ecds-keys.json", lambda found: credentials(found).append({"key": GHOST, "client": client}))
    wait_for(lambda: edge.call(0, GHOST) == 200)
    [finding] = edge.look()
    assert (finding.sort, finding.urgent) == ("ghost", True)
    assert GHOST[3:19] in finding.label
    edge.work()
    assert edge.call(0, GHOST) == 401
    assert edge.call(0, edge.keys[0]) == 200
    texts = repr(list(DriftFinding.objects.values())) + caplog.text + edge.node.log()
    assert GHOST[19:] not in texts


def test_a_revoked_key_that_comes_back_is_named_and_never_shown_as_removed(edge: Edge) -> None:
    kept = (edge.xds / "ecds-keys.json").read_text()
    Credential.objects.filter(subscription=edge.subscriptions[0]).update(
        state="revoked", ended_at=timezone.now()
    )
    credential = Credential.objects.get(subscription=edge.subscriptions[0])
    mark_behind([edge.gateway.pk])
    edge.work()
    assert edge.call(0, edge.keys[0]) == 401
    edge.write("ecds-keys.json", kept)
    wait_for(lambda: edge.call(0, edge.keys[0]) == 200)
    [finding] = edge.look()
    assert finding.object_id == credential.public_id
    assert [segment.state for segment in enforcement_of(credential).segments] == ["drifted"]
    edge.work()
    assert edge.call(0, edge.keys[0]) == 401
    assert [segment.state for segment in enforcement_of(credential).segments] == ["removed"]


def test_a_node_that_is_gone_is_unread_and_its_findings_stay(edge: Edge) -> None:
    redirect(edge, random.Random(1))
    [finding] = edge.look()
    edge.node.stop()
    assert [row.pk for row in inspect_gateway(edge.gateway) or []] == [finding.pk]
    gateway = Gateway.objects.get(pk=edge.gateway.pk)
    assert [row["node"] for row in gateway.unread] == ["node-1"]
    edge.node.start()
    wait_for(lambda: GatewayNode.objects.get().state == GatewayNode.State.SERVING or edge.node.is_healthy())


def test_the_files_are_for_whoever_holds_the_token(edge: Edge) -> None:
    url = f"{edge.node.url}/v1/files"
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {TOKEN}x"}):
        refused = httpx.get(url, headers=headers, trust_env=False)
        assert refused.status_code == 401
        assert "credentials" not in refused.text
    own = {"authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(url, headers=own, trust_env=False).json()
    assert answer["files"].keys() == answer["digests"].keys() == {path.name for path in edge.xds.iterdir()}
    assert answer["digest"] == Gateway.objects.get(pk=edge.gateway.pk).pushed_digest
    assert "files" not in httpx.get(f"{url}?texts=no", headers=own, trust_env=False).json()


def test_bytes_that_are_no_text_stop_neither_heartbeats_nor_the_look(edge: Edge) -> None:
    (edge.xds / "ecds-keys.json").write_bytes(b"\xff\xfe\x00garbage")
    before = timezone.now()
    wait_for(lambda: GatewayNode.objects.filter(heartbeat_at__gt=before, serving=False).exists())
    assert {(row.kind, row.sort) for row in edge.look()} == {("file", "changed")}
    edge.work()
    before = timezone.now()
    wait_for(lambda: GatewayNode.objects.filter(heartbeat_at__gt=before, serving=True).exists())
    assert edge.call(0, edge.keys[0]) == 200


def test_each_node_is_read_by_itself(edge: Edge, tmp_path: Path, live_server: Any) -> None:
    """Two nodes share the ports; what is changed on one is found there, and the other is clean."""
    ports = {"production_port": edge.node.production_port, "sandbox_port": edge.node.sandbox_port}
    second = Edge(
        RunningNode(tmp_path / "second", portal_url=live_server.url, name="node-2", **ports),
        edge.gateway,
        edge.subscriptions,
        edge.keys,
    )
    second.node.start()
    try:
        wait_for(lambda: GatewayNode.objects.filter(name="node-2").exists())
        mark_behind([edge.gateway.pk])
        edge.work()
        assert edge.look() == []
        add_key(second, random.Random(2))
        add_file(edge, random.Random(2))
        assert {(row.node, row.kind) for row in edge.look()} == {("node-2", "key"), ("node-1", "file")}
        edge.work()
        assert edge.look() == []
    finally:
        second.node.stop()
    look = inspect_gateway(edge.gateway)
    assert look is not None
    assert [row["node"] for row in Gateway.objects.get(pk=edge.gateway.pk).unread] == ["node-2"]
