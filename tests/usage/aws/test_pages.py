"""Pages and REST say up to when calls at AWS are counted, how, and of which days AWS counted otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from gateways.models import GatewayNode
from teams.models import User
from tests import factories
from tests.usage.aws.conftest import Shop
from tests.usage.feeds import line
from usage.actions import ingest_batch
from usage.actions.aws_log import OVERLAP
from usage.models import AwsReading, CountDifference
from usage.queries import completeness
from usage.ranges import window

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
type Enter = Callable[..., Client]
type EnterRest = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as found:
        yield found


def api_page(client: Client, shop: Shop, range_: str = "1h") -> str:
    api = shop.publication.api_version.api
    answer = client.get(reverse("usage-api", args=[api.team.slug, api.slug]), {"range": range_})
    assert answer.status_code == 200
    return answer.content.decode()


def summary_of(client: APIClient, shop: Shop, range_: str = "1h") -> dict[str, object]:
    asked = {"api": shop.publication.api_version.api.public_id, "range": range_}
    found: dict[str, object] = client.get("/api/v1/usage/summary", asked).json()
    return found


def differ(shop: Shop, **values: object) -> CountDifference:
    version = shop.publication.api_version
    row = {
        "day": date(2026, 11, 2), "source": "metrics", "environment": shop.publication.environment.public_id,
        "api": version.api.public_id, "api_version": version.public_id, "calls_least": 90, "calls_most": 100,
        "calls_there": 1234, **values,
    }  # fmt: skip
    return CountDifference.objects.create(gateway=shop.gateway, **row)


def until(shop: Shop) -> datetime | None:
    return completeness([shop.gateway.pk], window("1h", timezone.now())).until


def test_calls_at_aws_stand_on_the_charts_beside_others(client_of: Enter, alice: User, at_aws: Shop) -> None:
    edge = factories.make_gateway("edge")
    on_edge = factories.make_publication(at_aws.publication.api_version, edge)
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=line(on_edge, at_aws.key) * 3)
    at_aws.call(4), at_aws.read()
    page = api_page(client_of(alice), at_aws)
    assert '<span class="value">7</span>' in page


def test_a_reading_says_up_to_when_it_is_complete(
    client_of: Enter, api_of: EnterRest, alice: User, at_aws: Shop
) -> None:
    assert until(at_aws) is None
    at_aws.read()
    assert until(at_aws) == NOW - OVERLAP
    page = api_page(client_of(alice), at_aws)
    assert f"calls on {at_aws.gateway.name} come from AWS some minutes late" in page
    found = summary_of(api_of(alice), at_aws)
    assert found["at_aws"] == [
        {"gateway": at_aws.gateway.slug, "counted_by": "log", "complete_until": "2026-11-03T11:55:00Z"}
    ]
    assert found["complete_until"] == "2026-11-03T11:55:00Z"
    assert found["waits_for"] == []


def test_figures_are_as_whole_as_the_slowest_gateway(at_aws: Shop) -> None:
    edge = factories.make_gateway("edge")
    GatewayNode.objects.create(gateway=edge, name="n1", heartbeat_at=NOW)
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=b"", complete_until=NOW)
    at_aws.read()
    both = completeness([edge.pk, at_aws.gateway.pk], window("1h", NOW))
    assert both.until == NOW - OVERLAP


def test_a_gateway_that_was_not_read_for_long_holds_figures_up(
    client_of: Enter, api_of: EnterRest, alice: User, at_aws: Shop, clock: time_machine.Traveller
) -> None:
    at_aws.read()
    clock.shift(timedelta(hours=1))
    assert "longer than usual" in api_page(client_of(alice), at_aws)
    assert summary_of(api_of(alice), at_aws)["waits_for"] == [f"{at_aws.gateway.slug}/aws"]


def test_without_a_log_it_is_said_that_keys_are_lacking(
    client_of: Enter, api_of: EnterRest, alice: User, at_aws: Shop
) -> None:
    at_aws.hold(logged_at=None, why="no role")
    at_aws.read()
    assert "are counted without their keys" in api_page(client_of(alice), at_aws)
    [told] = summary_of(api_of(alice), at_aws)["at_aws"]  # type: ignore[misc]
    assert told["counted_by"] == "metrics"


def test_an_account_that_is_not_used_for_usage_is_named_as_uncounted(
    client_of: Enter, api_of: EnterRest, alice: User, at_aws: Shop
) -> None:
    account = at_aws.gateway.aws_account
    account.features = ["rest"]
    account.save()
    assert "are not counted" in api_page(client_of(alice), at_aws)
    [told] = summary_of(api_of(alice), at_aws)["at_aws"]  # type: ignore[misc]
    assert told["counted_by"] == ""


def test_a_day_that_aws_counted_otherwise_stands_on_the_page_and_in_rest(
    client_of: Enter, api_of: EnterRest, alice: User, at_aws: Shop
) -> None:
    differ(at_aws)
    page = api_page(client_of(alice), at_aws, "7d")
    assert "AWS counted these days otherwise" in page
    assert "90 to 100 here, 1,234 by CloudWatch&#x27;s metrics" in page
    assert "AWS counted these days otherwise" not in api_page(client_of(alice), at_aws, "1h")
    [told] = summary_of(api_of(alice), at_aws, "7d")["differences"]  # type: ignore[misc]
    assert (told["day"], told["calls_most"], told["calls_there"]) == ("2026-11-02", 100, 1234)


def test_nobody_is_told_of_the_calls_of_others(
    client_of: Enter, api_of: EnterRest, dana: User, at_aws: Shop
) -> None:
    """Dana's team sees what is about its application: not the stage as a whole, and no other's keys."""
    application = at_aws.key.subscription.application
    own = differ(at_aws, source="plan", key_id=at_aws.key.key_id, application=application.public_id)
    differ(at_aws), differ(at_aws, source="plan", key_id="someoneelses", application="app_other")
    asked = {"application": application.public_id, "range": "7d"}
    found = api_of(dana).get("/api/v1/usage/summary", asked).json()["differences"]
    assert [row["key_id"] for row in found] == [own.key_id]
    page = client_of(dana).get(reverse("usage-application", args=[application.public_id]), {"range": "7d"})
    assert "someonee" not in page.content.decode()


def test_whoever_runs_the_gateway_sees_what_stands_against_it(
    client_of: Enter, api_of: EnterRest, ada: User, alice: User, at_aws: Shop
) -> None:
    at_aws.read()
    AwsReading.objects.update(trouble="arn:aws:sts::1:assumed-role may not logs:FilterLogEvents")
    differ(at_aws)
    address = reverse("gateway-calls", args=[at_aws.gateway.slug])
    page = client_of(ada).get(address).content.decode()
    assert "logs:FilterLogEvents" in page
    assert "AWS counted these days otherwise" in page
    page = client_of(alice).get(address).content.decode()
    assert "logs:FilterLogEvents" not in page
    assert "Something stands against it" in page
    assert "AWS counted these days otherwise" not in page
    rest = f"/api/v1/gateways/{at_aws.gateway.slug}/calls"
    told = api_of(ada).get(rest).json()
    assert len(told["differences"]) == 1
    assert "logs:FilterLogEvents" in told["trouble"]
    told = api_of(alice).get(rest).json()
    assert (told["differences"], told["trouble"]) == ([], "")
    assert told["at_aws"][0]["counted_by"] == "log"
    assert (
        address in client_of(ada).get(reverse("gateway-detail", args=[at_aws.gateway.slug])).content.decode()
    )


def test_who_may_not_see_gateways_finds_none(
    client_of: Enter, api_of: EnterRest, bob: User, at_aws: Shop
) -> None:
    """A developer."""
    assert client_of(bob).get(reverse("gateway-calls", args=[at_aws.gateway.slug])).status_code == 404
    assert api_of(bob).get(f"/api/v1/gateways/{at_aws.gateway.slug}/calls").status_code == 403


def test_a_gateway_with_nodes_says_it_by_them(client_of: Enter, ada: User, db: None) -> None:
    edge = factories.make_gateway("edge")
    page = client_of(ada).get(reverse("gateway-calls", args=[edge.slug])).content.decode()
    assert "No node has told of calls yet" in page


def test_a_quota_at_aws_is_said_to_end_late(client_of: Enter, dana: User, at_aws: Shop) -> None:
    address = reverse("usage-quota", args=[at_aws.key.subscription.public_id])
    assert "there a quota ends as late" in client_of(dana).get(address).content.decode()
    at_aws.publication.state = "withdrawn"
    at_aws.publication.save()
    assert "there a quota ends as late" not in client_of(dana).get(address).content.decode()
