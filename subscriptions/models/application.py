"""The caller's program."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from teams.models import Team, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor


class ApplicationQuerySet(RecordQuerySet["Application"]):
    def visible_to(self, actor: Actor) -> ApplicationQuerySet:
        """Applications of the actor's own teams."""
        if actor.everywhere(Verb.APPLICATION_VIEW):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.APPLICATION_VIEW))

    def manageable_by(self, actor: Actor) -> ApplicationQuerySet:
        return self if actor.is_system else self.filter(team_id__in=actor.team_ids(Verb.APPLICATION_EDIT))


class Application(Stateful, Record):
    """A program of one team that calls APIs; a consumer on gateways."""

    public_id_prefix = "app"

    class State(TonedChoices):
        ACTIVE = "active", "live", _("Active")
        ARCHIVED = "archived", "off", _("Archived")

    moves: ClassVar = {State.ACTIVE: frozenset({State.ARCHIVED}), State.ARCHIVED: frozenset()}

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="applications")
    slug = models.CharField(_("short name"), max_length=48, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=120)
    description = models.CharField(_("what it does"), max_length=400, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)

    objects: ClassVar[ApplicationQuerySet] = ApplicationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slug"],
                name="application_slug_once",
                violation_error_message=_(
                    "Your team already has an application with this short name. Choose another."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id
