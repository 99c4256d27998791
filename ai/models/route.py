"""Aliases: what calls and prompts name, and the models that stand behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ai.models.catalogue import AiModel
from audit.models import Record, RecordQuerySet
from teams.models import Team, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor


class ModelRouteQuerySet(RecordQuerySet["ModelRoute"]):
    def visible_to(self, actor: Actor) -> ModelRouteQuerySet:
        """Shared ones to whoever works with AI in some team; a team's own to that team."""
        if actor.everywhere(Verb.AI_VIEW):
            return self
        teams = actor.team_ids(Verb.AI_VIEW)
        return self.filter(Q(team=None) | Q(team_id__in=teams)) if teams else self.none()

    def manageable_by(self, actor: Actor) -> ModelRouteQuerySet:
        if actor.everywhere(Verb.AI_MANAGE):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.AI_MANAGE))

    def usable(self) -> ModelRouteQuerySet:
        return self.filter(retired_at=None)


class ModelRoute(Record):
    """An alias. `team` null: shared by the whole installation.

    Another model is tried after `retry_codes` and failures of the line, `attempts` times in all, each at most
    `try_timeout_ms` until its first byte, and never after the first byte went to the caller. A model that failed
    `breaker_failures` times in a row is left out for `breaker_s` seconds; 0 switches that off.
    """

    public_id_prefix = "mrt"

    RETRY_CODES = (429, 500, 502, 503, 504, 529)

    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="model_routes",
        verbose_name=_("team"),
    )
    alias = models.CharField(_("alias"), max_length=48, validators=[slug_validator])
    description = models.CharField(_("what it is for"), max_length=200, blank=True)
    retry_codes = models.JSONField(_("statuses after which another model is tried"), default=list, blank=True)
    attempts = models.PositiveSmallIntegerField(
        _("most tries"), default=3, validators=[MinValueValidator(1), MaxValueValidator(10)]
    )
    try_timeout_ms = models.PositiveIntegerField(
        _("time for one try (ms)"),
        default=60_000,
        validators=[MinValueValidator(100), MaxValueValidator(600_000)],
    )
    stream_idle_ms = models.PositiveIntegerField(
        _("longest silence within a stream (ms)"),
        default=60_000,
        validators=[MinValueValidator(100), MaxValueValidator(600_000)],
    )
    breaker_failures = models.PositiveSmallIntegerField(
        _("failures in a row until a model is left out"), default=5, validators=[MaxValueValidator(100)]
    )
    breaker_s = models.PositiveIntegerField(
        _("how long it is left out (s)"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
    )
    retired_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[ModelRouteQuerySet] = ModelRouteQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["alias"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "alias"],
                condition=Q(retired_at=None),
                nulls_distinct=False,
                name="model_route_alias_once",
                violation_error_message=_("There is a model route with this alias already. Choose another."),
            )
        ]

    def __str__(self) -> str:
        return self.alias

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id if self.team else ""


class RouteTarget(models.Model):
    """One model of a route: those of a lower `rank` are tried first, among equals `weight` decides."""

    route = models.ForeignKey(ModelRoute, on_delete=models.CASCADE, related_name="targets")
    model = models.ForeignKey(AiModel, on_delete=models.PROTECT, related_name="targets")
    rank = models.PositiveSmallIntegerField(_("order"), default=0)
    weight = models.PositiveSmallIntegerField(
        _("weight"), default=100, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )

    class Meta:
        ordering = ["rank", "id"]
        constraints = [models.UniqueConstraint(fields=["route", "model"], name="route_target_once")]

    def __str__(self) -> str:
        return f"{self.model} in {self.route}"
