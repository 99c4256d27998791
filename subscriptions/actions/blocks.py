"""Blocks: a used-up quota stops a subscription until a moment. The subscription's own state does not change."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.models import ActionRefused
from subscriptions.actions.locks import lock_subscription
from subscriptions.models import Block, Subscription
from teams.models import SYSTEM, Actor, Verb


@transaction.atomic
def block_until(
    subscription: Subscription, reason: Block.Reason | str, until: datetime, *, actor: Actor = SYSTEM
) -> Block:
    """Have gateways answer 429 until `until`. Said again it changes nothing; a later `until` extends the block.

    Raises ActionRefused for a closed subscription.
    """
    subscription = lock_subscription(subscription.pk)
    actor.require(Verb.SUBSCRIPTION_SUSPEND, subscription.api_version.api.team)
    if subscription.state == Subscription.State.CLOSED:
        raise ActionRefused(_("The subscription is closed: nothing to block."), code="subscription_closed")
    block = subscription.blocks.filter(reason=reason, lifted_at=None).first()
    if block is not None and block.until >= until:
        return block
    before = {"until": block.until.isoformat()} if block else {}
    block = block or Block(subscription=subscription, reason=reason)
    block.until = until
    block.full_clean()
    block.save()
    record_event("block.set", block, actor=actor, before=before, after=_facts(block))
    return block


@transaction.atomic
def lift_block(block: Block, *, actor: Actor = SYSTEM) -> Block:
    """End a block now. Raises ActionRefused when it has ended already."""
    subscription = lock_subscription(block.subscription_id)
    actor.require(Verb.SUBSCRIPTION_SUSPEND, subscription.api_version.api.team)
    block = Block.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=block.pk)
    if block.lifted_at is not None:
        raise ActionRefused(_("This block has ended already."), code="already_lifted")
    return _lift(block, actor=actor)


def lift_open_blocks(subscription: Subscription, *, actor: Actor) -> None:
    """End every block of a subscription that closes or changes its plan. The caller holds its lock."""
    for block in subscription.blocks.filter(lifted_at=None).order_by("pk"):
        _lift(block, actor=actor)


def lift_blocks(*, now: datetime, most: int = 500) -> int:
    """End up to `most` blocks whose time is over, each in its own transaction; the number ended."""
    due = Block.objects.filter(lifted_at=None, until__lte=now).order_by("until")
    return sum(_lift_due(block, now) for block in due[:most])


@transaction.atomic
def _lift_due(block: Block, now: datetime) -> bool:
    lock_subscription(block.subscription_id)
    current = Block.objects.filter(pk=block.pk, lifted_at=None, until__lte=now).first()
    if current is None:
        return False
    _lift(current, actor=SYSTEM)
    return True


def _lift(block: Block, *, actor: Actor) -> Block:
    block.lifted_at = timezone.now()
    block.save()
    record_event("block.lifted", block, actor=actor, before=_facts(block))
    return block


def _facts(block: Block) -> dict[str, str]:
    return {
        "reason": block.reason,
        "until": block.until.isoformat(),
        "subscription": block.subscription.public_id,
    }
