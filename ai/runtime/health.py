"""What a runtime has learnt about vendors: keys that rest, models that fail. Kept across changes of the snapshot."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ai.runtime.errors import VendorFailure
from ai.runtime.snapshot import Model, ModelRoute, ProviderKey, Target

REFUSED_KEY_REST_S = 60.0
"""How long a key rests that the vendor does not know, or not any more."""
REFERENCE_KEPT_S = 10.0
"""How long a key read from a file is used before it is read again, so that it can be replaced at any time."""


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    open_until: float = 0.0


class Health:
    """Keys and models by id. `clock` is in seconds and never goes back."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, rng: random.Random | None = None
    ) -> None:
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - it shares out load, it keeps no secret
        self._rests: dict[tuple[str, str], float] = {}
        """Until when a key rests: for one model, or (empty) for all."""
        self._breakers: dict[str, _Breaker] = {}
        self._references: dict[str, tuple[float, str]] = {}

    # ---- keys ----

    def pick_key(self, model: Model, tried: Iterable[str] = ()) -> ProviderKey | None:
        """A key that does not rest, by weight; one that was not tried in this call if there is one. None: all rest."""
        if len(model.provider.keys) == 1 and not self._rests:
            return model.provider.keys[0]
        now = self._clock()
        awake = [key for key in model.provider.keys if self._rests_until(key, model) <= now]
        fresh = [key for key in awake if key.id not in set(tried)] or awake
        if not fresh:
            return None
        return self._rng.choices(fresh, weights=[max(1, key.weight) for key in fresh])[0]

    def seconds_to_rest(self, model: Model) -> int:
        """When the next key for a model wakes up."""
        now = self._clock()
        return max(
            1, round(min((self._rests_until(key, model) for key in model.provider.keys), default=now) - now)
        )

    def note_key(self, key: ProviderKey, model: Model, failure: VendorFailure | None) -> None:
        """What a try said of its key: vendors count calls by model, and know a key or do not know it for all."""
        if failure is None:
            self._rests.pop((key.id, model.id), None)
        elif failure.status in {401, 403}:
            self._rests[key.id, ""] = self._clock() + REFUSED_KEY_REST_S
        elif failure.cool_s:
            self._rests[key.id, model.id] = self._clock() + failure.cool_s

    def _rests_until(self, key: ProviderKey, model: Model) -> float:
        return max(self._rests.get((key.id, model.id), 0.0), self._rests.get((key.id, ""), 0.0))

    def secret(self, key: ProviderKey) -> str:
        """The key itself. Raises OSError or KeyError where a reference leads nowhere."""
        if not key.reference:
            return key.value
        kind, _, name = key.reference.partition(":")
        if kind == "env":
            return os.environ[name]
        read_at, value = self._references.get(name, (0.0, ""))
        if not value or self._clock() - read_at > REFERENCE_KEPT_S:
            value = Path(name).read_text().strip()
            self._references[name] = (self._clock(), value)
        return value

    # ---- models ----

    def order(self, route: ModelRoute) -> list[Target]:
        """The models to try, first to last: by rank, among equals by weight; those that fail again and again not."""
        now = self._clock()
        usable = [t for t in route.targets if self._breaker(t.model.id).open_until <= now]
        if len(usable) < 2:
            return usable
        return sorted(usable, key=lambda t: (t.rank, self._rng.random() ** (1 / max(1, t.weight)) * -1))

    def note_model(self, route: ModelRoute, target: Target, *, failed: bool) -> None:
        """A try of a model failed by the model's fault, or did not."""
        breaker = self._breaker(target.model.id)
        if not failed:
            breaker.failures, breaker.open_until = 0, 0.0
            return
        breaker.failures += 1
        if route.breaker_failures and breaker.failures >= route.breaker_failures:
            breaker.open_until = self._clock() + route.breaker_s

    def _breaker(self, model_id: str) -> _Breaker:
        return self._breakers.setdefault(model_id, _Breaker())

    def report(self) -> dict[str, dict[str, float]]:
        """Seconds that keys still rest and models are still left out, by id."""
        now = self._clock()
        return {
            "keys": {key: round(until - now, 1) for (key, _), until in self._rests.items() if until > now},
            "models": {
                name: round(breaker.open_until - now, 1)
                for name, breaker in self._breakers.items()
                if breaker.open_until > now
            },
        }
