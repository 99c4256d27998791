"""From an AwsAccount to calls in it: the one place that opens an external id."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from redis import Redis

from aws.client.account import Account
from aws.client.buckets import Buckets, Priority, Waiting
from aws.client.calls import Calls
from aws.external_ids import open_external_id
from aws.models import AwsAccount

ANSWER_S = 2.0
"""So long Redis may take: whoever waits for a page waits for it too."""


def account_of(account: AwsAccount, region: str = "") -> Account:
    """The account as the client knows it, in `region` or its first one. Raises audit.sealing.SealBroken."""
    return Account(
        id=account.public_id,
        region=region or account.regions[0],
        role_arn=account.role_arn,
        external_id=open_external_id(account),
        endpoint_url=account.endpoint_url,
        number=account.number,
    )


def calls_for(
    account: AwsAccount, *, who: str, region: str = "", priority: Priority = Priority.PUSH
) -> Calls:
    """Calls in the account. `who` is shown to whoever waits on the same limit, and in CloudTrail.

    Raises audit.sealing.SealBroken. A retired account has no external id any more: AWS lets nobody in.
    """
    return Calls(account_of(account, region), buckets(), who=who, priority=priority)


def waiting_in(account: AwsAccount) -> list[tuple[str, Waiting]]:
    """What waits on a limit of AWS, by Region, the longest first. Raises MustWait when Redis is away."""
    return [
        (region, one)
        for region in account.regions
        for one in buckets().waiting(Account(id=account.public_id, region=region, number=account.number))
    ]


@cache
def buckets() -> Buckets:
    """The token buckets that all processes share."""
    address = settings.CACHES["default"]["LOCATION"]
    return Buckets(Redis.from_url(address, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S))
