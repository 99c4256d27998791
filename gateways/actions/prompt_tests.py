"""Running the test cases of a prompt on an AI runtime, as the app `ai` asked for it."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from ai.actions import fail_run, finish_run, record_result
from ai.models import AiModel, TestRun
from ai.prompt_queries import active_cases, models_of_route, plain_version
from audit.models import ActionRefused
from gateways.ai_trials import Ran, Ticket, run_prompt, ticket_for

WAITS = timedelta(seconds=30)
"""A run that nobody began by then has lost its bell."""
MOST_TIME = timedelta(minutes=30)
NANO = Decimal(1_000_000_000)


def run_prompt_tests(public_id: str) -> TestRun | None:
    """Run every case of a queued or interrupted run and end it. Told twice, a case is run once more and kept once."""
    run = TestRun.objects.filter(public_id=public_id).select_related("prompt__team", "version__route").first()
    if run is None or run.state in TestRun.ENDED:
        return run
    model = run.model or next(iter(models_of_route(run.version.route)), None)
    if model is None:
        return fail_run(run, problem=_("No model of its route is in use."))
    try:
        labels = {"purpose": "test_run", "run": run.public_id}
        ticket = ticket_for(run.prompt.team.public_id, [model.public_id], labels=labels)
        _run_cases(run, model, ticket)
    except ActionRefused as refused:
        return fail_run(run, problem=str(refused))
    return finish_run(run)


def overdue_runs() -> list[str]:
    """The public ids of runs whose bell was lost or whose worker died; those that take too long are ended."""
    now = timezone.now()
    open_runs = TestRun.objects.filter(state__in=(TestRun.State.QUEUED, TestRun.State.RUNNING))
    for run in open_runs.filter(created_at__lt=now - MOST_TIME):
        fail_run(run, problem=_("It took longer than 30 minutes."))
    waiting = open_runs.filter(state=TestRun.State.QUEUED, created_at__lt=now - WAITS)
    return list(waiting.order_by("pk").values_list("public_id", flat=True)[:20])


def _run_cases(run: TestRun, model: AiModel, ticket: Ticket) -> None:
    prompt = plain_version(run.version)
    done = set(run.results.values_list("case_id", flat=True))
    for case in active_cases(run.prompt).exclude(pk__in=done):
        found = run_prompt(ticket, prompt, case.values, model.public_id)
        record_result(
            run,
            case,
            output=_text(found.output),
            latency_ms=found.latency_ms,
            tokens=found.tokens,
            cost_nano=_nanos(found),
            currency=found.currency,
            model_name=found.model or model.name,
            problem=found.problem,
        )


def _text(output: Any) -> str:
    """As a test case compares it."""
    if output is None:
        return ""
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def _nanos(found: Ran) -> int | None:
    return None if found.cost is None else int(Decimal(found.cost) * NANO)
