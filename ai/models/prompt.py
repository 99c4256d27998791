"""Prompts, their frozen versions, and the labels that say which version is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from ai.models.route import ModelRoute
from ai.prompts.variables import interface_of, variables_of
from audit.models import Record, RecordQuerySet
from teams.models import Team, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor


class PromptQuerySet(RecordQuerySet["Prompt"]):
    def visible_to(self, actor: Actor) -> PromptQuerySet:
        """A prompt is its team's own; others see the API that is made of it."""
        if actor.everywhere(Verb.PROMPT_VIEW):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.PROMPT_VIEW))

    def manageable_by(self, actor: Actor) -> PromptQuerySet:
        return self if actor.is_system else self.filter(team_id__in=actor.team_ids(Verb.PROMPT_EDIT))

    def active(self) -> PromptQuerySet:
        return self.filter(retired_at=None)


class Prompt(Record):
    """What a team asks of models, under a name. `draft` is what its editor holds: the JSON form of a PromptVersion
    (`messages`, `variables`, `output_schema`, `parameters`, `route`, `cache_s`, `guard`), which may be half done.
    """

    public_id_prefix = "prm"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="prompts")
    slug = models.CharField(_("short name"), max_length=48, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("what it does"), max_length=400, blank=True)
    draft = models.JSONField(default=dict, blank=True)
    retired_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[PromptQuerySet] = PromptQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slug"],
                name="prompt_slug_once",
                violation_error_message=_(
                    "Your team already has a prompt with this short name. Choose another."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id


class PromptVersion(Record):
    """A frozen prompt. `number` counts within the prompt; calls may pin it.

    `messages` is a list of `{"role", "content"}` with `{{variables}}`, `variables` the JSON form of
    `ai.prompts.variables.Variable`s, `output_schema` a JSON Schema or null, `parameters` members of a chat completion
    (`temperature`, `max_tokens`, ...), `guard` the JSON form of `ai.prompts.guards.Guard`. `cache_s` 0: answers are not
    kept.
    """

    public_id_prefix = "pmv"
    locked_after = ("prompt",)

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    messages = models.JSONField()
    variables = models.JSONField(default=list)
    output_schema = models.JSONField(null=True, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    route = models.ForeignKey(ModelRoute, on_delete=models.PROTECT, related_name="prompt_versions")
    cache_s = models.PositiveIntegerField(_("answers are kept (s)"), default=0)
    guard = models.JSONField(default=dict, blank=True)
    note = models.CharField(_("what changed"), max_length=400, blank=True)
    frozen_by = models.CharField(max_length=200)

    class Meta:
        ordering = ["prompt", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["prompt", "number"], name="prompt_version_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.prompt} v{self.number}"

    @property
    def audit_team_id(self) -> str:
        return self.prompt.team.public_id

    @property
    def interface(self) -> dict[str, Any]:
        """What callers keep to, without words and defaults: versions with the same can take each other's place."""
        return {"body": interface_of(variables_of(self.variables)), "output_schema": self.output_schema}


class PromptLabel(Record):
    """A name for a version in use, such as `production`. Moving it changes what calls get."""

    public_id_prefix = "plb"
    locked_after = ("prompt",)

    PRODUCTION = "production"
    STAGING = "staging"

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="labels")
    name = models.CharField(_("label"), max_length=48, validators=[slug_validator])
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="labels")

    class Meta:
        ordering = ["prompt", "name"]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="prompt_label_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.prompt}"

    @property
    def audit_team_id(self) -> str:
        return self.prompt.team.public_id
