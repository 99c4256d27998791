"""Test cases of prompts and their runs. The runtime answers; what passes is decided here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ai.models import AiModel, Prompt, PromptVersion, TestCase, TestResult, TestRun
from ai.prompt_queries import active_cases, latest_version, usable_models
from ai.prompts.checks import Outcome, expectation_fault, outcome
from ai.prompts.drafts import is_storable
from ai.prompts.schemas import MOST_DEPTH, SchemaFault, depth_of, faults_of, validator
from ai.prompts.variables import VariableError, body_schema, variables_of
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import SYSTEM, Actor, Verb

MOST_CASES = 200
MOST_OUTPUT_KEPT = 100_000


@transaction.atomic
def create_test_case(
    prompt: Prompt,
    *,
    actor: Actor,
    name: str,
    values: Mapping[str, Any],
    check_kind: str,
    expected: str,
    is_required: bool = True,
) -> TestCase:
    """A new test case. Raises PermissionDenied, and ValidationError for values or an expectation that do not fit."""
    prompt = _locked_prompt(prompt, actor)
    if active_cases(prompt).count() >= MOST_CASES:
        raise ActionRefused(_("A prompt has at most %(n)s test cases. Retire one first.") % {"n": MOST_CASES})
    case = TestCase(
        prompt=prompt,
        name=name,
        values=dict(values),
        check_kind=check_kind,
        expected=expected,
        is_required=is_required,
    )
    _clean(case)
    case.save()
    record_event("prompt.test_case_created", case, actor=actor, after=_summary(case))
    return case


@transaction.atomic
def change_test_case(
    case: TestCase,
    *,
    actor: Actor,
    name: str | None = None,
    values: Mapping[str, Any] | None = None,
    check_kind: str | None = None,
    expected: str | None = None,
    is_required: bool | None = None,
) -> TestCase:
    """Change what is given. A version that passed it has to be tested again before it goes into production."""
    case = _locked_case(case, actor)
    before, old_values = _summary(case), case.values
    changes = {
        "name": name,
        "values": None if values is None else dict(values),
        "check_kind": check_kind,
        "expected": expected,
        "is_required": is_required,
    }
    for field, value in changes.items():
        if value is not None:
            setattr(case, field, value)
    if _summary(case) == before and case.values == old_values:
        return case
    _clean(case)
    case.save()
    record_event("prompt.test_case_changed", case, actor=actor, before=before, after=_summary(case))
    return case


@transaction.atomic
def retire_test_case(case: TestCase, *, actor: Actor) -> TestCase:
    """Run it no more; its results stay."""
    case = _locked_case(case, actor)
    case.retired_at = timezone.now()
    case.save()
    record_event("prompt.test_case_retired", case, actor=actor, before=_summary(case))
    return case


@transaction.atomic
def start_test_run(
    prompt: Prompt, *, version: PromptVersion, actor: Actor, model: AiModel | None = None
) -> TestRun:
    """Ask for all test cases to be run against `version`, on `model` or on the models of its route.

    The event `prompt.test_run_started` is what the gateways app listens to. Raises PermissionDenied, ActionRefused.
    """
    prompt = _locked_prompt(prompt, actor)
    if version.prompt_id != prompt.pk:
        raise ActionRefused(_("This version belongs to another prompt."), code="foreign_version")
    if not active_cases(prompt).exists():
        raise ActionRefused(_("There are no test cases yet. Add one first."), code="no_test_cases")
    if model is not None and not usable_models(prompt.team).filter(pk=model.pk).exists():
        raise ActionRefused(_("Your team cannot use this model. Choose another."), code="model_not_usable")
    run = TestRun(prompt=prompt, version=version, model=model, started_by=actor.label[:200])
    run.full_clean(exclude=["finished_at"])
    run.save()
    record_event("prompt.test_run_started", run, actor=actor, after={"version": version.number})
    return run


@transaction.atomic
def record_result(
    run: TestRun,
    case: TestCase,
    *,
    output: str,
    latency_ms: float,
    tokens: int,
    cost_nano: int | None,
    currency: str,
    model_name: str,
    problem: str = "",
) -> TestResult | None:
    """Keep what a case came to and decide whether it passed. `problem`: the call failed, and so did the case.

    Told twice, the first stays; told after the run has ended, nothing is kept (None). `cost_nano` None: not known.
    """
    run = TestRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if case.prompt_id != run.prompt_id:
        raise ValueError("the case belongs to another prompt")
    known = TestResult.objects.filter(run=run, case=case).first()
    if known or run.state in TestRun.ENDED:
        return known
    decided = Outcome(False, problem) if problem else outcome(case.check_kind, case.expected, output)
    result = TestResult(
        run=run,
        case=case,
        passed=decided.passed,
        output=_text(output)[:MOST_OUTPUT_KEPT],
        problem=_text(decided.problem)[:400],
        model_name=model_name[:220],
        latency_ms=latency_ms,
        tokens=tokens,
        cost_nano=cost_nano,
        currency=currency if cost_nano is not None else "",
    )
    result.full_clean(exclude=["cost_nano"])
    result.save()
    if run.state == TestRun.State.QUEUED:
        run.state = TestRun.State.RUNNING
        run.save()
    return result


@transaction.atomic
def finish_run(run: TestRun) -> TestRun:
    """End a run: passed unless a required case failed or has no result. Told twice, it stays as it ended."""
    run = _locked_run(run)
    if run.state in TestRun.ENDED:
        return run
    passed = {result.case_id: result.passed for result in run.results.all()}
    required = active_cases(run.prompt).filter(is_required=True, created_at__lte=run.created_at)
    unmet = [case for case in required if not passed.get(case.pk, False)]
    run.problem = "" if passed else str(_("No test case was run."))
    return _ended(run, TestRun.State.FAILED if unmet or not passed else TestRun.State.PASSED)


@transaction.atomic
def fail_run(run: TestRun, *, problem: str) -> TestRun:
    """End a run that could not be done, with the reason. One that has ended stays as it is."""
    run = _locked_run(run)
    if run.state in TestRun.ENDED:
        return run
    run.problem = _text(problem)[:300]
    return _ended(run, TestRun.State.BROKEN)


def value_faults(prompt: Prompt, values: Mapping[str, Any]) -> list[SchemaFault]:
    """What is wrong with values by the variables of the draft, where they do not fit the latest version either."""
    newest = latest_version(prompt)
    listed = [prompt.draft.get("variables", []), *([newest.variables] if newest else [])]
    found: list[list[SchemaFault]] = []
    for plain in listed:
        try:
            variables = variables_of(plain)
            faults = faults_of(validator(body_schema(variables)), dict(values))
        except VariableError:
            continue
        except ValueError as error:
            faults = [SchemaFault("", str(error))]
        if not faults:
            return []
        found.append(faults)
    return found[0] if found else [SchemaFault("", str(_("The variables of the draft are not right yet.")))]


def _clean(case: TestCase) -> None:
    """Raises ValidationError for all that does not fit."""
    wrong: dict[str, list[str]] = {}
    if depth_of(case.values) > MOST_DEPTH:
        wrong["values"] = [str(_("It is nested too deep. Flatten it."))]
    elif not is_storable(case.values):
        wrong["values"] = [str(_("It holds characters that are no text. Remove them."))]
    elif faults := value_faults(case.prompt, case.values):
        wrong["values"] = [
            f"{fault.pointer.removeprefix('/') or _('Values')}: {fault.detail}" for fault in faults
        ]
    if fault := expectation_fault(case.check_kind, case.expected):
        wrong["expected"] = [fault]
    if wrong:
        raise ValidationError(wrong)
    case.full_clean(exclude=["values"])  # there may be none


def _locked_prompt(prompt: Prompt, actor: Actor) -> Prompt:
    prompt = Prompt.objects.select_for_update(of=("self",)).select_related("team").get(pk=prompt.pk)
    actor.require(Verb.PROMPT_EDIT, prompt.team)
    if prompt.retired_at is not None:
        raise ActionRefused(_("This prompt is retired. Make a new one instead."), code="prompt_retired")
    return prompt


def _locked_case(case: TestCase, actor: Actor) -> TestCase:
    prompt = _locked_prompt(case.prompt, actor)
    case = TestCase.objects.select_for_update(of=("self",)).get(pk=case.pk)
    case.prompt = prompt
    if case.retired_at is not None:
        raise ActionRefused(_("This test case is retired. Add a new one."), code="test_case_retired")
    return case


def _locked_run(run: TestRun) -> TestRun:
    found = TestRun.objects.select_for_update(of=("self",)).select_related("prompt__team", "version__prompt")
    return found.get(pk=run.pk)


def _ended(run: TestRun, state: str) -> TestRun:
    run.state, run.finished_at = state, timezone.now()
    run.save()
    record_event("prompt.test_run_finished", run, actor=SYSTEM, after={"state": str(state)}, note=run.problem)
    return run


def _text(value: str) -> str:
    """A text as PostgreSQL keeps it: without NUL and halves of surrogate pairs."""
    return value.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def _summary(case: TestCase) -> dict[str, Any]:
    """What the audit trail keeps; values may be sensitive, so they are not in it."""
    return {
        "name": case.name,
        "check": str(case.check_kind),
        "expected": case.expected[:400],
        "required": case.is_required,
    }
