"""Budgets that cannot be raced: every call holds what it may cost at most, and settles what it did.

The counters are in a Redis of their own, with its append-only file synced at every write, and one script admits a call
to all of its budgets or to none. A Redis that lost counts (empty, or older than what this process saw) is noticed by
its sequence number, and admits nothing until the portal has rebuilt it from the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import redis.asyncio as redis
from redis.exceptions import NoScriptError, RedisError

from ai.runtime.snapshot import Budget

PREFIX = "gatehouse:budget:"
READY = f"{PREFIX}ready"
SEQUENCE = f"{PREFIX}sequence"
HOLD_S = 900
"""A hold that was never settled, because its process died, ends by itself."""

_ADMIT = """
-- KEYS: ready, sequence, then two per budget (counter, holds). ARGV: last sequence seen, now, until, call, then two per
-- budget (amount, limit or -1 for none). Returns {1, sequence}, {0, number of the budget, spent, held}, or {-1} where
-- the counters cannot be trusted.
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1} end
local sequence = tonumber(redis.call('GET', KEYS[2]) or '0')
if sequence < tonumber(ARGV[1]) then return {-1} end
local count = (#KEYS - 2) / 2
for i = 1, count do
  local counter, holds = KEYS[1 + 2 * i], KEYS[2 + 2 * i]
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', ARGV[2], 'LIMIT', 0, 100)) do
    redis.call('ZREM', holds, old)
    redis.call('HINCRBY', counter, 'held', -tonumber(string.match(old, ':(%d+)$')))
  end
  local limit = tonumber(ARGV[4 + 2 * i])
  local spent = tonumber(redis.call('HGET', counter, 'spent') or '0')
  local held = tonumber(redis.call('HGET', counter, 'held') or '0')
  if limit >= 0 and spent + held + tonumber(ARGV[3 + 2 * i]) > limit then return {0, i, spent, held} end
end
for i = 1, count do
  local counter, holds = KEYS[1 + 2 * i], KEYS[2 + 2 * i]
  redis.call('HINCRBY', counter, 'held', ARGV[3 + 2 * i])
  redis.call('ZADD', holds, ARGV[3], ARGV[4] .. ':' .. ARGV[3 + 2 * i])
end
return {1, redis.call('INCR', KEYS[2])}
"""

_SETTLE = """
-- KEYS: sequence, then two per budget (counter, holds). ARGV: call, seconds to keep, then two per budget (held, spent).
-- A hold that has expired is not given back twice.
local count = (#KEYS - 1) / 2
local found = {}
for i = 1, count do
  local counter, holds = KEYS[2 * i], KEYS[1 + 2 * i]
  if redis.call('ZREM', holds, ARGV[1] .. ':' .. ARGV[1 + 2 * i]) == 1 then
    redis.call('HINCRBY', counter, 'held', -tonumber(ARGV[1 + 2 * i]))
  end
  found[i] = redis.call('HINCRBY', counter, 'spent', ARGV[2 + 2 * i])
  redis.call('EXPIRE', counter, ARGV[2])
  redis.call('EXPIRE', holds, ARGV[2])
end
found[count + 1] = redis.call('INCR', KEYS[1])
return found
"""

_KEPT_S = 40 * 86_400


class OverBudget(Exception):
    """A hard budget has no room. `until` is when its next period begins."""

    def __init__(self, budget: Budget, until: datetime) -> None:
        super().__init__(budget.label)
        self.budget = budget
        self.until = until


class CountersAway(Exception):
    """The counters cannot be asked, or cannot be trusted, and a budget does not let calls in without them."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs, or may cost at most. `nanos` None: nobody knows."""

    tokens: int
    nanos: int | None
    currency: str

    def amount(self, budget: Budget) -> int | None:
        """In the unit of a budget; None where it does not count there, or is not known."""
        if budget.unit == "tokens":
            return self.tokens
        return self.nanos if budget.currency == self.currency or self.nanos == 0 else None


@dataclass(frozen=True, slots=True)
class Hold:
    """What was set aside for one call: its budgets with the amount in each. `at` fixes the period."""

    call: str
    at: datetime
    amounts: tuple[tuple[Budget, int], ...]


NOTHING_HELD = Hold("", datetime.min.replace(tzinfo=UTC), ())


class Counters:
    """The counters of all budgets. `server` None: there is no Redis, so only budgets that fail open let calls in."""

    def __init__(self, server: redis.Redis | None) -> None:
        self._server = server
        self._seen = 0
        self._scripts: dict[str, str] = {}
        self.is_stale = False

    async def admit(self, call: str, budgets: Sequence[Budget], cost: Cost) -> Hold:
        """Set aside what a call may cost. Raises OverBudget, or CountersAway."""
        at = datetime.now(UTC)
        amounts = tuple((budget, amount) for budget in budgets if (amount := cost.amount(budget)) is not None)
        if not amounts:
            return NOTHING_HELD
        keys = [READY, SEQUENCE, *_keys(amounts, at)]
        now = at.timestamp()
        values: list[str | int | float] = [self._seen, now, now + HOLD_S, call]
        for budget, amount in amounts:
            values += [amount, budget.limit if budget.hard else -1]
        answer = await self._ask(_ADMIT, keys, values)
        if answer is None or answer[0] == -1:
            self.is_stale = answer is not None
            if all(budget.fail_open or not budget.hard for budget, _ in amounts):
                return NOTHING_HELD
            raise CountersAway
        self.is_stale = False
        if answer[0] == 0:
            budget = amounts[answer[1] - 1][0]
            raise OverBudget(budget, period_end(budget.period, at))
        self._seen = answer[1]
        return Hold(call, at, amounts)

    async def settle(self, hold: Hold, cost: Cost) -> None:
        """Put what a call did cost in the place of its hold. The ledger has it anyhow, if this cannot be done."""
        if not hold.amounts:
            return
        values: list[str | int | float] = [hold.call, _KEPT_S]
        for budget, held in hold.amounts:
            spent = cost.amount(budget)
            values += [held, held if spent is None else spent]
        answer = await self._ask(_SETTLE, [SEQUENCE, *_keys(hold.amounts, hold.at)], values)
        if answer is not None:
            self._seen = max(self._seen, answer[-1])

    async def close(self) -> None:
        """Close the connection."""
        if self._server is not None:
            await self._server.aclose()

    async def _ask(
        self, script: str, keys: Sequence[str], values: Sequence[str | int | float]
    ) -> list[int] | None:
        if self._server is None:
            return None
        sha = self._scripts.setdefault(
            script, hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        )
        try:
            try:
                return list(await self._server.evalsha(sha, len(keys), *keys, *values))
            except NoScriptError:
                return list(await self._server.eval(script, len(keys), *keys, *values))
        except (RedisError, OSError):
            return None


def counter_key(budget_id: str, period: str, at: datetime) -> str:
    """The name of a budget's counter in the period of `at`: a hash of `spent` and `held`."""
    return f"{PREFIX}{budget_id}:{period_start(period, at):%Y%m%d}"


def _keys(amounts: Iterable[tuple[Budget, int]], at: datetime) -> list[str]:
    found = []
    for budget, _ in amounts:
        counter = counter_key(budget.id, budget.period, at)
        found += [counter, f"{counter}:holds"]
    return found


def period_start(period: str, at: datetime) -> datetime:
    """When the day or the month of `at` began, in UTC."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if period == "day" else day.replace(day=1)


def period_end(period: str, at: datetime) -> datetime:
    """When the next one begins."""
    start = period_start(period, at)
    return start + timedelta(days=1) if period == "day" else (start + timedelta(days=32)).replace(day=1)


def budgets_of(
    budgets: Mapping[tuple[str, str], tuple[Budget, ...]], scopes: Iterable[tuple[str, str]]
) -> list[Budget]:
    """All budgets that a call counts against."""
    return [budget for scope in scopes for budget in budgets.get(scope, ())]
