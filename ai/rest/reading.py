"""Reading requests about AI: values of a body, and what they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from ai.actions import TargetValues
from ai.models import AiModel
from teams.models import Actor, Team


def values_of(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The validated values of a request's body. Raises ValidationError (422)."""
    form = serializer(data=request.data)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def team_named(actor: Actor, slug: str | None) -> Team | None:
    """A team of the actor's own, or 404; None for what the whole installation shares."""
    return get_object_or_404(Team.objects.visible_to(actor), slug=slug) if slug else None


def targets_named(actor: Actor, rows: Iterable[Mapping[str, Any]]) -> list[TargetValues]:
    """The models that `rows` name by id. Raises ValidationError for one that the actor does not see."""
    rows = list(rows)
    visible = AiModel.objects.visible_to(actor).select_related("provider")
    found = {model.public_id: model for model in visible.filter(public_id__in=[row["model"] for row in rows])}
    missing = [row["model"] for row in rows if row["model"] not in found]
    if missing:
        raise ValidationError({"targets": f"There is no model {missing[0]}. Correct the id."})
    return [TargetValues(found[row["model"]], row["rank"], row["weight"]) for row in rows]
