"""Counters of budgets that cannot be raced: every call holds what it may cost at most, and settles what it did.

They are in a Redis of their own, with its append-only file synced at every write, and one script admits a call to all
of its budgets or to none. All runtimes of a portal share it.

**Trust.** A count has a *generation*. Redis says which generation of a budget is the present one, and whether the
portal's ledger has been added to it (*ready*); a budget that is not ready admits nothing, unless it lets calls in
uncounted. A Redis that lost counts (empty, or older than what this process saw) begins a new generation: `recount`
tells how it comes to be ready again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import redis.asyncio as redis
from redis.exceptions import NoScriptError, RedisError

from ai.periods import period_end, period_start
from ai.runtime.budgets import Bill, Budgets, CountersAway, OverBudget
from ai.runtime.snapshot import Budget

PREFIX = "gatehouse:budget:"
SEQUENCE = f"{PREFIX}sequence"
GENERATIONS = f"{PREFIX}generations"
READY = f"{PREFIX}ready"
HOLD_S = 900
"""A hold that was never settled, because its process died, ends by itself."""
KEPT_S = 40 * 86_400

_ADMIT = """
-- KEYS: sequence, ready, then two per budget (counter, holds). ARGV: last sequence seen, now, until, call, then five a
-- budget: id, generation, amount, limit (-1 for none), whether it must be counted (1 or 0). Returns {-1, number of the
-- budget} that must be counted and is not ready, {0, number of the budget} without room, or {1, sequence, 1 or 0 per
-- budget: whether it is held}.
local trusted = tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1])
local count = (#KEYS - 2) / 2
local answer = {1, 0}
for i = 1, count do
  local at = 5 * i
  if trusted and redis.call('HGET', KEYS[2], ARGV[at]) == ARGV[at + 1] then
    local counter, holds = KEYS[1 + 2 * i], KEYS[2 + 2 * i]
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', ARGV[2], 'LIMIT', 0, 100)) do
      redis.call('ZREM', holds, old)
      redis.call('HINCRBY', counter, 'held', -tonumber(string.match(old, ':(%d+)$')))
    end
    local limit = tonumber(ARGV[at + 3])
    local spent = tonumber(redis.call('HGET', counter, 'spent') or '0')
    local held = tonumber(redis.call('HGET', counter, 'held') or '0')
    if limit >= 0 and spent + held + tonumber(ARGV[at + 2]) > limit then return {0, i} end
    answer[2 + i] = 1
  elseif ARGV[at + 4] == '1' then
    return {-1, i}
  else
    answer[2 + i] = 0
  end
end
for i = 1, count do
  if answer[2 + i] == 1 and ARGV[5 * i + 2] ~= '0' then
    local counter, holds, amount = KEYS[1 + 2 * i], KEYS[2 + 2 * i], ARGV[5 * i + 2]
    redis.call('HINCRBY', counter, 'held', amount)
    redis.call('ZADD', holds, ARGV[3], ARGV[4] .. ':' .. amount)
  end
end
answer[2] = redis.call('INCR', KEYS[1])
return answer
"""

_SETTLE = """
-- KEYS: sequence, then two per budget (counter, holds). ARGV: call, seconds to keep, then two per budget (held, spent);
-- held is -1 where nothing is. A hold that has expired is not given back twice.
for i = 1, (#KEYS - 1) / 2 do
  local counter, holds, held = KEYS[2 * i], KEYS[1 + 2 * i], ARGV[1 + 2 * i]
  if tonumber(held) > 0 and redis.call('ZREM', holds, ARGV[1] .. ':' .. held) == 1 then
    redis.call('HINCRBY', counter, 'held', -tonumber(held))
  end
  redis.call('HINCRBY', counter, 'spent', ARGV[2 + 2 * i])
  redis.call('EXPIRE', counter, ARGV[2])
  redis.call('EXPIRE', holds, ARGV[2])
end
return redis.call('INCR', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Hold:
    """What was set aside for one call: amounts by budget and generation. `at` fixes the period."""

    call: str
    at: datetime
    amounts: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be written for a call that is over. `budgets` are the ids of those that it counts in."""

    budgets: tuple[str, ...]
    keys: tuple[str, ...]
    values: tuple[str | int, ...]


class Server:
    """The Redis, asked by scripts alone. `client` None: there is none."""

    def __init__(self, client: redis.Redis | None) -> None:
        self._client = client
        self._digests: dict[str, str] = {}

    async def ask(
        self, script: str, keys: Sequence[str], values: Sequence[str | int | float]
    ) -> list[object] | int | None:
        """The answer of a script; None where the server cannot be asked."""
        if self._client is None:
            return None
        digest = self._digests.setdefault(
            script, hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        )
        try:
            try:
                return await self._client.evalsha(digest, len(keys), *keys, *values)  # type: ignore[no-any-return]
            except NoScriptError:
                return await self._client.eval(script, len(keys), *keys, *values)  # type: ignore[no-any-return]
        except (RedisError, OSError):
            return None

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()


class Counters:
    """The counters of all budgets.

    `budgets` are those in force, `generations` those under which this process counts, by budget. `seen` is the highest
    sequence it saw; it is kept in `memory`, so that a Redis older than the last life of this process is noticed, too.
    `lost` are budgets in whose counters a call is missing.
    """

    def __init__(self, server: Server, memory: Path | None = None) -> None:
        self.server = server
        self.budgets: Budgets = {}
        self.generations: dict[str, str] = {}
        self.is_stale = False
        self.lost: set[str] = set()
        self._memory = memory
        self.seen = self._kept = _remembered(memory)

    async def admit(self, call: str, at: datetime, budgets: Sequence[Budget], bill: Bill) -> Hold:
        """Set aside what a call may cost. Raises OverBudget, or CountersAway."""
        now = datetime.now(UTC).timestamp()
        keys = [SEQUENCE, READY]
        values: list[str | int | float] = [self.seen, now, now + HOLD_S, call]
        amounts = [bill.amount(budget) or 0 for budget in budgets]
        for budget, amount in zip(budgets, amounts, strict=True):
            generation = self.generations.get(budget.id, "")
            keys += _keys(budget, generation, at)
            limit = budget.limit if budget.hard else -1
            values += [budget.id, generation or "-", amount, limit, int(_must_count(budget))]
        answer = await self.server.ask(_ADMIT, keys, values)
        numbers = [int(one) for one in answer] if isinstance(answer, list) else None  # type: ignore[call-overload]
        if numbers is None:
            return self._uncounted(call, at, budgets)
        if numbers[0] == 1:
            self.seen = max(self.seen, numbers[1])
            held = zip(budgets, amounts, numbers[2:], strict=True)
            return Hold(call, at, {(b.id, self.generations[b.id]): a for b, a, is_held in held if is_held})
        budget = budgets[numbers[1] - 1]
        if numbers[0] == 0:
            raise OverBudget(budget, period_end(budget.period, at))
        self.is_stale = True
        raise CountersAway(budget)

    def _uncounted(self, call: str, at: datetime, budgets: Sequence[Budget]) -> Hold:
        self.is_stale = True
        for budget in budgets:
            if _must_count(budget):
                raise CountersAway(budget)
        return Hold(call, at)

    def settlement(self, hold: Hold, budgets: Iterable[Budget], bill: Bill) -> Settlement | None:
        """What puts the cost of a call in the place of its hold; None for nothing.

        To be taken in the very turn of the loop in which the call is written into the feed: a call is counted by its
        line where that stands before the mark of a generation, and here where it stands behind it.
        """
        keys = [SEQUENCE]
        values: list[str | int] = [hold.call, KEPT_S]
        counted = []
        for budget in budgets:
            generation = self.generations.get(budget.id)
            if generation is not None:
                counted.append(budget.id)
                held = hold.amounts.get((budget.id, generation), -1)
                spent = bill.amount(budget)
                keys += _keys(budget, generation, hold.at)
                values += [held, max(held, 0) if spent is None else spent]
        return Settlement(tuple(counted), tuple(keys), tuple(values)) if counted else None

    async def settle(self, settlement: Settlement) -> None:
        """Write it. Where that cannot be done, the ledger alone has it: its budgets are to be counted anew."""
        answer = await self.server.ask(_SETTLE, settlement.keys, settlement.values)
        if isinstance(answer, int):
            self.seen = max(self.seen, answer)
        else:
            self.lost.update(settlement.budgets)

    def remember(self) -> None:
        """Keep the sequence that was seen."""
        if self._memory is not None and self.seen != self._kept:
            self._memory.write_text(str(self.seen))
            self._kept = self.seen


def counter_key(budget_id: str, generation: str, period: str, at: datetime) -> str:
    """The name of a budget's counter in the period of `at`: a hash of `spent` and `held`."""
    return f"{PREFIX}{budget_id}:{generation}:{period_start(period, at):%Y%m%d}"


def _keys(budget: Budget, generation: str, at: datetime) -> tuple[str, str]:
    counter = counter_key(budget.id, generation, budget.period, at)
    return counter, f"{counter}:holds"


def _must_count(budget: Budget) -> bool:
    """Whether calls wait until it can be counted. One that has just been made has never been relied on."""
    return budget.hard and not budget.fail_open and not budget.is_new


def _remembered(memory: Path | None) -> int:
    try:
        return int(memory.read_text()) if memory is not None else 0
    except (OSError, ValueError):
        return 0
