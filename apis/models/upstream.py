"""Where traffic goes, by name, and its addresses in each environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ai.models import ModelRoute, Prompt
from apis.models.environment import Environment
from audit.models import Record, RecordQuerySet
from teams.models import Team, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from apis.models.api import ApiVersion
    from teams.models import Actor


class UpstreamQuerySet(RecordQuerySet["Upstream"]):
    def visible_to(self, actor: Actor) -> UpstreamQuerySet:
        """Upstreams of the actor's own teams; addresses are nobody else's business."""
        if actor.everywhere(Verb.API_VIEW):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.API_VIEW))

    def manageable_by(self, actor: Actor) -> UpstreamQuerySet:
        return self if actor.is_system else self.filter(team_id__in=actor.team_ids(Verb.API_EDIT))


class Upstream(Record):
    """A backend of one team, known to revisions by its name.

    Calls of a `prompt` or of a `model` go to the AI runtimes: to `prompt`, and to the aliases in `model_routes` for
    callers who bring their own messages.
    """

    public_id_prefix = "ups"

    class Kind(models.TextChoices):
        HTTP = "http", _("HTTP service")
        PROMPT = "prompt", _("Prompt")
        MODEL = "model", _("AI models")

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="upstreams")
    name = models.CharField(_("name"), max_length=48, validators=[slug_validator])
    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.HTTP)
    prompt = models.ForeignKey(
        Prompt,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="upstreams",
        verbose_name=_("prompt"),
    )
    model_routes = models.ManyToManyField(
        ModelRoute, blank=True, related_name="upstreams", verbose_name=_("model routes")
    )

    objects: ClassVar[UpstreamQuerySet] = UpstreamQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "name"],
                name="upstream_name_once",
                violation_error_message=_(
                    "Your team already has an upstream with this name. Choose another."
                ),
            ),
            models.CheckConstraint(
                condition=Q(kind="prompt", prompt__isnull=False) | (~Q(kind="prompt") & Q(prompt=None)),
                name="upstream_prompt",
                violation_error_message=_("An upstream of this kind needs a prompt, and no other has one."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id

    @property
    def is_ai(self) -> bool:
        """Whether its calls go to the AI runtimes."""
        return self.kind in AI_KINDS


AI_KINDS = (Upstream.Kind.PROMPT, Upstream.Kind.MODEL)
"""Kinds whose calls go to the AI runtimes."""


class UpstreamBindingQuerySet(RecordQuerySet["UpstreamBinding"]):
    def that_keep_bodies_of(self, version: ApiVersion) -> list[str]:
        """The names of environments in which the team keeps what AI calls of `version` ask and answer: callers are
        told."""
        keeping = self.filter(log_bodies=True, upstream__revisions__api_version=version)
        names = keeping.order_by("environment__position").values_list("environment__name", flat=True)
        return list(dict.fromkeys(names))


class UpstreamBinding(Record):
    """The addresses of an Upstream in one Environment.

    `targets` is a JSON list of objects `{"url": "https://host:port/prefix", "weight": 1..1000}`.
    `health_path` empty means no active health check. Times are milliseconds. A prompt has no targets here but the
    label that says which of its versions answers. `log_bodies` is for calls of AI alone: whether usage keeps what they
    ask and answer.
    """

    public_id_prefix = "bnd"

    upstream = models.ForeignKey(Upstream, on_delete=models.PROTECT, related_name="bindings")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="bindings")
    targets = models.JSONField(_("targets"), default=list)
    prompt_label = models.CharField(
        _("label of the prompt"), max_length=48, blank=True, db_default="", default=""
    )
    log_bodies = models.BooleanField(_("keep what is asked and answered"), default=False, db_default=False)
    health_path = models.CharField(_("health check path"), max_length=200, blank=True)
    timeout_ms = models.PositiveIntegerField(
        _("timeout (ms)"), default=15_000, validators=[MinValueValidator(100), MaxValueValidator(300_000)]
    )
    connect_timeout_ms = models.PositiveIntegerField(
        _("connect timeout (ms)"),
        default=2_000,
        validators=[MinValueValidator(50), MaxValueValidator(30_000)],
    )

    objects: ClassVar[UpstreamBindingQuerySet] = UpstreamBindingQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["upstream__name", "environment__position"]
        constraints = [
            models.UniqueConstraint(fields=["upstream", "environment"], name="upstream_binding_once")
        ]

    def __str__(self) -> str:
        return f"{self.upstream} in {self.environment}"

    @property
    def audit_team_id(self) -> str:
        return self.upstream.team.public_id
