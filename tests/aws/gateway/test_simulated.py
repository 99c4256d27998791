"""HTTP and WebSocket APIs on the simulated AWS, through the driver and under the portal's own policies: functions, the
authorizer among them, really run, and are called over the network."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
import redis

from aws.client.buckets import Buckets
from gateways.engine.document import Item
from tests.aws.doubles.functions import ECHO, make_function
from tests.aws.doubles.servers import Double, unique
from tests.aws.gateway.conftest import BASE, blocked, grant, key, new_gateway, upstream, without
from tests.aws.gateway.simulated import Simulated, connected, role_of_functions
from tests.aws.gateway.test_http import shop

pytestmark = [pytest.mark.xdist_group("ministack"), pytest.mark.django_db]
CHAT = """
import json

def handler(event, context):
    said = {"route": event["requestContext"]["routeKey"], "heard": event.get("body")}
    said["caller"] = (event["requestContext"].get("authorizer") or {}).get("subscription")
    return {"statusCode": 200, "body": json.dumps(said)}
"""


@pytest.fixture
def simulated(guarded_aws: Double, counters: redis.Redis) -> Simulated:
    prefix = f"test:{unique('ministack')}:"
    return connected(guarded_aws, Buckets(counters, prefix=prefix), new_gateway().pk)


def function(double: Double, source: str) -> Item:
    """The alias of a new function, which the portal may let API Gateway call: its name begins as ours do."""
    client = double.client("lambda")
    given = {"FunctionName": unique("house-orders"), "Role": role_of_functions(double)}
    name = make_function(double, source, **given)["FunctionName"]
    version = client.publish_version(FunctionName=name)["Version"]
    return upstream(client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)["AliasArn"])


def call(simulated: Simulated, value: str = "", path: str = "/orders") -> Any:
    headers = {"x-api-key": value} if value else {}
    return simulated.double.call(*simulated.place("http"), path, headers=headers)


def test_an_http_api_lets_in_who_has_a_key_until_it_is_revoked(simulated: Simulated) -> None:
    behind = function(simulated.double, ECHO)
    items = (*without(shop("http"), "bnd_1"), behind, grant("b", "1"), key("b"))
    simulated.settle(*items)
    assert call(simulated).status_code == 401
    assert call(simulated, key("c").value).status_code == 403
    answer = call(simulated, key("a").value)
    assert answer.status_code == 200, answer.text
    event = answer.json()["event"]
    assert event["requestContext"]["authorizer"]["lambda"] == {"subscription": "sub_a", "key": "crd_a"}
    assert call(simulated, key("a").value, "/secrets").status_code == 404
    simulated.settle(*items, blocked("b"))
    assert [call(simulated, key(name).value).status_code for name in "ab"] == [200, 403]
    simulated.settle(*without(items, "crd_a"))
    assert [call(simulated, key(name).value).status_code for name in "ab"] == [403, 200]


def test_a_websocket_api_lets_in_who_has_a_key_until_it_is_revoked(simulated: Simulated) -> None:
    behind = function(simulated.double, CHAT)
    routes: dict[str, Any] = {"$connect": {}, "$default": {}, "cheer": {}}
    items = (*without(shop("websocket", routes=routes), "bnd_1"), behind, grant("b", "1"), key("b"))
    simulated.settle(*items)
    cheer, other = talk(simulated, key("a").value, {"action": "cheer"}, {"n": 2})
    assert (cheer["route"], json.loads(cheer["heard"])) == ("cheer", {"action": "cheer"})
    assert other["route"] == "$default"
    assert [refused(simulated, value) for value in ("", key("c").value)] == [401, 403]
    simulated.settle(*without(items, "crd_a"))
    assert refused(simulated, key("a").value) == 403
    assert talk(simulated, key("b").value, {"n": 1})[0]["route"] == "$default"


def test_what_is_taken_away_leaves_nothing_behind(simulated: Simulated) -> None:
    simulated.settle(*shop("http"))
    api, _stage = simulated.place("http")
    name = simulated.driver()._names.authorizer
    simulated.settle(*BASE)
    root = simulated.double
    assert api not in [one["ApiId"] for one in root.client("apigatewayv2").get_apis()["Items"]]
    assert name not in [one["FunctionName"] for one in root.client("lambda").list_functions()["Functions"]]
    assert name not in [one["RoleName"] for one in root.client("iam").list_roles()["Roles"]]


def talk(simulated: Simulated, value: str, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Connect, say each message and hear the answer to it."""

    address = f"{simulated.double.url.replace('http', 'ws', 1)}{simulated.path('websocket')}"

    async def go() -> list[dict[str, Any]]:
        headers = {"x-api-key": value} if value else {}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, headers=headers) as socket,
        ):
            heard = []
            for message in messages:
                await socket.send_json(message)
                heard.append(await socket.receive_json(timeout=20))
            return heard

    return asyncio.run(go())


def refused(simulated: Simulated, value: str) -> int:
    """The status with which the handshake is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        talk(simulated, value, {"n": 1})
    return refusal.value.status
