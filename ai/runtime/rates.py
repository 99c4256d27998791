"""Token rates and call rates of subscriptions, counted by this process alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ai.runtime.errors import Code, Refused
from ai.runtime.snapshot import Subscription


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """Buckets that refill evenly. Tokens are taken as estimated, and put right when they have been counted."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take_call(self, subscription: Subscription) -> None:
        """Count one call. Raises Refused above the rate."""
        rate = subscription.call_rate
        bucket = self._bucket(("calls", subscription.id), rate.burst, rate.calls / rate.period_s)
        if bucket.left < 1:
            wait = math.ceil((1 - bucket.left) * rate.period_s / rate.calls)
            text = (
                f"The plan allows {rate.calls} calls in {rate.period_s} seconds. Try again in {wait} seconds."
            )
            raise Refused(429, Code.RATE_LIMITED, text, retry_after=wait)
        bucket.left -= 1

    def take_tokens(self, subscription: Subscription, estimate: int) -> dict[str, str]:
        """Take what a call may need; gives the headers that tell what is left. Raises Refused above the rate."""
        rate = subscription.token_rate
        if rate is None:
            return {}
        per_second = rate.tokens / rate.period_s
        bucket = self._bucket(("tokens", subscription.id), rate.tokens, per_second)
        wanted = min(estimate, rate.tokens)
        if bucket.left < wanted:
            wait = math.ceil((wanted - bucket.left) / per_second)
            text = f"The plan allows {rate.tokens:,} tokens in {rate.period_s} seconds. Try again in {wait} seconds."
            raise Refused(429, Code.RATE_LIMITED, text, retry_after=wait, headers=self._headers(subscription))
        bucket.left -= estimate
        return self._headers(subscription)

    def put_right(self, subscription: Subscription, estimate: int, actual: int) -> None:
        """The call has been counted."""
        bucket = self._buckets.get(("tokens", subscription.id))
        if bucket is not None and subscription.token_rate is not None:
            bucket.left = min(float(subscription.token_rate.tokens), bucket.left + estimate - actual)

    def _headers(self, subscription: Subscription) -> dict[str, str]:
        """https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/"""
        rate = subscription.token_rate
        bucket = self._buckets.get(("tokens", subscription.id))
        if rate is None or bucket is None:
            return {}
        missing = rate.tokens - bucket.left
        reset = math.ceil(max(0.0, missing) * rate.period_s / rate.tokens)
        return {
            "ratelimit-policy": f'"tokens";q={rate.tokens};w={rate.period_s}',
            "ratelimit": f'"tokens";r={max(0, int(bucket.left))};t={reset}',
        }

    def _bucket(self, name: tuple[str, str], most: float, per_second: float) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(most, now)
        bucket.left = min(most, bucket.left + (now - bucket.at) * per_second)
        bucket.at = now
        return bucket
