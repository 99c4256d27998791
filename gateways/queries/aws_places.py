"""Where a gateway at AWS can be made."""

from __future__ import annotations

from typing import NamedTuple

from aws.models import AwsAccount, Feature
from gateways.models import Gateway
from teams.models import Actor


class AwsPlace(NamedTuple):
    """A Region of an account. `value` stands in forms."""

    account: AwsAccount
    region: str

    @property
    def value(self) -> str:
        return f"{self.account.slug}/{self.region}"


def free_aws_places(actor: Actor) -> list[AwsPlace]:
    """Each Region of each connected account that `actor` sees and where no gateway is; by name of the account."""
    taken = set(
        Gateway.objects.active().filter(kind=Gateway.Kind.AWS).values_list("aws_account", "aws_region")
    )
    connected = AwsAccount.objects.visible_to(actor).filter(
        state=AwsAccount.State.CONNECTED, features__contains=[Feature.REST]
    )
    return [
        AwsPlace(account, region)
        for account in connected.order_by("name", "pk")
        for region in account.regions
        if (account.pk, region) not in taken
    ]
