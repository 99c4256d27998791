"""Budgets over REST. Each write calls one action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, cast

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions import actions
from subscriptions.budget_targets import find_target
from subscriptions.models import Budget, BudgetTarget
from teams.access import ResourceViewSet, Rule
from teams.models import Team, Verb
from usage.budgets import Standing, standings


class BudgetListOut(serializers.ListSerializer[Budget]):
    """Budgets whose standings are read together."""

    def to_representation(self, data: Any) -> list[Any]:
        rows: list[Budget] = list(data)
        shape = cast("BudgetOut", self.child)
        shape.standings = {one.budget.pk: one for one in standings(rows)}
        return super().to_representation(rows)


class BudgetOut(serializers.ModelSerializer[Budget]):
    """A budget and how it stands. `limit`, `spent` and `left` are tokens, or 1e-9 of `currency`."""

    id = serializers.CharField(source="public_id")
    team = serializers.CharField(
        source="team.slug", default=None, allow_null=True, help_text="Who set it; null: the platform."
    )
    of = serializers.CharField(source="target.public_id")
    environment = serializers.CharField(source="of_environment.slug", default=None, allow_null=True)
    spent = serializers.SerializerMethodField(help_text="In the present period, by the ledger.")
    left = serializers.SerializerMethodField()
    unpriced = serializers.SerializerMethodField(help_text="Attempts of which nobody knows the price.")
    period_ends_at = serializers.SerializerMethodField()
    counted_at = serializers.DateTimeField(
        source="count.counted_at", allow_null=True, help_text="When the ledger was last added up for it."
    )

    class Meta:
        model = Budget
        list_serializer_class = BudgetListOut
        fields = (
            *("id", "name", "team", "scope", "of", "environment", "period", "unit", "currency", "limit"),
            *("hard", "fail_open", "state", "spent", "left", "unpriced", "period_ends_at", "counted_at"),
            *("created_at", "updated_at"),
        )

    standings: Mapping[int, Standing] = {}

    def to_representation(self, instance: Budget) -> dict[str, Any]:
        found = self.standings.get(instance.pk)
        self._standing = found if found is not None else standings([instance])[0]
        return super().to_representation(instance)

    def get_spent(self, _budget: Budget) -> int:
        return self._standing.spent

    def get_left(self, _budget: Budget) -> int:
        return self._standing.left

    def get_unpriced(self, _budget: Budget) -> int:
        return self._standing.unpriced

    def get_period_ends_at(self, _budget: Budget) -> datetime:
        return self._standing.ends


class BudgetChange(serializers.Serializer[Any]):
    """What may be changed; what is left out stays."""

    name = serializers.CharField(max_length=80, required=False)
    limit = serializers.IntegerField(
        min_value=1, max_value=10**18, required=False, help_text="Tokens, or 1e-9 of the currency."
    )
    hard = serializers.BooleanField(required=False, help_text="Refuse with 402 what could go beyond it.")
    fail_open = serializers.BooleanField(required=False, help_text="Let calls in while it cannot be counted.")


class BudgetIn(BudgetChange):
    """A new budget."""

    name = serializers.CharField(max_length=80)
    limit = serializers.IntegerField(
        min_value=1, max_value=10**18, help_text="Tokens, or 1e-9 of the currency."
    )
    team = serializers.SlugField(
        required=False, allow_null=True, default=None, help_text="Who sets it; null: the platform."
    )
    scope = serializers.ChoiceField(Budget.Scope.choices)
    of = serializers.CharField(
        max_length=40, help_text="Id of the team, application, subscription, API version or model."
    )
    environment = serializers.SlugField(required=False, default="", help_text="Of an endpoint.")
    period = serializers.ChoiceField(Budget.Period.choices, required=False)
    unit = serializers.ChoiceField(Budget.Unit.choices, required=False)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False, default="", allow_blank=True)


class BudgetRetireIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)


class BudgetFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package is untyped
    """Narrow by what a budget is of, and by its state."""

    scope = django_filters.ChoiceFilter(choices=Budget.Scope.choices)
    state = django_filters.ChoiceFilter(choices=Budget.State.choices)

    class Meta:
        model = Budget
        fields: tuple[str, ...] = ()


class BudgetViewSet(ResourceViewSet[Budget]):
    """Ceilings of tokens or money of AI calls."""

    model = Budget
    queryset = Budget.objects.none()
    serializer_class = BudgetOut
    filterset_class = BudgetFilter
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.BUDGET_VIEW,
        "retrieve": Verb.BUDGET_VIEW,
        "create": Verb.BUDGET_MANAGE,
        "partial_update": Verb.BUDGET_MANAGE,
        "retire": Verb.BUDGET_MANAGE,
    }

    def get_queryset(self) -> QuerySet[Budget]:
        found: QuerySet[Budget] = super().get_queryset().told()  # type: ignore[attr-defined]
        return found

    @extend_schema(request=BudgetIn, responses={201: BudgetOut})
    def create(self, request: Request) -> Response:
        """Set a budget. What was spent in the present period counts."""
        values = _read(BudgetIn, request)
        team = self._team(values.pop("team"))
        target = self._target(values)
        budget = actions.set_budget(
            values.pop("name"), target, actions.BudgetValues(**values), actor=self.actor, team=team
        )
        return self._shown(budget, status=201)

    @extend_schema(request=BudgetChange, responses=BudgetOut)
    def partial_update(self, request: Request, public_id: str) -> Response:
        """Change its limit, or what happens at it."""
        budget, values = self.get_object(), _read(BudgetChange, request)
        return self._shown(actions.change_budget(budget, actor=self.actor, **values))

    @extend_schema(request=BudgetRetireIn, responses=BudgetOut)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, public_id: str) -> Response:
        """End it: calls are held against it no more."""
        budget, values = self.get_object(), _read(BudgetRetireIn, request)
        return self._shown(actions.retire_budget(budget, actor=self.actor, **values))

    def _shown(self, budget: Budget, *, status: int = 200) -> Response:
        return self.answer(self.get_queryset().get(pk=budget.pk), status=status)

    def _team(self, slug: str | None) -> Team | None:
        return None if slug is None else get_object_or_404(Team.objects.visible_to(self.actor), slug=slug)

    def _target(self, values: dict[str, Any]) -> BudgetTarget:
        scope, environment = values.pop("scope"), values.pop("environment")
        if scope == Budget.Scope.ENDPOINT and not environment:
            raise ValidationError({"environment": "An endpoint is a version in an environment: name it."})
        target = find_target(self.actor, scope, values.pop("of"), environment)
        if target is None:
            raise ValidationError({"of": f"You see no {scope} with this id."})
        return target


def _read(shape: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
