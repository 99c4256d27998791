"""Numbers: counted where they happen, read by whoever has the token, documented, and free of people's ids."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.core.checks import run_checks
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from gateways.actions import mark_behind, reconcile
from gateways.agent.app import build_agent
from gateways.agent.metrics import Metrics
from gateways.agent.settings import read_settings
from gateways.drivers.memory import forget_gateways
from gateways.models import Gateway
from portal import worker_metrics
from teams.models import User
from tests import factories
from tests.gateways.gateway_node import free_port
from usage.actions import ingest_batch
from usage.models import FeedCheckpoint

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTED = (ROOT / "docs" / "metrics.md").read_text()
ALERTS = ROOT / "docs" / "alerts.yml"
TOKEN = "Zk3vQ9xW2mR7tB5nH8cJ4dL6fP1sY0aG"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def scrape(token: str = TOKEN) -> Any:
    return Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})


def families() -> dict[str, Any]:
    answer = scrape()
    assert answer.status_code == 200
    return {family.name: family for family in text_string_to_metric_families(answer.content.decode())}


def value(name: str, **labels: str) -> float:
    """The one sample `name` with exactly these labels; 0 where it was never counted."""
    samples = [sample for family in families().values() for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name and sample.labels == labels)


def test_without_the_token_there_are_no_numbers(settings: Any) -> None:
    for header in ("", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ä"):
        answer = Client().get("/metrics", headers={"Authorization": header})
        assert answer.status_code == 401
        assert b"gatehouse_" not in answer.content
    assert Client().post("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 405
    settings.METRICS_TOKEN = ""
    assert scrape().status_code == 404
    assert scrape("").status_code == 404


def test_calls_are_counted_by_route_and_never_by_id(alice: User, client_of: Any) -> None:
    application = factories.make_application(factories.make_team("Elsewhere team"))
    before = value("gatehouse_http_requests_total", route="application-detail", status="4xx")
    client_of(alice).get(f"/applications/{application.public_id}/")
    Client().get(f"/nowhere/{application.public_id}")
    assert value("gatehouse_http_requests_total", route="application-detail", status="4xx") == before + 1
    text = scrape().content.decode()
    assert 'route="unknown"' in text
    assert application.public_id not in text


def test_the_state_of_gateways_and_queues_is_told() -> None:
    forget_gateways()
    edge = factories.make_gateway("edge")
    Gateway.objects.update(
        behind_since=timezone.now() - timedelta(minutes=5), failures=3, held_since=timezone.now()
    )
    assert 299 < value("gatehouse_gateway_behind_seconds", gateway="edge") < 360
    assert value("gatehouse_gateway_failures", gateway="edge") == 3
    assert value("gatehouse_gateway_held", gateway="edge") == 1
    before = value("gatehouse_requests_open")
    user = factories.make_user()
    factories.make_request(
        factories.make_application(), factories.make_plan(factories.make_version().api), by=user
    )
    assert value("gatehouse_requests_open") == before + 1
    assert value("gatehouse_gateway_nodes", gateway="edge", state="away") == 0
    edge.refresh_from_db()


def test_scraping_takes_as_many_queries_whatever_there_is(django_assert_num_queries: Any) -> None:
    factories.make_gateway("one")
    with django_assert_num_queries(12) as few:
        scrape()
    for number in range(5):
        factories.make_gateway(f"more-{number}")
    with django_assert_num_queries(len(few)):
        scrape()


@pytest.mark.django_db(transaction=True)
def test_pushes_and_records_are_counted() -> None:
    forget_gateways()
    edge = factories.make_gateway("edge")
    publication = factories.make_publication(factories.make_version(), edge)
    mark_behind([edge.pk])
    before = value("gatehouse_pushes_total", gateway="edge", outcome="succeeded")
    reconcile(edge, whether_due=True)
    assert value("gatehouse_pushes_total", gateway="edge", outcome="succeeded") == before + 1
    line = [timezone.now().timestamp() * 1000, publication.public_id, "", "", "GET", "/x", 401, 1, None, 0, 0]
    body = json.dumps([*line, "req", "missing_api_key"]).encode() + b"\n"
    counted = value("gatehouse_usage_records_total", gateway="edge")
    for _twice in range(2):
        ingest_batch(edge, node="edge-1", segment="s", offset=0, body=body, complete_until=timezone.now())
    assert value("gatehouse_usage_records_total", gateway="edge") == counted + 1


def test_every_number_is_documented_and_every_documented_number_is_there(tmp_path: Path) -> None:
    edge = factories.make_gateway("edge")
    factories.make_node(edge)
    FeedCheckpoint.objects.create(gateway=edge, node="edge-1", segment="s", complete_until=timezone.now())
    there = {name for name in families() if name.startswith("gatehouse_")} | agent_numbers(tmp_path)
    rows = re.findall(r"^\| `(gatehouse_\w+)`", DOCUMENTED, re.MULTILINE)
    assert {name for name in there if not name.endswith("_created")} == {
        name.removesuffix("_total") for name in rows
    }


def agent_numbers(state: Path) -> set[str]:
    """The names that an agent hands out."""
    settings = read_settings(
        {
            "GATEHOUSE_AGENT_TOKEN": TOKEN,
            "GATEHOUSE_PORTAL_URL": "http://127.0.0.1:1",
            "GATEHOUSE_AGENT_STATE": str(state),
        }
    )
    agent = build_agent(settings)
    agent.store.prepare({})
    text = Metrics(agent.applier, agent.plane, agent.shipper).render().decode()
    return {family.name for family in text_string_to_metric_families(text)}


def test_the_alerts_name_numbers_that_there_are() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len(rules) >= 8
    named = {name for rule in rules for name in re.findall(r"gatehouse_\w+", rule["expr"])}
    documented = set(re.findall(r"`(gatehouse_\w+)`", DOCUMENTED))
    whole = documented | {f"{name}{end}" for name in documented for end in ("_bucket", "_sum", "_count")}
    assert named - whole == set()
    for rule in rules:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert set(rule["annotations"]) == {"summary", "cure"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["expr"].count("(") == rule["expr"].count(")")


@pytest.fixture
def numbers(settings: Any) -> str:
    """The worker's own listener."""
    port = free_port()
    settings.WORKER_METRICS_LISTEN = f"127.0.0.1:{port}"
    worker_metrics.serve_numbers()
    return f"http://127.0.0.1:{port}"


def test_the_worker_hands_its_numbers_to_the_same_token(numbers: str) -> None:
    def ask(path: str, token: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{numbers}{path}", headers=headers, trust_env=False)
        return answer.status_code, answer.content

    assert ask("/metrics", "wrong") == (401, b"")
    assert ask("/", TOKEN) == (404, b"")
    status, body = ask("/metrics", TOKEN)
    assert status == 200
    assert b"gatehouse_tasks" in body


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"METRICS_TOKEN": "short"}, "gatehouse.E030"),
        ({"METRICS_TOKEN": "a" * 60}, "gatehouse.E030"),
        ({"WORKER_METRICS_LISTEN": "9102"}, "gatehouse.E031"),
        ({"WORKER_METRICS_LISTEN": "0.0.0.0:9102", "METRICS_TOKEN": ""}, "gatehouse.E032"),
        ({"WORKER_METRICS_LISTEN": "0.0.0.0:9102"}, ""),
        ({"WORKER_METRICS_LISTEN": "127.0.0.1:9102", "METRICS_TOKEN": ""}, ""),
    ],
)
def test_open_numbers_refuse_to_start(settings: Any, changes: dict[str, str], found: str) -> None:
    for name, one in changes.items():
        setattr(settings, name, one)
    ids = [str(check.id) for check in run_checks() if str(check.id).startswith("gatehouse.E03")]
    assert ids == ([found] if found else [])
