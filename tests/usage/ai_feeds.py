"""Lines of an AI runtime's feed, as the runtime writes them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from ai.pricing import Usage
from ai.runtime.feed import Attempt, Record
from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from usage.actions import ingest_batch


def attempt(model: str = "mdl_1", **changes: Any) -> Attempt:
    """A request to a model that cost 0.00002 USD, unless `changes` say otherwise."""
    usual = {
        "usage": Usage(input=10, output=5, cached_input=4, reasoning=1),
        "cost": 20_000,
        "currency": "USD",
        "price_version": "2026-11-10",
    }
    return Attempt(model, "pkey_1", 200, "", 12.5, **{**usual, **changes})


def ai_line(publication: Publication, key: Credential, **changes: Any) -> bytes:
    """A call of a prompt with one attempt."""
    record = Record(
        at_ms=timezone.now().timestamp() * 1000,
        run="run_1",
        request_id="req-1",
        surface="prompt",
        endpoint=publication.public_id,
        subscription=key.subscription.public_id,
        prompt="pmv_1",
        status=200,
        team=key.subscription.application.team.public_id,
        attempts=[attempt()],
        duration_ms=40.0,
        vendor_ms=30.0,
    )
    for name, value in changes.items():
        setattr(record, name, value)
    return record.line()


def take_in(gateway: Gateway, offset: int, body: bytes, segment: str = "s1") -> int:
    """The durable offset after the batch."""
    return ingest_batch(gateway, node="n1", segment=segment, offset=offset, body=body)
