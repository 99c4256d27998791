"""WebSocket APIs on MiniStack, spoken to by a real client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.aws.doubles.functions import CHAT, integration_of, make_function
from tests.aws.doubles.servers import Double, stage_path, unique

pytestmark = pytest.mark.xdist_group("ministack")
ROUTES = ("$connect", "$disconnect", "$default", "cheer")


@pytest.fixture(scope="module")
def api(ministack: Double) -> str:
    """A WebSocket API: its function lets in who has the key, and answers on two routes."""
    client = ministack.client("apigatewayv2")
    api = client.create_api(
        Name=unique("portal-chat"), ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    uri = integration_of(make_function(ministack, CHAT)["FunctionArn"])
    made = client.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=uri)
    for key in ROUTES:
        given = {} if key.endswith("connect") else {"RouteResponseSelectionExpression": "$default"}
        target = f"integrations/{made['IntegrationId']}"
        route = client.create_route(ApiId=api, RouteKey=key, Target=target, **given)
        if given:
            client.create_route_response(ApiId=api, RouteId=route["RouteId"], RouteResponseKey="$default")
    deployment = client.create_deployment(ApiId=api)["DeploymentId"]
    client.create_stage(ApiId=api, StageName="production", DeploymentId=deployment)
    return str(api)


def talk(double: Double, api: str, *messages: dict[str, Any], key: str = "of-dana") -> list[dict[str, Any]]:
    """Connect, say each message and hear the answer to it."""

    async def go() -> list[dict[str, Any]]:
        address = f"{double.url.replace('http', 'ws', 1)}{stage_path(api, 'production')}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, headers={"x-api-key": key}) as socket,
        ):
            heard = []
            for message in messages:
                await socket.send_json(message)
                heard.append(await socket.receive_json(timeout=20))
            return heard

    return asyncio.run(go())


def test_messages_go_by_the_route_that_they_name(ministack: Double, api: str) -> None:
    cheer, other = talk(ministack, api, {"action": "cheer", "n": 1}, {"n": 2})
    assert (cheer["route"], json.loads(cheer["heard"])) == ("cheer", {"action": "cheer", "n": 1})
    assert (other["route"], json.loads(other["heard"])) == ("$default", {"n": 2})
    assert cheer["connection"] == other["connection"]


def test_connect_refuses(ministack: Double, api: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        talk(ministack, api, {"n": 1}, key="of-nobody")
    assert refused.value.status == 403


def test_the_backend_can_speak_first_and_end_a_connection(ministack: Double, api: str) -> None:
    client = ministack.client("apigatewaymanagementapi", path=stage_path(api, "production"))

    async def go() -> tuple[str, aiohttp.WSMsgType]:
        address = f"{ministack.url.replace('http', 'ws', 1)}{stage_path(api, 'production')}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, headers={"x-api-key": "of-dana"}) as socket,
        ):
            await socket.send_json({})
            connection = (await socket.receive_json(timeout=20))["connection"]
            await asyncio.to_thread(client.post_to_connection, ConnectionId=connection, Data=b"news")
            news = await socket.receive_str(timeout=20)
            await asyncio.to_thread(client.delete_connection, ConnectionId=connection)
            return news, (await socket.receive(timeout=20)).type

    news, end = asyncio.run(go())
    assert news == "news"
    assert end in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
    with pytest.raises(client.exceptions.GoneException):
        client.post_to_connection(ConnectionId="gone=", Data=b"news")
