"""The tests of a prompt: its cases, a run as it goes on, and how versions and models did."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from ai.actions import change_test_case, create_test_case, retire_test_case, start_test_run
from ai.forms.prompts import TestCaseForm, TestRunForm, add_action_errors
from ai.models import Prompt, TestRun
from ai.prompt_queries import active_cases, cases_with_outcomes, latest_version, test_history
from ai.prompts.drafts import names_of
from ai.views.prompt_lookup import own_case, own_prompt
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.models import Verb

INVALID = 422


@page(Verb.PROMPT_VIEW)
def prompt_tests(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """Cases with their last outcomes, runs, and the history per version and model."""
    return _tests(request, own_prompt(request, team, slug))


def _tests(
    request: HtmxHttpRequest, prompt: Prompt, run_form: TestRunForm | None = None, *, status: int = 200
) -> HttpResponseBase:
    runs = TestRun.objects.filter(prompt=prompt).select_related("version__prompt", "model__provider")
    context = {
        "prompt": prompt,
        "may_edit": prompt.retired_at is None and request.actor.may(Verb.PROMPT_EDIT, prompt.team),
        "cases": cases_with_outcomes(prompt),
        "runs": runs.order_by("-id")[:20],
        "history": test_history(prompt),
        "has_versions": prompt.versions.exists(),
        "run_form": run_form or TestRunForm(prompt=prompt),
    }
    return render(request, "ai/prompts/prompt_tests.html", context, status=status)


@page(Verb.PROMPT_EDIT, methods=("GET", "POST"))
def test_case_create(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """A new test case, filled with the examples of the variables."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_EDIT)
    variables = _variables(prompt)
    form = TestCaseForm(request.POST if request.method == "POST" else None, variables=variables, values={})
    if form.is_bound and form.is_valid():
        try:
            create_test_case(prompt, actor=request.actor, **form.values)
        except ValidationError as error:
            add_action_errors(form, error)
        else:
            return redirect("prompt-tests", team, slug)
    context = {"form": form, "prompt": prompt}
    return render(
        request, "ai/prompts/test_case_form.html", context, status=INVALID if form.is_bound else 200
    )


@page(Verb.PROMPT_EDIT, methods=("GET", "POST"))
def test_case_change(request: HtmxHttpRequest, team: str, slug: str, public_id: str) -> HttpResponseBase:
    """Change a test case."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_EDIT)
    case = own_case(prompt, public_id)
    initial = {name: getattr(case, name) for name in ("name", "check_kind", "expected", "is_required")}
    form = TestCaseForm(
        request.POST if request.method == "POST" else None,
        variables=_variables(prompt),
        values=case.values,
        initial=initial,
    )
    if form.is_bound and form.is_valid():
        try:
            change_test_case(case, actor=request.actor, **form.values)
        except ValidationError as error:
            add_action_errors(form, error)
        else:
            return redirect("prompt-tests", team, slug)
    context = {"form": form, "prompt": prompt, "case": case}
    return render(
        request, "ai/prompts/test_case_form.html", context, status=INVALID if form.is_bound else 200
    )


@page(Verb.PROMPT_EDIT, methods=("POST",))
def test_case_retire(request: HtmxHttpRequest, team: str, slug: str, public_id: str) -> HttpResponseBase:
    """Run it no more."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_EDIT)
    retire_test_case(own_case(prompt, public_id), actor=request.actor)
    return redirect("prompt-tests", team, slug)


@page(Verb.PROMPT_EDIT, methods=("POST",))
def test_run_start(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """Ask for all test cases to be run."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_EDIT)
    form = TestRunForm(request.POST, prompt=prompt)
    if not form.is_valid():
        return _tests(request, prompt, form, status=INVALID)
    run = start_test_run(prompt, actor=request.actor, **form.cleaned_data)
    return redirect("test-run", team, slug, run.public_id)


@page(Verb.PROMPT_VIEW)
def test_run(request: HtmxHttpRequest, team: str, slug: str, public_id: str) -> HttpResponseBase:
    """A run with its results, as they come in."""
    prompt = own_prompt(request, team, slug)
    runs = TestRun.objects.select_related("version__prompt", "model__provider")
    run = get_object_or_404(runs, prompt=prompt, public_id=public_id)
    results = list(run.results.select_related("case").order_by("case_id"))
    context = {
        "prompt": prompt,
        "run": run,
        "results": results,
        "passed": sum(result.passed for result in results),
        "total": max(len(results), active_cases(prompt).filter(created_at__lte=run.created_at).count()),
        "moving": run.state not in TestRun.ENDED,
    }
    template = "ai/prompts/test_run.html" + ("#live" if htmx_partial(request) else "")
    return render(request, template, context)


def _variables(prompt: Prompt) -> list[dict[str, Any]]:
    """The variables for which a case has fields: those of the newest version, else those of the draft."""
    newest = latest_version(prompt)
    if newest is not None:
        return list(newest.variables)
    named = set(names_of(prompt.draft.get("messages", [])))
    return [one for one in prompt.draft.get("variables", []) if one.get("name") in named]
