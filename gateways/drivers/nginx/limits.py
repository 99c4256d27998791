"""Limits as nginx counts them: whole calls a second or a minute, in a bucket per plan's numbers and subscription."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from gateways.drivers.agents.limits import share
from gateways.engine.document import Limit

_NAME = re.compile(r"r(\d+)([sm])_b(\d+)")
MOST = 4_294_967_295 // 60


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a limit on one node: plans with equal numbers share a zone, never a bucket.

    `rate` calls per `unit` (`s` or `m`) are refilled, `burst` may come at once.
    """

    rate: int
    unit: str
    burst: int

    @property
    def name(self) -> str:
        """The name of the zone. It carries the numbers, so that another plan empties nobody's bucket."""
        return f"r{self.rate}{self.unit}_b{self.burst}"

    @property
    def reset_s(self) -> int:
        """The seconds until an empty bucket holds one call again."""
        return ceil((60 if self.unit == "m" else 1) / self.rate)


def shape_of(limit: Limit, nodes: int) -> Shape:
    """How one of `nodes` counts `limit`: never less than its share, and at the slowest one call a minute."""
    calls, period, burst = share(limit, nodes)
    if calls % period == 0:
        return Shape(calls // period, "s", burst)
    return Shape(max(1, ceil(calls * 60 / period)), "m", burst)


def named_shape(name: str) -> Shape:
    """The shape of that name. Raises ValueError."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no limit of ours")
    return Shape(int(match[1]), match[2], int(match[3]))


def is_too_slow(limit: Limit) -> bool:
    """Whether nginx cannot count as slowly as `limit` asks."""
    return limit.calls * 60 < limit.period_s
