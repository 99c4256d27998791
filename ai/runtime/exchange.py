"""One call to the models of a route: try after try, until one answers or none is left.

Another model is tried only before the first byte of an answer went to the caller: what was sent cannot be unsaid.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ai.runtime.dialects import DIALECTS
from ai.runtime.dialects.contract import Dialect, Json, NotSupported, Outgoing
from ai.runtime.errors import Code, Refused, VendorError, VendorFailure
from ai.runtime.health import Health
from ai.runtime.snapshot import Model, ModelRoute, ProviderKey, Target
from ai.runtime.vendors import Vendors, VendorStream, Whole

_ANOTHER_MODEL_CODES = frozenset({"context_length_exceeded", "model_not_found", "unsupported_parameter"})
"""Refusals of one model that another may not share."""
_OWN_FAULT = frozenset({0, 401, 403, 404, 408, 409, 429})
"""Statuses, beside 5xx and those of the route, after which another key or model is tried."""

_KEYS_REST = "keys_rest"

type Build = Callable[[Dialect, Model, str], Outgoing]
"""Makes the request for a model with a key. Raises NotSupported."""


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt that failed."""

    model: Model
    key_id: str
    failure: VendorFailure
    seconds: float


@dataclass(slots=True)
class Served:
    """Who answered. `failures` are the tries before."""

    model: Model
    key_id: str
    dialect: Dialect
    failures: list[Try] = field(default_factory=list)
    is_fallback: bool = False
    whole: Whole | None = None
    stream: VendorStream | None = None

    @property
    def attempts(self) -> int:
        """How many tries it took."""
        return len(self.failures) + 1


class Exchange:
    """Carries calls to vendors."""

    def __init__(
        self, vendors: Vendors, health: Health, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._vendors = vendors
        self._health = health
        self._clock = clock

    async def whole(self, route: ModelRoute, build: Build) -> Served:
        """A whole answer. Raises Refused where no model gives one."""
        return await self._serve(route, build, stream=False)

    async def stream(self, route: ModelRoute, build: Build) -> Served:
        """An answer whose first event is there. Raises Refused where no model gives one."""
        return await self._serve(route, build, stream=True)

    async def _serve(self, route: ModelRoute, build: Build, *, stream: bool) -> Served:
        failures: list[Try] = []
        unsupported = ""
        targets = self._health.order(route)
        for number in range(max(1, route.attempts)):
            if not targets:
                break
            target = targets[number % len(targets)]
            key = self._health.pick_key(target.model, [failed.key_id for failed in failures])
            if key is None and target.model.provider.keys:
                failures.append(self._resting(target))
                continue
            began = self._clock()
            try:
                served = await self._attempt(route, target, key, build, stream=stream)
            except NotSupported as error:
                unsupported = f"{target.model.name} has nothing for {error}."
                targets = [other for other in targets if other is not target]
                continue
            except VendorError as error:
                failed = Try(target.model, key.id if key else "", error.failure, self._clock() - began)
                failures.append(failed)
                self._note(route, target, key, error.failure)
                if not _another_helps(route, error.failure):
                    break
                continue
            self._note(route, target, key, None)
            served.failures = failures
            served.is_fallback = target.rank > route.targets[0].rank
            return served
        if unsupported and not failures:
            raise Refused(400, Code.NOT_SUPPORTED, f"{unsupported} Leave it out, or choose another model.")
        raise refusal_of(route, failures)

    async def _attempt(
        self, route: ModelRoute, target: Target, key: ProviderKey | None, build: Build, *, stream: bool
    ) -> Served:
        model = target.model
        dialect = DIALECTS[model.provider.dialect]
        outgoing = build(dialect, model, self._secret(key))
        served = Served(model, key.id if key else "", dialect)
        if stream:
            served.stream = await self._vendors.stream(
                outgoing, dialect, route.try_timeout_s, route.stream_idle_s
            )
        else:
            served.whole = await self._vendors.whole(outgoing, dialect, route.try_timeout_s)
        return served

    def _secret(self, key: ProviderKey | None) -> str:
        if key is None:
            return ""
        try:
            return self._health.secret(key)
        except (OSError, KeyError) as error:
            text = f"The key {key.label} cannot be read where the runtime runs ({type(error).__name__})."
            raise VendorError(VendorFailure(401, text, "key_unreadable")) from None

    def _note(
        self, route: ModelRoute, target: Target, key: ProviderKey | None, failure: VendorFailure | None
    ) -> None:
        if key is not None:
            self._health.note_key(key, target.model, failure)
        is_models = failure is not None and (failure.status == 0 or failure.status >= 500)
        if failure is None or is_models:
            self._health.note_model(route, target, failed=is_models)

    def _resting(self, target: Target) -> Try:
        wait = self._health.seconds_to_rest(target.model)
        text = f"All keys of {target.model.provider.label} rest."
        return Try(target.model, "", VendorFailure(429, text, _KEYS_REST, float(wait)), 0.0)


def _another_helps(route: ModelRoute, failure: VendorFailure) -> bool:
    if failure.status in route.retry_codes or failure.status in _OWN_FAULT or failure.status >= 500:
        return True
    return failure.code in _ANOTHER_MODEL_CODES


def refusal_of(route: ModelRoute, failures: list[Try]) -> Refused:
    """What the caller is told when no model answered. The vendor's words are for the team's own log, save a 400's."""
    if not failures:
        text = f"No model of {route.alias} is in use now: they failed again and again. Try again in a while."
        return Refused(503, Code.UPSTREAM_FAILED, text, retry_after=max(1, int(route.breaker_s)), again=False)
    asked = [failed for failed in failures if failed.failure.code != _KEYS_REST] or failures
    last = asked[-1].failure
    name = asked[-1].model.name
    if last.status == 429:
        wait = max(1, round(max(failed.failure.cool_s for failed in failures)))
        text = f"The vendors of {route.alias} take no more calls for now. Try again in {wait} seconds."
        return Refused(429, Code.RATE_LIMITED, text, retry_after=wait)
    if last.status in {400, 413, 422}:
        return Refused(400, Code.UPSTREAM_REFUSED, f"{name} refuses the call: {last.message}", again=False)
    if last.is_timeout:
        return Refused(504, Code.UPSTREAM_TIMEOUT, f"{name}: {last.message}", again=False)
    if not route.id:  # tried out by the team itself
        return Refused(502, Code.UPSTREAM_FAILED, _to_its_team(name, last), again=False)
    tries = "1 try" if len(failures) == 1 else f"{len(failures)} tries"
    text = f"No model of {route.alias} answered after {tries}; the last was {name}. Its team sees why in the log."
    return Refused(502, Code.UPSTREAM_FAILED, text, again=False)


def _to_its_team(name: str, failure: VendorFailure) -> str:
    """Without the words about a key, which may name a part of it."""
    if failure.status in {401, 403}:
        return f"{name}: the vendor refuses the key ({failure.status}). Whoever manages the provider can try it there."
    return f"{name}: {failure.message}"


def chat_build(body: Json, *, stream: bool) -> Build:
    """Builds a chat completion out of `body`, which the dialects leave as it is."""
    return lambda dialect, model, key: dialect.chat(model, key, body, stream=stream)
