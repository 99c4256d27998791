"""Where APIs run: sandbox, production, or one of the company's own."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.models import Record
from teams.models import Team
from teams.models.team import slug_validator


class EnvironmentClass(models.TextChoices):
    """What an environment is for. The value is the letter that its keys carry (`ghp...`, `ghs...`)."""

    PRODUCTION = "p", _("Production")
    SANDBOX = "s", _("Sandbox")
    OTHER = "o", _("Other")


class Environment(Record):
    """A stage of the company's own landscape; `publishers` empty means that every team may publish to it."""

    public_id_prefix = "env"

    slug = models.CharField(_("short name"), max_length=48, unique=True, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=80)
    environment_class = models.CharField(_("class"), max_length=1, choices=EnvironmentClass)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    publishers = models.ManyToManyField(
        Team,
        blank=True,
        related_name="publishable_environments",
        verbose_name=_("teams that may publish to it"),
    )

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    def admits(self, team: Team) -> bool:
        """Whether `team` may publish here."""
        return not self.publishers.exists() or self.publishers.filter(pk=team.pk).exists()
