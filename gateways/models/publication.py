"""An ApiVersion on a Gateway, and the path it has claimed there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apis.models import Api, ApiVersion, Environment, Revision
from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from gateways.models.gateway import Gateway
from teams.models import Team, Verb

if TYPE_CHECKING:
    from teams.models import Actor


class BasePathClaim(Record):
    """A path that belongs to one API of one team on one gateway and host, for ever.

    `path` is canonical: leading slash, whole segments, none at the end. No claim is a prefix of another
    team's; the action that claims holds a lock on the gateway while it checks.
    """

    public_id_prefix = "bpc"

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="base_path_claims")
    host = models.CharField(max_length=253, blank=True)
    path = models.CharField(max_length=300)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    api = models.ForeignKey(Api, on_delete=models.PROTECT, related_name="base_path_claims")

    class Meta:
        ordering = ["gateway", "path"]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "host", "path"], name="base_path_claim_once"),
            models.CheckConstraint(condition=Q(path__startswith="/"), name="base_path_claim_canonical"),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id


class PublicationQuerySet(RecordQuerySet["Publication"]):
    def visible_to(self, actor: Actor) -> PublicationQuerySet:
        """Publications of visible versions: a subscriber needs the address, too."""
        return self.filter(api_version__in=ApiVersion.objects.visible_to(actor))

    def manageable_by(self, actor: Actor) -> PublicationQuerySet:
        if actor.is_system:
            return self
        return self.filter(api_version__api__team_id__in=actor.team_ids(Verb.API_PUBLISH))

    def current(self) -> PublicationQuerySet:
        """Not withdrawn."""
        return self.filter(state=Publication.State.PUBLISHED)


class Publication(Stateful, Record):
    """ApiVersion on a Gateway in an Environment: the current Revision, and an optional canary with weight.

    Publish, roll back, canary and promote only change this row.
    """

    public_id_prefix = "pub"
    locked_after = ("gateway",)

    class State(TonedChoices):
        PUBLISHED = "published", "live", _("Published")
        WITHDRAWN = "withdrawn", "off", _("Withdrawn")

    moves: ClassVar = {
        State.PUBLISHED: frozenset({State.WITHDRAWN}),
        State.WITHDRAWN: frozenset({State.PUBLISHED}),
    }

    api_version = models.ForeignKey(ApiVersion, on_delete=models.PROTECT, related_name="publications")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="publications")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="publications")
    claim = models.ForeignKey(BasePathClaim, on_delete=models.PROTECT, related_name="publications")
    state = models.CharField(max_length=10, choices=State, default=State.PUBLISHED)
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="publications")
    canary_revision = models.ForeignKey(
        Revision, on_delete=models.PROTECT, null=True, blank=True, related_name="canary_publications"
    )
    canary_weight = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(100)])

    objects: ClassVar[PublicationQuerySet] = PublicationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["api_version", "gateway", "environment"], name="publication_once"
            ),
            models.CheckConstraint(
                condition=Q(canary_revision__isnull=True, canary_weight=0)
                | Q(canary_revision__isnull=False, canary_weight__range=(1, 99)),
                name="publication_canary_weight",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.api_version} on {self.gateway} ({self.environment})"

    @property
    def base_path(self) -> str:
        return self.claim.path

    @property
    def audit_team_id(self) -> str:
        return self.api_version.api.team.public_id
