"""AI vendors as they are reached, and the keys with which."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from teams.models import Team, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor


class ProviderQuerySet(RecordQuerySet["Provider"]):
    def visible_to(self, actor: Actor) -> ProviderQuerySet:
        """Shared ones to whoever works with AI in some team; a team's own to that team."""
        if actor.everywhere(Verb.AI_VIEW):
            return self
        teams = actor.team_ids(Verb.AI_VIEW)
        return self.filter(Q(team=None) | Q(team_id__in=teams)) if teams else self.none()

    def manageable_by(self, actor: Actor) -> ProviderQuerySet:
        """Shared ones by administrators, a team's own by its owners."""
        if actor.everywhere(Verb.AI_MANAGE):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.AI_MANAGE))

    def active(self) -> ProviderQuerySet:
        return self.filter(state=Provider.State.ACTIVE)


class Provider(Stateful, Record):
    """A vendor, or a server of one's own. `team` null: shared by the whole installation.

    `vendor` is its name in the table of known vendors (`ai/vendors.py`), empty for one that is not in it. `dialect` is
    how it is spoken to; `auth` is `bearer`, `header:NAME` or `none`. `headers` is a list of pairs without secrets,
    `options` an object of texts that a dialect understands (`api_version`, `region`, `responses`).
    """

    public_id_prefix = "prov"

    class Dialect(models.TextChoices):
        OPENAI = "openai", _("OpenAI and compatible")
        ANTHROPIC = "anthropic", _("Anthropic")
        GEMINI = "gemini", _("Google Gemini")
        AZURE = "azure", _("Azure OpenAI")
        BEDROCK = "bedrock", _("AWS Bedrock")

    class State(TonedChoices):
        ACTIVE = "active", "live", _("Active")
        PAUSED = "paused", "hold", _("Paused")
        REMOVED = "removed", "off", _("Removed")

    moves: ClassVar = {
        State.ACTIVE: frozenset({State.PAUSED, State.REMOVED}),
        State.PAUSED: frozenset({State.ACTIVE, State.REMOVED}),
        State.REMOVED: frozenset(),
    }

    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="ai_providers",
        verbose_name=_("team"),
    )
    slug = models.CharField(_("short name"), max_length=48, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=80)
    vendor = models.CharField(_("vendor"), max_length=48, blank=True)
    dialect = models.CharField(_("dialect"), max_length=12, choices=Dialect, default=Dialect.OPENAI)
    base_url = models.CharField(_("address"), max_length=300)
    auth = models.CharField(_("how the key is sent"), max_length=60, default="bearer")
    headers = models.JSONField(_("headers"), default=list, blank=True)
    options = models.JSONField(_("options"), default=dict, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)

    objects: ClassVar[ProviderQuerySet] = ProviderQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slug"],
                condition=~Q(state="removed"),
                nulls_distinct=False,
                name="provider_slug_once",
                violation_error_message=_(
                    "There is a provider with this short name already. Choose another."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id if self.team else ""


class ProviderKeyQuerySet(RecordQuerySet["ProviderKey"]):
    def visible_to(self, actor: Actor) -> ProviderKeyQuerySet:
        """Names and weights, never the keys: with the provider."""
        return self.filter(provider__in=Provider.objects.visible_to(actor))

    def manageable_by(self, actor: Actor) -> ProviderKeyQuerySet:
        return self.filter(provider__in=Provider.objects.manageable_by(actor))

    def usable(self) -> ProviderKeyQuerySet:
        return self.filter(state=ProviderKey.State.ACTIVE)


class ProviderKey(Stateful, Record):
    """One key of a provider's pool, sealed or by reference (`env:NAME`, `file:/path`, read where the runtime runs).

    It is shown to nobody, not even once: who enters it has it. `value_digest` is the SHA-256 (hex) of the value, by
    which the runtime proves that it holds it; vendors' keys are random and long, so that nothing is given away.
    """

    public_id_prefix = "pkey"
    locked_after = ("provider",)

    class State(TonedChoices):
        ACTIVE = "active", "live", _("Active")
        PAUSED = "paused", "hold", _("Paused")
        REMOVED = "removed", "off", _("Removed")

    moves: ClassVar = {
        State.ACTIVE: frozenset({State.PAUSED, State.REMOVED}),
        State.PAUSED: frozenset({State.ACTIVE, State.REMOVED}),
        State.REMOVED: frozenset(),
    }

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="keys")
    label = models.CharField(_("label"), max_length=60)
    weight = models.PositiveSmallIntegerField(
        _("weight"), default=100, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    sealed = models.BinaryField(default=bytes, editable=False)
    reference = models.CharField(_("reference"), max_length=300, blank=True)
    value_digest = models.CharField(max_length=64, blank=True, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)

    objects: ClassVar[ProviderKeyQuerySet] = ProviderKeyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["provider", "label"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "label"],
                condition=~Q(state="removed"),
                name="provider_key_label_once",
                violation_error_message=_("This provider already has a key with this label. Choose another."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} of {self.provider}"

    @property
    def audit_team_id(self) -> str:
        return self.provider.audit_team_id
