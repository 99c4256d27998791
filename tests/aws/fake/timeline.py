"""Values that take effect later, and buckets of calls."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Timeline[T]:
    """The control plane tells the last value; calls see the one that is in effect."""

    first: T
    changes: list[tuple[float, T]] = field(default_factory=list)

    def set(self, value: T, effective_at: float) -> None:
        """From then on, unless something else is set."""
        self.changes.append((effective_at, value))

    def at(self, now: float) -> T:
        """The value in effect."""
        found = self.first
        for effective_at, value in self.changes:
            if effective_at <= now:
                found = value
        return found


@dataclass(slots=True)
class CallBucket:
    """Calls of one key or method: full at first, and when its rate is changed it keeps what it has."""

    tokens: float | None = None
    at: float = 0.0

    def take(self, rate: float, burst: float, now: float) -> bool:
        """Whether a call may go through."""
        had = burst if self.tokens is None else self.tokens
        self.tokens = min(burst, had + (now - self.at) * rate)
        self.at = now
        if self.tokens < 1 - 1e-9:
            return False
        self.tokens -= 1
        return True
