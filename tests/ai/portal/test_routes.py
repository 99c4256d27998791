"""Model routes: targets replaced as a whole, nothing unusable in them, not retired while prompts go by them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from ai import actions
from ai.actions import RouteValues, TargetValues
from ai.models import AiModel, ModelRoute, Prompt, PromptVersion, Provider
from audit.models import ActionRefused, AuditEvent
from teams.models import SYSTEM
from tests.ai.portal.conftest import acting


@pytest.fixture
def other(shared: Provider) -> AiModel:
    """A shared model."""
    return actions.add_model(shared, actor=SYSTEM, remote="large")


def make(model: AiModel, actor: Any = SYSTEM, **values: Any) -> ModelRoute:
    values = {"alias": "smart", "team": model.provider.team, "targets": [TargetValues(model)], **values}
    return actions.create_route(actor=actor, **values)


class TestCreating:
    def test_an_owner_makes_one_with_the_usual_values(
        self, model: AiModel, other: AiModel, alice: Any
    ) -> None:
        targets = [TargetValues(other, rank=1), TargetValues(model, rank=0, weight=30)]
        route = make(model, acting(alice), targets=targets)
        assert route.retry_codes == [429, 500, 502, 503, 504, 529]
        assert list(route.targets.values_list("model", "rank", "weight")) == [
            (model.pk, 0, 30),
            (other.pk, 1, 100),
        ]
        event = AuditEvent.objects.get(name="model_route.created")
        assert event.after["targets"][0] == {"model": "house/house-large", "rank": 0, "weight": 30}

    @pytest.mark.parametrize("who", ["bob", "charlie", "dana", "erin", "frank"])
    def test_others_do_not(self, who: str, model: AiModel, request: Any) -> None:
        with pytest.raises(PermissionDenied):
            make(model, acting(request.getfixturevalue(who)))

    def test_a_shared_one_needs_an_administrator_and_shared_models(
        self, model: AiModel, other: AiModel, alice: Any, ada: Any
    ) -> None:
        with pytest.raises(PermissionDenied):
            make(other, acting(alice), team=None)
        with pytest.raises(ValidationError, match="another team"):
            make(model, acting(ada), team=None)
        assert make(other, acting(ada), team=None).team is None

    def test_no_models_twice_the_same_or_too_many(self, model: AiModel) -> None:
        for targets in ([], [TargetValues(model)] * 2, [TargetValues(model)] * 21):
            with pytest.raises(ValidationError) as error:
                make(model, targets=targets)
            assert "targets" in error.value.message_dict

    def test_models_that_cannot_be_used_are_named(self, model: AiModel, other: AiModel) -> None:
        actions.change_model(model, actor=SYSTEM, is_enabled=False)
        with pytest.raises(ValidationError, match="house/house-large is switched off"):
            make(model)
        actions.pause_provider(other.provider, actor=SYSTEM)
        with pytest.raises(ValidationError, match="not active"):
            make(other)

    def test_kinds_are_not_mixed(self, provider: Provider, model: AiModel) -> None:
        embedding = actions.add_model(provider, actor=SYSTEM, remote="e", mode="embedding", capabilities=[])
        with pytest.raises(ValidationError, match="different kinds"):
            make(model, targets=[TargetValues(model), TargetValues(embedding)])

    @pytest.mark.parametrize(
        "values",
        [
            {"retry_codes": [200]},
            {"attempts": 0},
            {"attempts": 11},
            {"try_timeout_ms": 5},
            {"stream_idle_ms": 700_000},
            {"breaker_s": 0},
            {"breaker_failures": 101},
        ],
    )
    def test_bad_values_are_named(self, values: Any, model: AiModel) -> None:
        with pytest.raises(ValidationError) as error:
            make(model, values=RouteValues(**values))
        assert set(error.value.message_dict) == set(values)

    def test_bad_targets(self, model: AiModel) -> None:
        for target in (TargetValues(model, rank=101), TargetValues(model, weight=0)):
            with pytest.raises(ValidationError):
                make(model, targets=[target])

    def test_an_alias_stands_once_in_a_team_and_is_free_again(
        self, route: ModelRoute, model: AiModel
    ) -> None:
        with pytest.raises(ValidationError):
            make(model, alias="fast-text")
        actions.retire_route(route, actor=SYSTEM)
        assert make(model, alias="fast-text").alias == "fast-text"


class TestChanging:
    def test_targets_take_the_place_of_all(
        self, route: ModelRoute, model: AiModel, other: AiModel, alice: Any
    ) -> None:
        version = route.row_version
        changed = actions.change_route(route, actor=acting(alice), targets=[TargetValues(other)])
        assert [target.model for target in changed.targets.all()] == [other]
        assert changed.row_version == version + 1
        event = AuditEvent.objects.get(name="model_route.changed")
        assert set(event.after) == {"targets"}

    def test_what_is_not_given_stays(self, route: ModelRoute) -> None:
        changed = actions.change_route(
            route,
            actor=SYSTEM,
            values=RouteValues(attempts=5, retry_codes=[503, 429, 503], breaker_failures=0),
        )
        assert (changed.attempts, changed.retry_codes, changed.try_timeout_ms) == (5, [429, 503], 60_000)
        assert changed.breaker_failures == 0
        assert changed.targets.count() == 1

    def test_nothing_changed_is_no_event(self, route: ModelRoute, model: AiModel) -> None:
        actions.change_route(route, actor=SYSTEM, targets=[TargetValues(model)])
        assert not AuditEvent.objects.filter(name="model_route.changed").exists()

    def test_an_empty_replacement_is_refused_and_leaves_it(self, route: ModelRoute) -> None:
        with pytest.raises(ValidationError):
            actions.change_route(route, actor=SYSTEM, targets=[])
        assert route.targets.count() == 1


class TestRetiring:
    def test_one_that_prompts_go_by_is_named_and_kept(self, route: ModelRoute, shop: Any) -> None:
        prompt = Prompt.objects.create(team=shop, slug="translate", name="Translate")
        PromptVersion.objects.create(prompt=prompt, number=1, messages=[], route=route, frozen_by="Alice")
        with pytest.raises(ActionRefused, match="shop/translate"):
            actions.retire_route(route, actor=SYSTEM)
        prompt.retired_at = prompt.created_at
        prompt.save()
        assert actions.retire_route(route, actor=SYSTEM).retired_at is not None

    def test_a_retired_one_is_over(self, route: ModelRoute, alice: Any) -> None:
        actions.retire_route(route, actor=acting(alice), note="no longer needed")
        with pytest.raises(ActionRefused, match="is retired"):
            actions.change_route(route, actor=SYSTEM, values=RouteValues(attempts=2))
        assert not ModelRoute.objects.usable().exists()
