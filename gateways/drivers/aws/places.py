"""Where callers reach what is published."""

from __future__ import annotations

from aws.client.regions import partition_of
from gateways.drivers.aws.kinds import ApiType

_DOMAINS = {"aws-cn": "amazonaws.com.cn"}


def stage_url(
    api: str, stage: str, *, region: str, endpoint_url: str = "", kind: ApiType = ApiType.REST
) -> str:
    """What callers write before the path of an operation; `endpoint_url` is that of a simulated AWS.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-call-api.html
    """
    if endpoint_url:
        found = f"{endpoint_url.rstrip('/')}/_aws/execute-api/{api}/{stage}"
    else:
        domain = _DOMAINS.get(partition_of(region), "amazonaws.com")
        found = f"https://{api}.execute-api.{region}.{domain}/{stage}"
    return found.replace("http", "ws", 1) if kind is ApiType.WEBSOCKET else found
