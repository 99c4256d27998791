"""Models of vendors: what they can do and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ai.models.provider import Provider
from audit.models import Record, RecordQuerySet

if TYPE_CHECKING:
    from teams.models import Actor


class AiModelQuerySet(RecordQuerySet["AiModel"]):
    def visible_to(self, actor: Actor) -> AiModelQuerySet:
        """With their providers."""
        return self.filter(provider__in=Provider.objects.visible_to(actor))

    def manageable_by(self, actor: Actor) -> AiModelQuerySet:
        return self.filter(provider__in=Provider.objects.manageable_by(actor))

    def usable(self) -> AiModelQuerySet:
        """Those that a route may name."""
        return self.filter(is_enabled=True, provider__state=Provider.State.ACTIVE)


class AiModel(Record):
    """A model of a provider. `remote` is the vendor's name for it; ours is `{provider}/{remote}`.

    `capabilities` is a list of CAPABILITIES; `context` and `max_output` are tokens, 0 where nobody knows.
    """

    public_id_prefix = "mdl"
    locked_after = ("provider",)

    class Mode(models.TextChoices):
        CHAT = "chat", _("Chat")
        EMBEDDING = "embedding", _("Embeddings")
        IMAGE = "image", _("Images")
        AUDIO = "audio", _("Audio")
        MODERATION = "moderation", _("Moderation")

    CAPABILITIES = ("stream", "tools", "json_mode", "json_schema", "vision", "files", "audio", "reasoning")

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="ai_models")
    remote = models.CharField(_("the vendor's name for it"), max_length=160)
    mode = models.CharField(_("kind"), max_length=12, choices=Mode, default=Mode.CHAT)
    context = models.PositiveIntegerField(_("context (tokens)"), default=0)
    max_output = models.PositiveIntegerField(_("most output (tokens)"), default=0)
    capabilities = models.JSONField(_("capabilities"), default=list, blank=True)
    is_enabled = models.BooleanField(_("in use"), default=True)
    is_toy = models.BooleanField(_("a toy for trying things out"), default=False)

    objects: ClassVar[AiModelQuerySet] = AiModelQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["provider__name", "remote"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "remote"],
                name="ai_model_once",
                violation_error_message=_("This provider has this model already."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What calls and pages name it. Needs `provider` loaded."""
        return f"{self.provider.slug}/{self.remote}"

    @property
    def audit_team_id(self) -> str:
        return self.provider.audit_team_id


class ModelPrice(Record):
    """What a model costs from `valid_from` on, never changed afterwards: another price is another row.

    `rates` is a list of `{"unit", "nanos", "from_tokens"}`: billionths of `currency` for a million tokens of a unit
    (`ai.pricing.Unit`; `call` is for one call). No row at all means that the price is not known, which is never
    the same as nothing. `is_disputed` says that two sources differ; an override of one's own goes before all others.
    """

    public_id_prefix = "mprc"

    class Source(models.TextChoices):
        CATALOGUE = "catalogue", _("Price catalogue")
        OVERRIDE = "override", _("Entered here")

    model = models.ForeignKey(AiModel, on_delete=models.PROTECT, related_name="prices")
    version = models.CharField(_("price list"), max_length=40)
    valid_from = models.DateTimeField(_("valid from"))
    currency = models.CharField(_("currency"), max_length=3, default="USD")
    rates = models.JSONField(_("rates"), default=list)
    source = models.CharField(_("source"), max_length=10, choices=Source, default=Source.CATALOGUE)
    source_note = models.CharField(_("where it is from"), max_length=200, blank=True)
    is_disputed = models.BooleanField(_("disputed"), default=False)
    retired_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["model", "-valid_from", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "valid_from", "source"],
                condition=Q(retired_at=None),
                name="model_price_once",
                violation_error_message=_("There is a price from this moment on already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} from {self.valid_from:%Y-%m-%d}"

    @property
    def audit_team_id(self) -> str:
        return self.model.audit_team_id
