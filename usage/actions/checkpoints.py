"""Where a feed stands: one row per segment, locked by whoever moves it."""

from __future__ import annotations

from gateways.models import Gateway
from usage.models import FeedCheckpoint


class FeedGap(Exception):
    """The batch starts beyond what is durable. `offset` is where the agent must go on."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"The feed is durable up to byte {offset}; send on from there.")
        self.offset = offset


def locked_checkpoint(gateway: Gateway, node: str, segment: str) -> FeedCheckpoint:
    """The checkpoint of a segment, made when it is new, locked to the end of the transaction."""
    checkpoint, _made = FeedCheckpoint.objects.get_or_create(gateway=gateway, node=node, segment=segment)
    return FeedCheckpoint.objects.select_for_update().get(pk=checkpoint.pk)
