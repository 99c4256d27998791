"""Functions over REST: the whole path, refused personas, bodies that are wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from aws.models import AwsAccount, FunctionAlias, LambdaFunction
from teams.models import Team
from tests import factories
from tests.aws.factories import make_alias, make_function, make_push, make_version
from tests.aws.functions.conftest import CANARY, ROLE, Worker, there, zipped

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/aws-functions"
Call = Callable[[Any], APIClient]


@pytest.fixture
def by() -> Call:
    """A client with a token of that person's."""

    def enter(user: Any) -> APIClient:
        _token, value = factories.make_api_token(user=user)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
        return client

    return enter


@pytest.fixture
def function(shop: Team, cloud: AwsAccount) -> LambdaFunction:
    return make_function(shop, cloud, role_arn=f"arn:aws:iam::{cloud.number}:role/runner")


def test_the_whole_path(cloud: AwsAccount, alice: Any, by: Call, run: Worker, fake: Any) -> None:
    client = by(alice)
    body = {
        "team": "shop",
        "account": "cloud",
        "region": "eu-central-1",
        "name": "Orders",
        "zip": base64.b64encode(zipped()).decode(),
        "runtime": "python3.13",
        "handler": "app.handler",
        "role_arn": ROLE.format(number=cloud.number),
        "environment": {"KEY": CANARY},
    }
    made = client.post(ROOT, body, format="json")
    assert made.status_code == 201, made.data
    assert CANARY not in made.content.decode()
    assert made.data["environment_names"] == ["KEY"]
    one = f"{ROOT}/{made.data['id']}"
    function = LambdaFunction.objects.get()
    run.through(function)
    assert client.get(one).data["state"] == "active"
    assert client.post(f"{one}/publish", {"note": "first"}, format="json").status_code == 202
    run.through(function)
    client.put(f"{one}/code", zipped("two"), content_type="application/zip")
    client.patch(one, {"memory_mb": 512}, format="json")
    client.post(f"{one}/publish", {}, format="json")
    run.through(function)
    numbers = [row["number"] for row in client.get(f"{one}/versions").data["results"]]
    assert numbers == [2, 1]
    alias = client.put(f"{one}/aliases/live", {"version": 1, "second": 2, "weight": 10}, format="json")
    assert alias.status_code == 200, alias.data
    run.through(function)
    assert there(fake, function).aliases["live"].weights == {"2": 0.1}
    assert client.post(f"{one}/aliases/live/roll-back").data["second"] is None
    assert client.put(f"{one}/aliases/live/provisioned", {"provisioned": 2}, format="json").status_code == 200
    assert client.put(f"{one}/reserved", {"reserved": 50}, format="json").data["reserved"] == 50
    push = run.through(function)
    journal = client.get(f"{one}/pushes/{push.public_id}").data
    assert [step["name"] for step in journal["steps"]] == ["set_reserved", "set_alias", "warm", "look"]
    assert client.delete(f"{one}/aliases/live").status_code == 204
    assert client.post(f"{one}/delete", {"note": "Over."}, format="json").data["state"] == "leaving"
    run.through(function)
    assert client.get(one).data["state"] == "gone"


@pytest.mark.parametrize("who", ["charlie", "dana", "erin", "frank", "ada"])
def test_refused_personas(who: str, function: LambdaFunction, by: Call, request: Any) -> None:
    make_alias(make_version(function, 1))
    push = make_push(function)
    client, one = by(request.getfixturevalue(who)), f"{ROOT}/{function.public_id}"
    for method, path, body in (
        ("patch", "", {"memory_mb": 512}),
        ("put", "/code", {"image_uri": "x"}),
        ("put", "/reserved", {"reserved": 1}),
        ("post", "/publish", {}),
        ("post", "/prune", {}),
        ("post", "/push", {}),
        ("post", "/delete", {}),
        ("put", "/aliases/live", {"version": 1}),
        ("post", "/aliases/live/roll-back", {}),
        ("put", "/aliases/live/provisioned", {"provisioned": 1}),
        ("delete", "/aliases/live", None),
    ):
        answer = getattr(client, method)(one + path, body, format="json")
        assert answer.status_code in (403, 404), (method, path)
    sees = who in {"frank", "ada"}
    for path in ("", "/versions", "/aliases", "/pushes", f"/pushes/{push.public_id}", "/aliases/live"):
        assert (client.get(one + path).status_code == 200) is sees
    function.refresh_from_db()
    assert (function.memory_mb, FunctionAlias.objects.get().removed_at) == (256, None)


def test_wrong_bodies_are_named(function: LambdaFunction, alice: Any, by: Call) -> None:
    client, one = by(alice), f"{ROOT}/{function.public_id}"
    place = {"team": "shop", "account": "cloud", "region": "eu-central-1", "name": "New"}
    for answer, words in (
        (client.post(ROOT, {**place, "zip": "###"}, format="json"), "no base64"),
        (
            client.post(ROOT, {**place, "region": "eu-west-9", "image_uri": "x"}, format="json"),
            "not connected in eu-west-9",
        ),
        (client.put(f"{one}/code", b"no zip", content_type="application/zip"), "This is no zip"),
        (client.put(f"{one}/aliases/live", {"version": 9}, format="json"), "There is no version 9"),
        (client.patch(one, {"runtime": "python2.7"}, format="json"), "it ended 2021-07-15"),
    ):
        assert answer.status_code == 422, answer.data
        assert words in answer.content.decode()
