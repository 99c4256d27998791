"""What AI calls consumed is counted once, by the runtime's feed alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db.models import Sum

from ai.runtime.feed import Attempt
from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from tests.usage.ai_feeds import ai_line, attempt, take_in
from usage.actions import FeedGap
from usage.feed import FeedMalformed
from usage.models import AiBucket, LedgerEntry, UsageBucket, UsageRecord


def sums(span: str = "m") -> dict[str, int]:
    names = ("calls", "failed", "input_tokens", "output_tokens", "cost_nano", "unpriced")
    found = AiBucket.objects.filter(span=span).aggregate(**{name: Sum(name) for name in names})
    return {name: value or 0 for name, value in found.items()}


def test_a_call_becomes_a_row_of_the_ledger_with_all_it_belongs_to(
    runtime: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(runtime, 0, ai_line(orders, key))
    entry = LedgerEntry.objects.get()
    assert entry.api == orders.api_version.api.public_id
    assert entry.environment == orders.environment.public_id
    assert entry.application == key.subscription.application.public_id
    assert entry.team == key.subscription.application.team.public_id
    assert (entry.model, entry.prompt, entry.provider_key) == ("mdl_1", "pmv_1", "pkey_1")
    assert (entry.input_tokens, entry.cached_input_tokens, entry.cost_nano, entry.currency) == (
        10,
        4,
        20_000,
        "USD",
    )


def test_tokens_and_cost_are_counted_here_and_calls_by_the_gateway_in_front(
    runtime: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(runtime, 0, ai_line(orders, key))
    assert sums() == {
        "calls": 1,
        "failed": 0,
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_nano": 20_000,
        "unpriced": 0,
    }
    assert sums("h") == sums("d") == sums()
    assert not UsageRecord.objects.exists()
    assert not UsageBucket.objects.exists()


def test_a_call_that_came_to_the_runtime_itself_is_counted_as_a_call_too(
    runtime: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(
        runtime,
        0,
        ai_line(orders, key, key_id=key.key_id, surface="chat", status=429, code="rate_limit_exceeded"),
    )
    record = UsageRecord.objects.get()
    assert (record.gateway, record.key_id, record.status, record.reason) == (
        runtime.public_id,
        key.key_id,
        429,
        "RL",
    )
    assert record.path == f"{orders.base_path}/chat/completions"


def test_a_batch_sent_twice_or_late_counts_once(
    runtime: Gateway, orders: Publication, key: Credential
) -> None:
    one = ai_line(orders, key)
    assert take_in(runtime, 0, one * 2) == 2 * len(one)
    assert take_in(runtime, 0, one * 2) == 2 * len(one)
    assert take_in(runtime, len(one), one * 3) == 4 * len(one)
    with pytest.raises(FeedGap):
        take_in(runtime, 9 * len(one), one)
    assert sums()["calls"] == LedgerEntry.objects.count() == 4


def test_every_attempt_is_billed_and_a_price_that_nobody_knows_is_not_nothing(
    runtime: Gateway, orders: Publication, key: Credential
) -> None:
    failed = Attempt("mdl_1", "pkey_1", 500, "api_error", 3.0)
    unpriced = attempt(cost=None, currency="")
    take_in(runtime, 0, ai_line(orders, key, attempts=[failed, attempt(), unpriced]))
    assert [entry.cost_nano for entry in LedgerEntry.objects.order_by("number")] == [0, 20_000, None]
    assert (sums()["calls"], sums()["unpriced"], sums()["cost_nano"]) == (1, 1, 20_000)


def test_currencies_are_never_added_up(runtime: Gateway, orders: Publication, key: Credential) -> None:
    take_in(runtime, 0, ai_line(orders, key, attempts=[attempt(), attempt(currency="EUR", cost=7)]))
    found = dict(AiBucket.objects.filter(span="m").values_list("currency", "cost_nano"))
    assert found == {"USD": 20_000, "EUR": 7}


def test_a_run_of_the_editor_belongs_to_its_team_alone(
    runtime: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(
        runtime, 0, ai_line(orders, key, endpoint="", subscription="", surface="editor", team="team_of_alice")
    )
    entry = LedgerEntry.objects.get()
    assert (entry.team, entry.api, entry.application) == ("team_of_alice", "", "")


@pytest.mark.parametrize(
    "broken",
    [b"[]\n", b"{}\n", b"[1,2,3]\n", b"no json\n", b'["x"' + b',""' * 20 + b"]\n"],
)
def test_a_line_that_is_no_call_changes_nothing(
    runtime: Gateway, orders: Publication, key: Credential, broken: bytes
) -> None:
    """T38."""
    with pytest.raises(FeedMalformed):
        take_in(runtime, 0, ai_line(orders, key) + broken)
    assert not LedgerEntry.objects.exists()


def test_the_time_of_a_call_is_that_of_the_runtime(
    runtime: Gateway, orders: Publication, key: Credential
) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    take_in(runtime, 0, ai_line(orders, key, at_ms=at.timestamp() * 1000))
    assert LedgerEntry.objects.get().at == at
