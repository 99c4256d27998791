"""The actions of prompts: drafts, versions, labels that tests hold back, runs that are told twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from ai.actions import (
    PromptNotReady,
    change_prompt,
    change_test_case,
    create_prompt,
    create_test_case,
    fail_run,
    finish_run,
    freeze_version,
    move_label,
    record_result,
    retire_prompt,
    retire_test_case,
    save_draft,
    start_test_run,
)
from ai.comparison import compare
from ai.models import ModelRoute, Prompt, PromptVersion, TestCase, TestResult, TestRun
from ai.prompt_queries import plain_version
from ai.prompt_queries import test_history as history_of
from apis.actions import choose_upstream, create_ai_upstream
from audit.models import ActionRefused, AuditEvent
from teams.models import SYSTEM, TeamRole
from teams.queries import actor_of_user
from tests import factories
from tests.ai import factories as ai

RESULT: dict[str, Any] = {
    "output": "A museum.",
    "latency_ms": 100.0,
    "tokens": 10,
    "cost_nano": 500,
    "currency": "USD",
    "model_name": "demo/small",
}


@pytest.fixture
def owner(alice: Any) -> Any:
    return actor_of_user(alice)


@pytest.fixture
def developer(bob: Any) -> Any:
    return actor_of_user(bob)


@pytest.fixture
def viewer(shop: Any) -> Any:
    user = factories.make_user("vera@example.test")
    factories.join(shop, user, TeamRole.VIEWER)
    return actor_of_user(user)


@pytest.fixture
def prompt(shop: Any) -> Prompt:
    return ai.make_prompt(shop, "Summary")


def names() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("name", flat=True))


class TestDrafts:
    def test_a_new_prompt_can_be_frozen_as_it_is(self, shop: Any, developer: Any) -> None:
        ai.make_route()
        prompt = create_prompt(actor=developer, team=shop, name="Sum it up")
        assert prompt.slug == "sum-it-up"
        assert freeze_version(prompt, actor=developer).number == 1
        assert names() == ["prompt.created", "prompt.version_frozen"]

    def test_short_names_are_once_in_a_team(self, shop: Any, developer: Any) -> None:
        create_prompt(actor=developer, team=shop, name="One")
        with pytest.raises(ValidationError, match="short name"):
            create_prompt(actor=developer, team=shop, name="One")

    def test_half_done_is_kept_with_its_problems(self, prompt: Prompt, developer: Any) -> None:
        problems = save_draft(
            prompt, actor=developer, draft={"messages": [{"role": "user", "content": "{{a"}]}
        )
        assert [(one.part, one.message, one.offset) for one in problems] == [
            ("messages", 0, 0),
            ("route", None, None),
        ]
        assert Prompt.objects.get().draft["messages"][0]["content"] == "{{a"
        version = prompt.row_version
        save_draft(prompt, actor=developer, draft=prompt.draft)
        assert prompt.row_version == version
        assert names() == ["prompt.draft_saved"]

    def test_who_began_from_an_older_one_is_refused(self, prompt: Prompt, developer: Any) -> None:
        save_draft(prompt, actor=developer, draft={}, seen=1)
        with pytest.raises(ActionRefused, match="Somebody saved"):
            save_draft(prompt, actor=developer, draft=ai.starter_draft(None), seen=1)

    def test_viewers_and_strangers_write_nothing(self, prompt: Prompt, viewer: Any, charlie: Any) -> None:
        for actor in (viewer, actor_of_user(charlie)):
            for deed in (
                lambda actor=actor: save_draft(prompt, actor=actor, draft={}),
                lambda actor=actor: freeze_version(prompt, actor=actor),
                lambda actor=actor: change_prompt(prompt, actor=actor, name="x"),
                lambda actor=actor: create_prompt(actor=actor, team=prompt.team, name="x"),
                lambda actor=actor: create_test_case(
                    prompt, actor=actor, name="x", values={}, check_kind="exact", expected="x"
                ),
            ):
                with pytest.raises(PermissionDenied):
                    deed()

    def test_a_retired_prompt_stays_as_it_is(self, prompt: Prompt, owner: Any, developer: Any) -> None:
        with pytest.raises(PermissionDenied):
            retire_prompt(prompt, actor=developer)
        retire_prompt(prompt, actor=owner, note="Over.")
        with pytest.raises(ActionRefused, match="retired"):
            save_draft(prompt, actor=owner, draft={})
        with pytest.raises(ActionRefused, match="retired"):
            retire_prompt(prompt, actor=owner)


class TestFreezing:
    def test_everything_is_checked_and_told(self, prompt: Prompt, developer: Any) -> None:
        draft = {
            **prompt.draft,
            "messages": [{"role": "user", "content": "{{text}} {{ghost}}"}],
            "output_schema": {"type": "strin"},
            "parameters": {"temperature": 9},
            "guard": {"rules": [{"kind": "regex", "pattern": "("}]},
            "route": "mrt_nowhere",
        }
        save_draft(prompt, actor=developer, draft=draft)
        with pytest.raises(PromptNotReady) as told:
            freeze_version(prompt, actor=developer)
        fields = {error["field"] for error in told.value.details["errors"]}
        assert fields == {"/messages/0", "/variables", "/output_schema/type", "/parameters/temperature",
                          "/guard/rules/0", "/route"}  # fmt: skip
        assert not PromptVersion.objects.exists()

    def test_routes_of_others_and_ended_ones_cannot_be_used(self, prompt: Prompt, developer: Any) -> None:
        foreign = ai.make_route(team=factories.make_team("Other"), alias="foreign")
        ended = ai.make_route(alias="ended")
        ModelRoute.objects.filter(pk=ended.pk).update(retired_at=prompt.created_at)
        empty = ModelRoute.objects.create(alias="empty")
        for route in (foreign, ended, empty):
            save_draft(prompt, actor=developer, draft={**prompt.draft, "route": route.public_id})
            with pytest.raises(PromptNotReady):
                freeze_version(prompt, actor=developer)
        own = ai.make_route(team=prompt.team, alias="own")
        save_draft(prompt, actor=developer, draft={**prompt.draft, "route": own.public_id})
        assert freeze_version(prompt, actor=developer).route == own

    def test_nothing_new_is_refused(self, prompt: Prompt, developer: Any) -> None:
        freeze_version(prompt, actor=developer)
        with pytest.raises(ActionRefused, match="Nothing changed since version 1"):
            freeze_version(prompt, actor=developer)

    def test_a_prompt_without_variables(self, prompt: Prompt, developer: Any) -> None:
        plain = {**prompt.draft, "messages": [{"role": "user", "content": "Tell a joke."}], "variables": []}
        save_draft(prompt, actor=developer, draft=plain)
        version = freeze_version(prompt, actor=developer)
        create_test_case(prompt, actor=developer, name="x", values={}, check_kind="contains", expected="ha")
        assert plain_version(version) == Prompt.objects.get().draft


class TestLabels:
    def test_only_who_may_release_moves_one(self, prompt: Prompt, owner: Any, developer: Any) -> None:
        version = ai.make_prompt_version(prompt)
        with pytest.raises(PermissionDenied):
            move_label(prompt, actor=developer, name="staging", version=version)
        move_label(prompt, actor=owner, name="staging", version=version, note="Try.")
        event = AuditEvent.objects.get(name="prompt.label_moved")
        assert (event.before, event.after, event.note) == ({}, {"version": 1}, "Try.")
        move_label(prompt, actor=owner, name="staging", version=version)
        assert AuditEvent.objects.count() == 1

    def test_versions_of_others_and_odd_names_are_refused(self, prompt: Prompt, owner: Any) -> None:
        with pytest.raises(ActionRefused, match="another prompt"):
            move_label(prompt, actor=owner, name="staging", version=ai.make_prompt_version())
        with pytest.raises(ValidationError):
            move_label(prompt, actor=owner, name="Not a slug", version=ai.make_prompt_version(prompt))

    def test_callers_are_not_broken_silently(self, prompt: Prompt, owner: Any) -> None:
        first = ai.make_prompt_version(prompt)
        words = [
            {**prompt.draft["variables"][0], "description": "Other words", "default": 4},
            prompt.draft["variables"][1],
        ]
        same = ai.make_prompt_version(prompt, variables=words)
        other = ai.make_prompt_version(prompt, output_schema={"type": "object"})
        move_label(prompt, actor=owner, name="production", version=first)
        move_label(prompt, actor=owner, name="production", version=same)
        version = factories.make_version(factories.make_api(prompt.team, "Offered"))
        upstream = create_ai_upstream(
            actor=SYSTEM,
            team=prompt.team,
            name="offered",
            prompt=prompt,
            labels={factories.make_environment(): "production"},
        )
        factories.make_revision(choose_upstream(version, actor=SYSTEM, upstream=upstream))
        with pytest.raises(ActionRefused, match="callers would have to change") as told:
            move_label(prompt, actor=owner, name="production", version=other)
        assert told.value.code == "interface_changed"
        assert f"{version} is offered by that label" in told.value.message
        assert prompt.labels.get(name="production").version == same

    def test_a_label_by_which_nothing_is_offered_moves_to_any_version(
        self, prompt: Prompt, owner: Any
    ) -> None:
        move_label(prompt, actor=owner, name="production", version=ai.make_prompt_version(prompt))
        other = ai.make_prompt_version(prompt, output_schema={"type": "object"})
        assert move_label(prompt, actor=owner, name="production", version=other).version == other

    def test_production_waits_for_its_tests(self, prompt: Prompt, owner: Any) -> None:
        version = ai.make_prompt_version(prompt)
        case = ai.make_test_case(prompt)
        optional = ai.make_test_case(prompt, "Nice to have", is_required=False)

        def refused(words: str) -> None:
            with pytest.raises(ActionRefused, match=words):
                move_label(prompt, actor=owner, name="production", version=version)

        refused("has not been tested")
        fail_run(ai.make_test_run(version, "queued", finished_at=None), problem="no runtime")
        refused("could not be run")
        failed = ai.make_test_run(version, "failed")
        ai.make_result(failed, case, passed=False)
        refused("failed required tests: It answers")
        elsewhere = ai.make_test_run(version, model=ai.make_model("toy"))
        ai.make_result(elsewhere, case)
        refused("failed required tests")  # a model that the route does not call proves nothing
        passed = ai.make_test_run(version)
        ai.make_result(passed, case)
        ai.make_result(passed, optional, passed=False)
        change_test_case(case, actor=owner, expected="other")
        refused("added or changed since")
        again = ai.make_test_run(version)
        ai.make_result(again, case)
        assert move_label(prompt, actor=owner, name="production", version=version).version == version


class TestCases:
    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"values": {}}, "values"),
            ({"values": {"text": 5}}, "values"),
            ({"values": {"text": "a", "more": "b"}}, "values"),
            ({"values": {"text": "a\x00"}}, "values"),
            ({"check_kind": "regex", "expected": "("}, "expected"),
            ({"check_kind": "json_schema", "expected": "{"}, "expected"),
            ({"check_kind": "mood"}, "expected"),
            ({"expected": " "}, "expected"),
            ({"name": ""}, "name"),
        ],
    )
    def test_what_does_not_fit_is_refused_where_it_stands(
        self, changed: dict[str, Any], field: str, prompt: Prompt, developer: Any
    ) -> None:
        right: dict[str, Any] = {"name": "x", "values": {"text": "a"}, "check_kind": "exact", "expected": "x"}
        with pytest.raises(ValidationError) as told:
            create_test_case(prompt, actor=developer, **{**right, **changed})
        assert field in told.value.message_dict
        create_test_case(prompt, actor=developer, **right)

    def test_values_may_fit_the_newest_version_alone(self, prompt: Prompt, developer: Any) -> None:
        ai.make_prompt_version(prompt)
        save_draft(prompt, actor=developer, draft={"messages": [{"role": "user", "content": "{{"}]})
        create_test_case(
            prompt, actor=developer, name="x", values={"text": "a"}, check_kind="exact", expected="x"
        )

    def test_retired_ones_are_run_no_more(self, prompt: Prompt, developer: Any) -> None:
        case = ai.make_test_case(prompt)
        version = ai.make_prompt_version(prompt)
        retire_test_case(case, actor=developer)
        with pytest.raises(ActionRefused, match="no test cases"):
            start_test_run(prompt, version=version, actor=developer)
        with pytest.raises(ActionRefused, match="retired"):
            change_test_case(case, actor=developer, name="y")


class TestRuns:
    @pytest.fixture
    def case(self, prompt: Prompt) -> TestCase:
        return ai.make_test_case(prompt)

    @pytest.fixture
    def run(self, prompt: Prompt, case: TestCase, developer: Any) -> TestRun:
        return start_test_run(prompt, version=ai.make_prompt_version(prompt), actor=developer)

    def test_it_decides_what_passed(self, run: TestRun, case: TestCase) -> None:
        assert names() == ["prompt.test_run_started"]
        result = record_result(run, case, **RESULT)
        assert result is not None
        assert result.passed
        assert TestRun.objects.get().state == TestRun.State.RUNNING
        assert finish_run(run).state == TestRun.State.PASSED
        assert names() == ["prompt.test_run_started", "prompt.test_run_finished"]

    def test_told_twice_the_first_stays(self, run: TestRun, case: TestCase) -> None:
        record_result(run, case, **RESULT)
        again = record_result(run, case, **{**RESULT, "output": "Nothing"})
        assert again is not None
        assert again.passed
        assert TestResult.objects.count() == 1
        finish_run(run)
        finish_run(run)
        fail_run(run, problem="late")
        assert TestRun.objects.get().state == TestRun.State.PASSED
        assert names().count("prompt.test_run_finished") == 1

    def test_after_the_end_nothing_is_kept(self, run: TestRun, case: TestCase) -> None:
        fail_run(run, problem="The runtime is away.")
        assert record_result(run, case, **RESULT) is None
        assert not TestResult.objects.exists()

    def test_a_missing_or_failed_required_case_fails_it(
        self, run: TestRun, case: TestCase, prompt: Prompt
    ) -> None:
        assert finish_run(run).state == TestRun.State.FAILED
        second = ai.make_test_run(run.version, "queued", finished_at=None)
        record_result(
            second, case, **{**RESULT, "output": "", "cost_nano": None}, problem="The model was away."
        )
        assert finish_run(second).state == TestRun.State.FAILED
        result = TestResult.objects.get()
        assert (result.problem, result.cost_nano, result.currency) == ("The model was away.", None, "")

    def test_cases_added_later_and_optional_ones_do_not_fail_it(
        self, run: TestRun, case: TestCase, prompt: Prompt
    ) -> None:
        optional = ai.make_test_case(prompt, "Optional", is_required=False)
        ai.make_test_case(prompt, "Later")
        record_result(run, case, **RESULT)
        record_result(run, optional, **{**RESULT, "output": "no"})
        assert finish_run(run).state == TestRun.State.PASSED

    def test_odd_outputs_are_kept(self, run: TestRun, case: TestCase) -> None:
        record_result(run, case, **{**RESULT, "output": "museum \x00 \ud800 " + "x" * 200_000})
        kept = TestResult.objects.get()
        assert kept.passed
        assert len(kept.output) == 100_000

    def test_cases_of_others_are_a_mistake(self, run: TestRun) -> None:
        with pytest.raises(ValueError, match="another prompt"):
            record_result(run, ai.make_test_case(ai.make_prompt()), **RESULT)

    def test_models_that_the_team_cannot_use(self, prompt: Prompt, case: TestCase, developer: Any) -> None:
        version = ai.make_prompt_version(prompt)
        foreign = ai.make_model("x", ai.make_provider(factories.make_team("Other"), "other"))
        with pytest.raises(ActionRefused, match="cannot use this model"):
            start_test_run(prompt, version=version, model=foreign, actor=developer)

    def test_history_is_per_version_model_and_currency(
        self, run: TestRun, case: TestCase, prompt: Prompt
    ) -> None:
        version = run.version
        rows = [("demo/small", True, 100, 1000, "USD"), ("demo/small", False, 300, 500, "EUR"),
                ("demo/small", True, 200, None, ""), ("demo/large", True, 50, 7, "USD")]  # fmt: skip
        for model, passed, latency, cost, currency in rows:
            ended = ai.make_test_run(version)
            ai.make_result(ended, case, passed=passed, model_name=model, latency_ms=latency, cost_nano=cost,
                           currency=currency)  # fmt: skip
        ai.make_result(run, case)  # still going on: not counted
        large, small = history_of(prompt)
        assert (large.model, large.calls, large.pass_rate, large.costs) == ("demo/large", 1, 1, ((7, "USD"),))
        assert (small.calls, small.passed, small.latency_ms, small.unpriced) == (3, 2, 200, 1)
        assert small.costs == ((500, "EUR"), (1000, "USD"))
        assert Decimal(str(small.tokens)) == 40


class TestComparison:
    def test_what_differs_is_told_by_part(self, prompt: Prompt) -> None:
        first = ai.make_prompt_version(prompt)
        second = ai.make_prompt_version(
            prompt,
            messages=[prompt.draft["messages"][0], {"role": "user", "content": "Now:\n{{text}}"}],
            variables=[{**prompt.draft["variables"][1], "max_length": 5}, {"name": "new", "type": "string"}],
            output_schema={"type": "object"},
            parameters={"temperature": 0.2},
            cache_s=60,
        )
        found = compare(plain_version(first), plain_version(second))
        plain = found.to_plain()
        assert [(one["number"], one["lines"]) for one in plain["messages"]] == [
            (2, [{"sign": "+", "text": "Now:"}, {"sign": " ", "text": "{{text}}"}])
        ]
        assert plain["variables"]["added"] == ["new"]
        assert plain["variables"]["removed"] == ["sentences"]
        assert plain["variables"]["changed"] == [
            {"name": "text", "changes": [{"name": "max_length", "before": 20_000, "after": 5}]}
        ]
        assert plain["parameters"] == [{"name": "max_tokens", "before": 400, "after": None}]
        assert plain["others"] == [{"name": "cache_s", "before": 0, "after": 60}]
        assert compare(plain_version(first), plain_version(first)).nothing

    def test_long_texts_take_no_quadratic_time(self) -> None:
        plain = ai.starter_draft(None)
        long = {**plain, "messages": [{"role": "user", "content": "\n" * 190_000}]}
        more = {**plain, "messages": [{"role": "user", "content": "x" + "\n" * 190_000}]}
        assert compare(long, more).messages[0].differs
