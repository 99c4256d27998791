"""Plans of an API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apis.actions import change_plan, close_plan, create_plan, deprecate_plan, publish_plan
from apis.models import Plan, PlanLimits
from apis.queries import with_newest_limits
from apis.rest import serializers
from apis.rest.reading import own_api, require_drafts, values_of, visible_api
from teams.access import OPEN, ResourceViewSet, Rule
from teams.models import ApproverGroup, Team, Verb


class PlanViewSet(ResourceViewSet[Plan]):
    """Plans by short name. Drafts are told to the own team only."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": OPEN,
        "retrieve": OPEN,
        "create": Verb.API_EDIT,
        "partial_update": Verb.API_EDIT,
        "publish": Verb.API_PUBLISH,
        "deprecate": Verb.API_PUBLISH,
        "close": Verb.API_PUBLISH,
    }
    model = Plan
    serializer_class = serializers.PlanOutput

    def get_queryset(self) -> QuerySet[Plan]:
        if getattr(self, "swagger_fake_view", False):
            return Plan.objects.none()
        api = visible_api(self.actor, self.kwargs["team"], self.kwargs["slug"])
        return with_newest_limits(Plan.objects.visible_to(self.actor).filter(api=api))

    def get_object(self) -> Plan:
        plan = get_object_or_404(self.get_queryset(), slug=self.kwargs["plan"])
        self.kwargs = {**self.kwargs, "public_id": plan.public_id}
        return super().get_object()

    def own_object(self) -> Plan:
        """The plan, for a write by its own team; outsiders get 404 also where they may read it."""
        plan = self.get_object()
        require_drafts(self.actor, plan.api.team_id)
        return plan

    @extend_schema(request=serializers.PlanInput, responses={201: serializers.PlanOutput})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        api = own_api(self.actor, self.kwargs["team"], self.kwargs["slug"])
        self.actor.require(Verb.API_EDIT, api.team)
        values = self._values(serializers.PlanInput, request, api.team)
        limits = PlanLimits(**values.pop("limits"))
        return self.answer(create_plan(api, actor=self.actor, limits=limits, **values), status=201)

    @extend_schema(request=serializers.PlanChange)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        plan = self.own_object()
        self.actor.require(Verb.API_EDIT, plan.api.team)
        values = self._values(serializers.PlanChange, request, plan.api.team)
        changes = values.pop("limits")
        current = plan.current
        limits = replace(current.limits, **changes) if current and changes else None
        return self.answer(change_plan(plan, actor=self.actor, limits=limits, **values))

    @extend_schema(request=None)
    def publish(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._moved(publish_plan)

    @extend_schema(request=serializers.NoteInput)
    def deprecate(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._moved(deprecate_plan, **values_of(serializers.NoteInput, request))

    @extend_schema(request=serializers.NoteInput)
    def close(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._moved(close_plan, **values_of(serializers.NoteInput, request))

    def _moved(self, move: Callable[..., Plan], **values: Any) -> Response:
        return self.answer(move(self.own_object(), actor=self.actor, **values))

    def _values(self, serializer: Any, request: Request, team: Team) -> dict[str, Any]:
        """Arguments of the action, with what belongs to the limits apart, and the approver group found."""
        values = values_of(serializer, request)
        limits = {name: values.pop(name) for name in serializers.LIMITS if name in values}
        if values.get("approvers"):
            groups = ApproverGroup.objects.filter(team=team)
            values["approvers"] = get_object_or_404(groups, public_id=values["approvers"])
        return {**values, "limits": limits}
