"""Pages of functions: who sees what, forms that work, and what stands on them while a push is under way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from aws.models import AwsAccount, FunctionAlias, FunctionPush, FunctionVersion, LambdaFunction
from teams.models import Team, User
from tests.aws.factories import make_alias, make_function, make_push, make_version
from tests.aws.functions.conftest import CANARY, Worker, zipped

pytestmark = pytest.mark.django_db
Enter = Callable[[User | None], Client]


@pytest.fixture
def function(shop: Team, cloud: AwsAccount) -> LambdaFunction:
    return make_function(
        shop, cloud, role_arn=f"arn:aws:iam::{cloud.number}:role/runner", environment_names=["KEY"]
    )


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def url(function: LambdaFunction, rest: str = "") -> str:
    return f"/aws/functions/{function.public_id}/{rest}"


@pytest.mark.parametrize("who", ["charlie", "dana", "erin"])
def test_others_find_nothing(who: str, function: LambdaFunction, client_of: Enter, request: Any) -> None:
    browser = client_of(request.getfixturevalue(who))
    make_alias(make_version(function, 1))
    assert browser.get(url(function)).status_code in (403, 404)
    for rest in (
        "edit/",
        "code/",
        "publish/",
        "reserve/",
        "delete/",
        "push/",
        "aliases/live/",
        "aliases/live/remove/",
    ):
        assert browser.post(url(function, rest)).status_code in (403, 404)
    assert "Orders" not in text_of(browser.get("/aws/functions/"))


@pytest.mark.parametrize("who", ["frank", "ada"])
def test_overseers_see_and_change_nothing(
    who: str, function: LambdaFunction, client_of: Enter, request: Any
) -> None:
    browser = client_of(request.getfixturevalue(who))
    page = text_of(browser.get(url(function)))
    assert "gatehouse-shop-orders" in page
    assert "Configure…" not in page
    assert browser.post(url(function, "publish/"), {"note": "x"}).status_code in (403, 404)


def test_an_owner_makes_one_from_a_zip_and_follows_its_push(
    cloud: AwsAccount, alice: User, client_of: Enter, run: Worker
) -> None:
    browser = client_of(alice)
    values = {
        "team": "shop",
        "account": "cloud",
        "region": "eu-central-1",
        "name": "Orders",
        "source": "zip",
        "runtime": "python3.13",
        "handler": "app.handler",
        "architecture": "arm64",
        "memory_mb": "512",
        "timeout_s": "20",
        "environment": f"KEY={CANARY}\n",
    }
    wrong = browser.post("/aws/functions/new/", {**values, "file": SimpleUploadedFile("x.zip", b"no zip")})
    assert wrong.status_code == 422
    assert "This is no zip" in text_of(wrong)
    assert CANARY not in text_of(wrong)
    answer = browser.post("/aws/functions/new/", {**values, "file": SimpleUploadedFile("x.zip", zipped())})
    function = LambdaFunction.objects.get()
    assert answer.headers["Location"] == url(function)
    page = text_of(browser.get(url(function)))
    assert "Waits for the worker" in page
    assert 'hx-trigger="every 2s"' in page
    assert run.through(function).state == "succeeded"
    page = text_of(browser.get(url(function)))
    assert 'hx-trigger="every 2s"' not in page
    assert "KEY" in page
    assert CANARY not in page
    assert "Node" not in text_of(browser.get(url(function, "edit/"))).split("selected")[1][:40]


def test_a_waiting_and_a_failed_push_say_why(function: LambdaFunction, alice: User, client_of: Enter) -> None:
    waits = {
        "waits_on": "AWS takes the last change over",
        "waits_until": timezone.now() + timedelta(seconds=9),
    }
    push = make_push(function, "waiting", **waits)
    browser = client_of(alice)
    assert "AWS takes the last change over" in text_of(
        browser.get(url(function), headers={"HX-Request": "true"})
    )
    FunctionPush.objects.filter(pk=push.pk).update(state="failed", message="AWS denies lambda:CreateFunction")
    for page in (url(function), url(function, f"pushes/{push.public_id}/")):
        text = text_of(browser.get(page))
        assert "AWS denies lambda:CreateFunction" in text
        assert "Take it up again" in text
    assert browser.post(url(function, "push/")).status_code == 302
    push.refresh_from_db()
    assert push.state == "queued"


def test_versions_and_aliases_by_page(function: LambdaFunction, alice: User, client_of: Enter) -> None:
    browser = client_of(alice)
    assert browser.post(url(function, "publish/"), {"note": "first"}).status_code == 302
    assert FunctionVersion.objects.get().author == "Alice"
    FunctionVersion.objects.all().delete()
    for number in (1, 2):
        make_version(function, number, note=f"note {number}")
    assert browser.post(url(function, "alias/"), {"name": "live", "version": "1"}).status_code == 302
    wrong = browser.post(url(function, "aliases/live/"), {"version": "2", "second": "2", "weight": "5"})
    assert wrong.status_code == 422
    assert "two versions that differ" in text_of(wrong)
    answer = browser.post(url(function, "aliases/live/"), {"version": "1", "second": "2", "weight": "25"})
    assert answer.status_code == 302
    page = text_of(browser.get(url(function)))
    assert "75 %" in page
    assert "25 %" in page
    warm = browser.post(url(function, "aliases/live/warm/"), {"provisioned": "3"})
    assert warm.status_code == 422
    assert browser.post(url(function, "aliases/live/roll-back/")).status_code == 302
    assert FunctionAlias.objects.get().second is None
    assert browser.post(url(function, "aliases/live/warm/"), {"provisioned": "3"}).status_code == 302
    assert browser.post(url(function, "reserve/"), {"reserved": "2"}).status_code == 422
    assert browser.post(url(function, "aliases/live/remove/")).status_code == 302
    assert browser.get(url(function, "aliases/live/")).status_code == 404


def test_warnings_stand_on_top(function: LambdaFunction, alice: User, client_of: Enter) -> None:
    function.runtime = "python3.9"
    function.seen = {
        "open_policies": [{"qualifier": "live", "sid": "open", "why": "anybody"}],
        "unread": ["AWS denies lambda:GetPolicy."],
        "triggers": [
            {"source": "arn:aws:sqs:eu-central-1:1:q", "target": "t", "state": "Enabled", "batch": 1}
        ],
    }
    function.save()
    page = text_of(client_of(alice).get(url(function)))
    assert "no security updates since 2025-12-15" in page
    assert "lets anybody call the function" in page
    assert "AWS denies lambda:GetPolicy." in page
    assert "arn:aws:sqs:eu-central-1:1:q" in page
    assert "3 warnings" in text_of(client_of(alice).get("/aws/functions/"))
