"""How counters of budgets become trustworthy: at their beginning, and after a Redis lost or forgot some.

1. A *generation* begins: the portal names the first one of a budget in the snapshot, later ones are made here, by
   whichever runtime finds that the present one cannot be trusted. Counters of another generation are others.
2. Every runtime writes a *mark* into its feed and counts under the new generation from there on. So a call is either
   told before the mark, or counted in Redis, and never both.
3. When the portal has taken in the marks of all runtimes, it adds up its ledger as far as the marks and gives the sum
   with the snapshot: `base`. Whoever is first adds it to the counter; the budget is ready.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from ai.runtime.budgets import all_of
from ai.runtime.counters import GENERATIONS, KEPT_S, READY, SEQUENCE, Counters, counter_key
from ai.runtime.feed import Feed
from ai.runtime.snapshot import Budget

TURN_S = 1.0

_LOOK = """
-- KEYS: sequence, generations, ready. ARGV: ids of budgets. Returns {sequence, generation of each, ready one of each}.
local answer = {tonumber(redis.call('GET', KEYS[1]) or '0')}
for i = 1, #ARGV do answer[1 + i] = redis.call('HGET', KEYS[2], ARGV[i]) or '' end
for i = 1, #ARGV do answer[1 + #ARGV + i] = redis.call('HGET', KEYS[3], ARGV[i]) or '' end
return answer
"""

_BEGIN = """
-- KEYS: sequence, generations, ready. ARGV: sequence that is at least to be, then three per budget: id, generation that
-- was seen, generation that is proposed. The proposal holds unless another runtime was first.
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
for i = 2, #ARGV, 3 do
  if (redis.call('HGET', KEYS[2], ARGV[i]) or '') == ARGV[i + 1] then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
    redis.call('HDEL', KEYS[3], ARGV[i])
  end
end
return 1
"""

_ADD = """
-- KEYS: sequence, generations, ready, counter. ARGV: budget, generation, base, seconds to keep.
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] or redis.call('HGET', KEYS[3], ARGV[1]) == ARGV[2] then return 0 end
redis.call('HINCRBY', KEYS[4], 'spent', ARGV[3])
redis.call('EXPIRE', KEYS[4], ARGV[4])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return redis.call('INCR', KEYS[1])
"""

_KEYS = (SEQUENCE, GENERATIONS, READY)


class Recount:
    """Brings the counters of the budgets in force to trust, again and again. `feed` gives the present feed."""

    def __init__(self, counters: Counters, feed: Callable[[], Feed]) -> None:
        self._counters = counters
        self._feed = feed
        self._turn = asyncio.Lock()

    async def keep(self) -> None:
        """Look once a second, until cancelled."""
        while True:
            await asyncio.sleep(TURN_S)
            await self.once()
            self._counters.remember()

    async def once(self, budgets: Sequence[Budget] | None = None) -> None:
        """One look at Redis for `budgets`, or for those in force, and what it calls for."""
        async with self._turn:
            if budgets is None:
                budgets = all_of(self._counters.budgets)
            if not budgets:
                self._counters.is_stale = False
                return
            found = await self._look(budgets)
            unsound = self._counters.lost if found.trusted else found.generations.keys()
            lost = [b for b in budgets if b.id in unsound or not found.generations.get(b.id)]
            if lost and found.is_there and await self._begin(lost, found):
                # A call that got lost meanwhile is told before the mark that follows: the ledger's sum has it.
                self._counters.lost.difference_update(budget.id for budget in lost)
                found = await self._look(budgets)
            if found.is_there and found.trusted:
                self._take_up(budgets, found)
                await self._add_bases(budgets, found)
            self._counters.is_stale = not found.is_there or not all(
                self._is_counted(budget, found) for budget in budgets
            )

    async def _look(self, budgets: Sequence[Budget]) -> _Found:
        seen = self._counters.seen
        answer = await self._counters.server.ask(_LOOK, _KEYS, [budget.id for budget in budgets])
        if not isinstance(answer, list):
            return _Found(False, False, {}, {})
        texts = [one.decode() if isinstance(one, bytes) else str(one) for one in answer[1:]]
        ids, count = [budget.id for budget in budgets], len(budgets)
        return _Found(
            True,
            int(str(answer[0])) >= seen,
            dict(zip(ids, texts[:count], strict=True)),
            dict(zip(ids, texts[count:], strict=True)),
        )

    async def _begin(self, budgets: Sequence[Budget], found: _Found) -> bool:
        values: list[str | int] = [self._counters.seen + 1]
        for budget in budgets:
            seen = found.generations[budget.id]
            first = budget.generation if budget.is_new and not seen else ""
            values += [budget.id, seen, first or secrets.token_hex(8)]
        return await self._counters.server.ask(_BEGIN, _KEYS, values) is not None

    def _take_up(self, budgets: Sequence[Budget], found: _Found) -> None:
        """Count under the present generations, and mark in the feed from where on.

        A runtime that has just started takes up what is ready as it is: what it told in its last life, it settled.
        """
        own, marks = self._counters.generations, {}
        for budget in budgets:
            present = found.generations[budget.id]
            if not present or own.get(budget.id) == present:
                continue
            if budget.id in own or found.ready[budget.id] != present:
                marks[budget.id] = present
            own[budget.id] = present
        if marks:
            self._feed().mark(marks)

    async def _add_bases(self, budgets: Sequence[Budget], found: _Found) -> None:
        for budget in budgets:
            present = found.generations[budget.id]
            is_for_it = budget.base is not None and budget.generation == present
            if is_for_it and found.ready[budget.id] != present:
                at = datetime.strptime(budget.base_period, "%Y%m%d").replace(tzinfo=UTC)
                counter = counter_key(budget.id, present, budget.period, at)
                values: list[str | int] = [budget.id, present, budget.base or 0, KEPT_S]
                if await self._counters.server.ask(_ADD, [*_KEYS, counter], values) is not None:
                    found.ready[budget.id] = present

    def _is_counted(self, budget: Budget, found: _Found) -> bool:
        present = found.generations.get(budget.id, "")
        return found.trusted and bool(present) and found.ready[budget.id] == present


class _Found:
    """What Redis says. `trusted` False: it is older than what was seen."""

    def __init__(
        self, is_there: bool, trusted: bool, generations: Mapping[str, str], ready: dict[str, str]
    ) -> None:
        self.is_there = is_there
        self.trusted = trusted
        self.generations = generations
        self.ready = ready
