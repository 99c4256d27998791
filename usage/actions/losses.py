"""What an agent knows to be lost, kept so that the pages can show the gap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction

from gateways.models import Gateway
from usage.actions.checkpoints import FeedGap, locked_checkpoint
from usage.models import FeedLoss

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loss:
    """What an agent says of a stretch of its feed; see FeedLoss."""

    node: str
    segment: str
    reason: str
    position: int
    size: int
    starts_at: datetime
    ends_at: datetime


@transaction.atomic
def note_loss(gateway: Gateway, loss: Loss) -> int:
    """Keep a loss, once however often it is told; the durable offset of its segment.

    A malformed line stands in the feed and nothing behind it would ever be taken: the checkpoint moves over it.
    Raises FeedGap when the feed before that line is not durable yet.
    """
    checkpoint = locked_checkpoint(gateway, loss.node, loss.segment)
    if loss.reason == FeedLoss.Reason.MALFORMED:
        if loss.position > checkpoint.offset:
            raise FeedGap(checkpoint.offset)
        if loss.position < checkpoint.offset:
            return checkpoint.offset
        checkpoint.offset += loss.size
        checkpoint.save()
    name = {"node": loss.node, "segment": loss.segment, "reason": loss.reason, "position": loss.position}
    values = {"size": loss.size, "starts_at": loss.starts_at, "ends_at": loss.ends_at}
    _loss, made = FeedLoss.objects.get_or_create(gateway=gateway, **name, defaults=values)
    if made:
        log.warning("usage.lost", gateway=gateway.slug, **name, size=loss.size)
    return checkpoint.offset
