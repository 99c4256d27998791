"""One call between its caller and the models: admitted, carried out, counted and told.

Whatever the surface (a prompt, chat completions, messages, responses, embeddings), the same steps are taken in the same
order: rates, guard, budgets, cache, models, guard, price, settlement, feed.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from ai.pricing import Usage, estimated_tokens
from ai.prompts.guards import Blocked, Guard, Masking, Side
from ai.runtime.bodies import loggable
from ai.runtime.budgets import Bill, Cost, CountersAway, OverBudget, budgets_of, unheld
from ai.runtime.cache import AnswerCache, cache_key
from ai.runtime.counters import Counters, Hold
from ai.runtime.dialects.contract import Answer, Dialect, Json
from ai.runtime.errors import Code, Refused, VendorError
from ai.runtime.estimates import characters_of_answer, characters_of_body, most_of
from ai.runtime.exchange import Build, Exchange, Served
from ai.runtime.feed import Attempt, Feed, Record
from ai.runtime.guarding import blocked_answer, each_text, look_at
from ai.runtime.rates import Rates
from ai.runtime.snapshot import Budget, Endpoint, ModelRoute, Prompt, Snapshot, Subscription

DRAIN_S = 5.0
"""How long an answer is read on after its caller left, to learn what it costs: the vendor bills it all the same."""


@dataclass(slots=True)
class Service:
    """What all calls share."""

    snapshot: Snapshot
    exchange: Exchange
    counters: Counters
    rates: Rates
    cache: AnswerCache
    feed: Feed


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls what. `team` is the team that pays; a run of the editor has no subscription."""

    endpoint: Endpoint
    subscription: Subscription | None
    key_id: str
    team: str


@dataclass(slots=True)
class Task:
    """What a surface wants done: a body for chat completions (without model) and the models that may do it.

    `read` reads a whole answer where it is not that of a chat completion. `secrets` are texts that nothing that is told
    may hold.
    """

    route: ModelRoute
    body: Json
    build: Build
    prompt: Prompt | None = None
    guard: Guard = field(default_factory=Guard)
    cache_s: int = 0
    cache_parts: tuple[Any, ...] = ()
    is_embedding: bool = False
    read: Callable[[Dialect, bytes], Answer] | None = None
    secrets: tuple[str, ...] = ()


@dataclass(slots=True)
class Result:
    """A whole answer, `raw` as `dialect` gave it. `cached_for` is its age in seconds where the cache had it."""

    chat: Json
    model: str
    provider: str
    usage: Usage
    cost: int | None
    currency: str
    price_version: str
    attempts: int
    is_fallback: bool
    cached_for: int | None = None
    dialect: Dialect | None = None
    raw: bytes = b""
    content_type: str = "application/json"

    @property
    def text(self) -> str:
        """The text of the first choice."""
        message = self.chat["choices"][0]["message"] if self.chat.get("choices") else {}
        return str(message.get("content") or "")


class Work:
    """One call. Use it as a context: leaving it settles what was held and writes the line."""

    def __init__(self, service: Service, caller: Caller, record: Record, task: Task) -> None:
        self._service = service
        self.caller = caller
        self.record = record
        self.task = task
        self.masking = Masking(task.guard)
        self.headers: dict[str, str] = {}
        self._estimate = 0
        self._hold = Hold(record.run, datetime.fromtimestamp(record.at_ms / 1000, UTC))
        self._began = time.perf_counter()

    async def __aenter__(self) -> Work:
        try:
            self._guard_input()
            self._admit_rates()
            await self._admit_budgets()
        except Refused as refused:
            self._put_right(0)
            self._tell(refused.status, refused.code)
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refused):
            self.record.status, self.record.code = error.status, error.code.value
        elif error is not None and not self.record.status:
            self.record.status = 499 if isinstance(error, asyncio.CancelledError) else 500
        spent = self._spent()
        self._tell(self.record.status or 200, self.record.code)
        if self._service.counters.budgets:
            settlement = self._service.counters.settlement(self._hold, self._budgets(), spent)
            if settlement is not None:
                await asyncio.shield(self._service.counters.settle(settlement))

    # ---- whole answers ----

    async def whole(self) -> Result:
        """The answer, from the cache or from a model. Raises Refused."""
        cached = self._cached()
        if cached is not None:
            return cached
        served = await self._ask(self.task.build)
        result = self._result(served, self._read(served))
        self._guard_output(result)
        self._keep(result)
        return result

    async def again(self, build: Build) -> Result:
        """Ask once more, with another body: the first answer was not as it must be. Both are billed."""
        served = await self._ask(build)
        result = self._result(served, self._read(served))
        self._guard_output(result)
        return result

    async def _ask(self, build: Build) -> Served:
        began = time.perf_counter()
        try:
            served = await self._service.exchange.whole(self.task.route, build)
        finally:
            self.record.vendor_ms += (time.perf_counter() - began) * 1000
        self._note_failures(served)
        return served

    def _read(self, served: Served) -> Answer:
        assert served.whole is not None  # noqa: S101 - `Exchange.whole` gives one
        usual = served.dialect.embedded if self.task.is_embedding else served.dialect.answer
        try:
            return (
                self.task.read(served.dialect, served.whole.body)
                if self.task.read
                else usual(served.whole.body)
            )
        except VendorError as error:
            failure = error.failure
            self.record.attempts.append(
                Attempt(served.model.id, served.key_id, failure.status, failure.code, 0.0)
            )
            text = (
                f"{served.model.name} answered with something that is no answer. Its team sees it in the log."
            )
            raise Refused(502, Code.UPSTREAM_FAILED, text, again=False) from None

    def _result(self, served: Served, answer: Answer) -> Result:
        usage = answer.usage or self._estimated(characters_of_answer(answer.chat))
        cost, currency, version = self.billed(served, usage)
        return Result(
            chat=answer.chat,
            model=served.model.name,
            provider=served.model.provider.label,
            usage=usage,
            cost=cost,
            currency=currency,
            price_version=version,
            attempts=len(self.record.attempts),
            is_fallback=served.is_fallback,
            dialect=served.dialect,
            raw=served.whole.body if served.whole else b"",
            content_type=(served.whole.headers if served.whole else {}).get(
                "content-type", "application/json"
            ),
        )

    # ---- streams ----

    async def open_stream(self, build: Build) -> Served:
        """An answer that has begun. Raises Refused. What becomes of it is told to `billed`."""
        began = time.perf_counter()
        try:
            served = await self._service.exchange.stream(self.task.route, build)
        finally:
            self.record.vendor_ms += (time.perf_counter() - began) * 1000
        self.record.first_ms = (time.perf_counter() - self._began) * 1000
        self._note_failures(served)
        return served

    @property
    def must_see_whole_answer(self) -> bool:
        """Whether an answer cannot be passed on piece by piece: a rule has to look at all of it, or data was masked."""
        return self.task.guard.looks_at(Side.OUTPUT) or self.masking.has_masked

    # ---- what it costs ----

    def billed(
        self, served: Served, usage: Usage, *, status: int = 200, code: str = ""
    ) -> tuple[int | None, str, str]:
        """Note an attempt that a vendor bills: its cost (None: not known), currency and price list."""
        price = served.model.price(self.record.at_ms / 1000)
        cost = price.cost(usage) if price else None
        attempt = Attempt(
            *(served.model.id, served.key_id, status, code, self.record.vendor_ms, usage, cost),
            price.currency if price else "",
            price.version if price else "",
        )
        self.record.attempts.append(attempt)
        return cost, attempt.currency, attempt.price_version

    def estimated_usage(self, characters: int) -> Usage:
        """A count by characters, where the vendor gave none."""
        return self._estimated(characters)

    def _estimated(self, characters: int) -> Usage:
        return Usage(
            input=estimated_tokens(characters_of_body(self.task.body)),
            output=0 if self.task.is_embedding else estimated_tokens(characters),
            estimated=True,
        )

    def _spent(self) -> Bill:
        attempts = self.record.attempts
        of_models: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in attempts:
            of_models[attempt.model].append(attempt)
        whole = _cost_of(attempts)
        self._put_right(whole.tokens)
        return Bill(whole, {model: _cost_of(of_model) for model, of_model in of_models.items()})

    def _most(self) -> Bill:
        """What it may come to with the dearest of its models: any of them may answer."""
        at, body = self.record.at_ms / 1000, self.task.body
        each = {
            target.model.id: most_of(target.model, body, at, is_embedding=self.task.is_embedding)
            for target in self.task.route.targets
        }
        nanos: dict[str, int] = {}
        for one in each.values():
            for currency, cost in one.nanos.items():
                nanos[currency] = max(nanos.get(currency, 0), cost)
        tokens = max(one.tokens for one in each.values())
        return Bill(Cost(tokens, nanos, all(one.is_known for one in each.values())), each)

    # ---- steps ----

    def _guard_input(self) -> None:
        if not self.task.guard:
            return
        try:
            self.task.body = each_text(self.task.body, lambda text: self.masking.checked(text, Side.INPUT))
        except Blocked as blocked:
            raise blocked_answer(blocked) from None

    def _guard_output(self, result: Result) -> None:
        if self.task.is_embedding or not (self.task.guard.looks_at(Side.OUTPUT) or self.masking.has_masked):
            return
        try:
            for choice in result.chat["choices"]:
                look_at(choice["message"], self.masking)
        except Blocked as blocked:
            raise blocked_answer(blocked) from None

    def _put_right(self, tokens: int) -> None:
        subscription = self.caller.subscription
        if subscription is not None and self._estimate:
            self._service.rates.put_right(subscription, self._estimate, tokens)

    def _admit_rates(self) -> None:
        subscription = self.caller.subscription
        if subscription is not None and subscription.token_rate is not None:
            self._estimate = self._most().whole.tokens
            self.headers.update(self._service.rates.take_tokens(subscription, self._estimate))

    async def _admit_budgets(self) -> None:
        budgets = self._budgets()
        if not budgets:
            return
        most = self._most()
        if why := unheld(budgets, most):
            text = f"{why} Ask the administrator to enter the price, or a budget in its currency."
            raise Refused(402, Code.BUDGET_UNKNOWN, text, again=False)
        self.record.holds = [budget.id for budget in budgets]
        try:
            self._hold = await self._service.counters.admit(self._hold.call, self._hold.at, budgets, most)
        except OverBudget as over:
            text = (
                f"The budget {over.budget.label} has no room left for this call. "
                f"Its next {over.budget.period} begins at {over.until:%Y-%m-%d %H:%M} UTC."
            )
            raise Refused(402, Code.BUDGET_EXCEEDED, text, again=False) from None
        except CountersAway as away:
            text = (
                f"The budget {away.budget.label} cannot be counted just now, and it lets no call in uncounted. "
                "Try again in a minute."
            )
            raise Refused(503, Code.BUDGET_UNKNOWN, text, retry_after=60) from None

    def _budgets(self) -> list[Budget]:
        """Those in force now that it counts against."""
        subscription, endpoint = self.caller.subscription, self.caller.endpoint
        scopes = [("team", self.caller.team), ("endpoint", f"{endpoint.api_version}@{endpoint.environment}")]
        if subscription is not None:
            scopes += [("application", subscription.application), ("subscription", subscription.id)]
        scopes += [("model", target.model.id) for target in self.task.route.targets]
        return budgets_of(self._service.counters.budgets, scopes)

    # ---- the cache ----

    def _cache_key(self) -> str:
        if not self.task.cache_s or (self.task.body.get("temperature") or 0) > 0:
            return ""
        parts = (self.task.route.id, self.task.cache_parts, self.task.body)
        return cache_key(self.caller.team, *parts)

    def _cached(self) -> Result | None:
        key = self._cache_key()
        found = self._service.cache.get(key) if key else None
        self.record.cache = "BYPASS" if not key else "MISS" if found is None else "HIT"
        if found is None:
            return None
        plain = orjson.loads(found[0])
        usage = Usage(**plain.pop("usage"))
        return Result(**plain, usage=usage, cached_for=found[1])

    def _keep(self, result: Result) -> None:
        """Keep an answer that came to an end by itself, and in which nothing of one caller's was put back."""
        key = self._cache_key()
        finished = all(choice.get("finish_reason") == "stop" for choice in result.chat.get("choices", ()))
        if not key or not finished or self.masking.has_masked:
            return
        usage = {name: getattr(result.usage, name) for name in Usage.__slots__}
        plain = {
            **{name: getattr(result, name) for name in ("chat", "model", "provider", "price_version")},
            "usage": usage,
            "cost": 0,
            "currency": result.currency,
            "attempts": 0,
            "is_fallback": False,
        }
        self._service.cache.put(key, orjson.dumps(plain), self.task.cache_s)

    # ---- telling ----

    def _note_failures(self, served: Served) -> None:
        for failed in served.failures:
            f = failed.failure
            self.record.attempts.append(
                Attempt(failed.model.id, failed.key_id, f.status, f.code, failed.seconds * 1000)
            )

    def _tell(self, status: int, code: str) -> None:
        self.record.status, self.record.code = status, str(code)
        self.record.duration_ms = (time.perf_counter() - self._began) * 1000
        if self.record.bodies is not None:
            self.record.bodies = loggable(self.record.bodies, self.task.guard, self.task.secrets)
        self._service.feed.add(self.record)


def _cost_of(attempts: Iterable[Attempt]) -> Cost:
    """What attempts came to together."""
    tokens, nanos, is_known = 0, dict[str, int](), True
    for attempt in attempts:
        tokens += attempt.usage.total
        if attempt.cost is None:
            is_known = False
        elif attempt.cost:
            nanos[attempt.currency] = nanos.get(attempt.currency, 0) + attempt.cost
    return Cost(tokens, nanos, is_known)
