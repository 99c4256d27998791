"""Token buckets that keep the portal within AWS's fixed rates, so that AWS does not have to.

They are in Redis and go by its clock: all workers share them. AWS counts per account and Region, people and other tools
included; so of the total the portal takes 60 %, and 90 % of what one operation has alone. Nothing here sleeps.

Who is told to wait has a place in a queue: as many go through as there are tokens, by priority and then by the time
since when they wait. A place ends by itself when nobody comes back to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from aws.client.account import Account
from aws.client.errors import MustWait
from aws.client.limits import Limit, limits_of

PREFIX = "gatehouse:aws:"
TOTAL_SHARE = 0.6
OWN_SHARE = 0.9
GRACE_S = 15
"""How long after its time a place in the queue is kept: a worker that is busy comes back late."""
KEPT_S = 86_400
AWAY_S = 5.0
_CLASS = 1e11
"""What lies between two priorities in the score of a place: more than any time."""


class Priority(IntEnum):
    """Who goes first. Each later one leaves a larger part of a burst to those before it."""

    INTERACTIVE = 0
    PUSH = 1
    DRIFT = 2
    USAGE = 3


_LEAVES = {Priority.INTERACTIVE: 0.0, Priority.PUSH: 1 / 6, Priority.DRIFT: 1 / 2, Priority.USAGE: 2 / 3}

_NOW = """
local function the_time(given)
  if given ~= '' then return tonumber(given) end
  local said = redis.call('TIME')
  return tonumber(said[1]) + tonumber(said[2]) / 1000000
end
"""

_TAKE = (
    _NOW
    + """
-- KEYS: the index of limits, then three a limit: bucket, queue (score: class and since), ends (score: when a place
-- ends). ARGV: time or '', who, score of the class, grace, seconds to keep, then four a limit: name, rate, burst, what
-- is left to others. Answers '0' when a token of each limit was taken, else the seconds to wait; then none was.
local now, who, grace = the_time(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local count, wait, tokens, waits = (#KEYS - 1) / 3, 0, {}, {}
for i = 1, count do
  local bucket, queue, ends = KEYS[3 * i - 1], KEYS[3 * i], KEYS[3 * i + 1]
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
    redis.call('ZREM', ends, gone)
    redis.call('ZREM', queue, gone)
  end
  local rate, burst, left = tonumber(ARGV[4 * i + 3]), tonumber(ARGV[4 * i + 4]), tonumber(ARGV[4 * i + 5])
  local known = redis.call('HMGET', bucket, 'tokens', 'at', 'held')
  local at = tonumber(known[2] or now)
  tokens[i] = math.min(burst, tonumber(known[1] or burst) + math.max(0, now - at) * rate)
  local place, ahead = redis.call('ZSCORE', queue, who), 0
  if place and math.floor(tonumber(place) / 1e11) * 1e11 == tonumber(ARGV[3]) then
    ahead = redis.call('ZRANK', queue, who)
  else
    local since = place and tonumber(place) % 1e11 or now
    ahead = redis.call('ZCOUNT', queue, '-inf', string.format('%.6f', tonumber(ARGV[3]) + since))
  end
  waits[i] = math.max(0, (1 + ahead + left - tokens[i]) / rate, tonumber(known[3] or 0) - now)
  if waits[i] < 0.000001 then waits[i] = 0 end
  wait = math.max(wait, waits[i])
end
for i = 1, count do
  local bucket, queue, ends = KEYS[3 * i - 1], KEYS[3 * i], KEYS[3 * i + 1]
  if wait == 0 then
    redis.call('ZREM', queue, who)
    redis.call('ZREM', ends, who)
    redis.call('HSET', bucket, 'tokens', string.format('%.9f', tokens[i] - 1), 'at', string.format('%.6f', now))
    redis.call('EXPIRE', bucket, ARGV[5])
  elseif waits[i] > 0 then
    local place = redis.call('ZSCORE', queue, who)
    local since = place and tonumber(place) % 1e11 or now
    redis.call('ZADD', queue, string.format('%.6f', tonumber(ARGV[3]) + since), who)
    redis.call('ZADD', ends, string.format('%.6f', now + wait + grace), who)
    redis.call('SADD', KEYS[1], ARGV[4 * i + 2])
    for _, key in ipairs({KEYS[1], queue, ends}) do redis.call('EXPIRE', key, ARGV[5]) end
  end
end
return string.format('%.6f', wait)
"""
)

_HOLD = (
    _NOW
    + """
-- KEYS: bucket. ARGV: time or '', seconds to hold, seconds to keep. AWS knows better than the count that is here.
local held = the_time(ARGV[1]) + tonumber(ARGV[2])
held = math.max(held, tonumber(redis.call('HGET', KEYS[1], 'held') or 0))
redis.call('HSET', KEYS[1], 'held', string.format('%.6f', held))
redis.call('EXPIRE', KEYS[1], ARGV[3])
"""
)

_WAITING = (
    _NOW
    + """
-- KEYS: the index of limits. ARGV: time or '', what the other keys begin with, grace. Answers four a place: limit, who,
-- seconds until its time, since.
local now, answer = the_time(ARGV[1]), {}
for _, limit in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local queue, ends = ARGV[2] .. limit .. ':queue', ARGV[2] .. limit .. ':ends'
  local places = redis.call('ZRANGE', queue, 0, -1, 'WITHSCORES')
  local any = false
  for i = 1, #places, 2 do
    local ending = tonumber(redis.call('ZSCORE', ends, places[i]) or 0)
    if ending > now then
      any = true
      for _, value in ipairs({limit, places[i], string.format('%.6f', ending - now - tonumber(ARGV[3])),
                              string.format('%.6f', tonumber(places[i + 1]) % 1e11)}) do
        table.insert(answer, value)
      end
    end
  end
  if not any then redis.call('SREM', KEYS[1], limit) end
end
return answer
"""
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One who waits: on which limit, for how many more seconds, and since when (seconds since 1970)."""

    operation: str
    who: str
    seconds: float
    since: float


class Buckets:
    """The buckets of all accounts. `clock` None: the server's clock, which all processes share."""

    def __init__(
        self, redis: Redis, *, clock: Callable[[], float] | None = None, prefix: str = PREFIX
    ) -> None:
        self._clock = clock
        self._prefix = prefix
        self._take = redis.register_script(_TAKE)
        self._hold = redis.register_script(_HOLD)
        self._waiting = redis.register_script(_WAITING)

    def take(
        self,
        account: Account,
        service: str,
        operation: str,
        *,
        priority: Priority,
        who: str,
        params: Mapping[str, Any] | None = None,
    ) -> float:
        """0.0 when the call may be made now; else the seconds to wait, and nothing is taken.

        `who` is shown to those who wonder what waits; the same one keeps its place when it comes back. Raises MustWait
        when Redis is away: what is not counted is not called.
        """
        limits = limits_of(service, operation, params)
        if not limits:
            return 0.0
        keys, values = [f"{self._key(account)}limits"], [self._now(), who, priority * _CLASS, GRACE_S, KEPT_S]
        for limit in limits:
            keys += [f"{self._key(account)}{limit.name}:{part}" for part in ("bucket", "queue", "ends")]
            values += [limit.name, *_ours(limit, priority)]
        return float(_ask(self._take, keys, values))

    def hold(
        self,
        account: Account,
        service: str,
        operation: str,
        seconds: float,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        """Let nothing more of this through for `seconds`: AWS says that there were too many."""
        for limit in limits_of(service, operation, params)[:1]:
            _ask(self._hold, [f"{self._key(account)}{limit.name}:bucket"], [self._now(), seconds, KEPT_S])

    def waiting(self, account: Account) -> tuple[Waiting, ...]:
        """Who waits on which limit of the account, the longest first."""
        begin = self._key(account)
        said = [_text(one) for one in _ask(self._waiting, [f"{begin}limits"], [self._now(), begin, GRACE_S])]
        places = [
            Waiting(limit, who, max(0.0, float(seconds)), float(since))
            for limit, who, seconds, since in zip(*[iter(said)] * 4, strict=True)
        ]
        return tuple(sorted(places, key=lambda one: one.since))

    def _key(self, account: Account) -> str:
        return f"{self._prefix}{account.share}:"

    def _now(self) -> str:
        return "" if self._clock is None else f"{self._clock():.6f}"


def _ours(limit: Limit, priority: Priority) -> tuple[float, int, int]:
    """The rate and burst that the portal lets itself have, and what of the burst this priority leaves to others."""
    share = TOTAL_SHARE if limit.is_total else OWN_SHARE
    burst = max(1, int(limit.rate.burst * share))
    return limit.rate.per_second * share, burst, int((burst - 1) * _LEAVES[priority])


def _ask(script: Any, keys: Sequence[str], values: Sequence[object]) -> Any:
    try:
        return script(keys=keys, args=values)
    except (RedisError, OSError) as error:
        message = (
            "AWS's limits cannot be counted because Redis is away, so nothing is called until it is back."
        )
        raise MustWait(message, retry_in_s=AWAY_S) from error


def _text(said: bytes | str) -> str:
    return said.decode() if isinstance(said, bytes) else said
