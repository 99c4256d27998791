"""Plain functions that make one object of AI each, as the actions leave it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from django.utils.text import slugify

from ai.actions.prompts import starter_draft
from ai.models import (
    AiModel,
    ModelPrice,
    ModelRoute,
    Prompt,
    PromptLabel,
    PromptVersion,
    Provider,
    RouteTarget,
    TestCase,
    TestResult,
    TestRun,
)
from teams.models import Team
from tests import factories

_numbers = itertools.count(1)
RATES = [{"unit": "input", "nanos": 500_000_000}, {"unit": "output", "nanos": 1_500_000_000}]


def make_provider(team: Team | None = None, slug: str = "demo", **fields: Any) -> Provider:
    """A provider; without a team the shared one of that name, one row however often it is asked for."""
    values = {"name": slug.capitalize(), "base_url": "http://127.0.0.1:9301/v1", "auth": "none", **fields}
    return Provider.objects.get_or_create(team=team, slug=slug, defaults=values)[0]


def make_model(remote: str = "small", provider: Provider | None = None, **fields: Any) -> AiModel:
    """A chat model with a price; `price=False` leaves it unknown."""
    is_priced = fields.pop("price", True)
    values = {"context": 8000, "max_output": 1000, "capabilities": ["stream", "json_schema"], **fields}
    model, is_new = AiModel.objects.get_or_create(
        provider=provider or make_provider(), remote=remote, defaults=values
    )
    if is_new and is_priced:
        ModelPrice.objects.create(
            model=model, version="2026-01-01", valid_from=datetime(2026, 1, 1, tzinfo=UTC), rates=RATES
        )
    return model


def make_route(*models: AiModel, team: Team | None = None, alias: str = "fast") -> ModelRoute:
    """An alias for `models`, tried in this order; without any, for the shared small one."""
    route, is_new = ModelRoute.objects.get_or_create(team=team, alias=alias)
    if is_new:
        for rank, model in enumerate(models or [make_model()]):
            RouteTarget.objects.create(route=route, model=model, rank=rank)
    return route


def make_prompt(team: Team | None = None, name: str | None = None, **draft: Any) -> Prompt:
    """A prompt whose draft can be frozen; `draft` replaces members of it."""
    name = name or f"Prompt {next(_numbers)}"
    return Prompt.objects.create(
        team=team or factories.make_team(),
        name=name,
        slug=slugify(name),
        draft={**starter_draft(make_route()), **draft},
    )


def make_prompt_version(prompt: Prompt | None = None, *, note: str = "", **changed: Any) -> PromptVersion:
    """The next version of a prompt, frozen from its draft with `changed` members."""
    prompt = prompt or make_prompt()
    plain = {**prompt.draft, **changed}
    return PromptVersion.objects.create(
        prompt=prompt,
        number=prompt.versions.count() + 1,
        note=note,
        frozen_by="Somebody",
        **{**plain, "route": ModelRoute.objects.get(public_id=plain["route"])},
    )


def make_label(version: PromptVersion, name: str = "production") -> PromptLabel:
    return PromptLabel.objects.create(prompt=version.prompt, name=name, version=version)


def make_test_case(prompt: Prompt, name: str = "It answers", **fields: Any) -> TestCase:
    """A test case that wants the word museum."""
    values = {"values": {"text": "The museum opens at nine."}, "expected": "museum", **fields}
    return TestCase.objects.create(prompt=prompt, name=name, **values)


def make_test_run(version: PromptVersion, state: str = "passed", **fields: Any) -> TestRun:
    """A run that has ended."""
    values = {"started_by": "Somebody", "finished_at": datetime.now(UTC), **fields}
    return TestRun.objects.create(prompt=version.prompt, version=version, state=state, **values)


def make_result(run: TestRun, case: TestCase, *, passed: bool = True, **fields: Any) -> TestResult:
    values = {
        "model_name": "demo/small",
        "latency_ms": 120.0,
        "tokens": 40,
        "cost_nano": 1000,
        "currency": "USD",
    }
    return TestResult.objects.create(run=run, case=case, passed=passed, **{**values, **fields})


__all__ = [
    "make_label",
    "make_model",
    "make_prompt",
    "make_prompt_version",
    "make_provider",
    "make_result",
    "make_route",
    "make_test_case",
    "make_test_run",
]
