"""A product and its major versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from teams.models import Team, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor


class Visibility(models.TextChoices):
    """Who finds an API. Anything not visible is a 404."""

    PRIVATE = "private", _("Private: our team and teams it is shared with")
    INTERNAL = "internal", _("Internal: everybody who is signed in")
    PUBLIC = "public", _("Public: also signed out")


class ApiQuerySet(RecordQuerySet["Api"]):
    def visible_to(self, actor: Actor) -> ApiQuerySet:
        """APIs `actor` may see: own team's always, others' by visibility once a version is published."""
        if actor.everywhere(Verb.API_VIEW):
            return self
        own = Q(team_id__in=actor.team_ids(Verb.API_VIEW))
        offered = Q(visibility=Visibility.PUBLIC)
        if actor.is_signed_in:
            shared = ApiShare.objects.filter(team_id__in=actor.team_ids(Verb.API_VIEW))
            offered |= Q(visibility=Visibility.INTERNAL) | Q(pk__in=shared.values("api_id"))
        return self.filter(own | (offered & Q(first_published_at__isnull=False)))

    def manageable_by(self, actor: Actor) -> ApiQuerySet:
        """APIs whose versions, upstreams and plans `actor` may change."""
        return self if actor.is_system else self.filter(team_id__in=actor.team_ids(Verb.API_EDIT))


class Api(Record):
    """A published product of one team."""

    public_id_prefix = "api"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="apis")
    slug = models.CharField(_("short name"), max_length=48, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=120)
    summary = models.CharField(
        _("summary"), max_length=200, blank=True, help_text=_("One line for the catalogue.")
    )
    description = models.TextField(_("description"), blank=True, help_text=_("Markdown."))
    visibility = models.CharField(
        _("visibility"), max_length=8, choices=Visibility, default=Visibility.PRIVATE
    )
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True, verbose_name=_("tags"))
    support_contact = models.CharField(_("support contact"), max_length=200, blank=True)
    first_published_at = models.DateTimeField(null=True, blank=True, editable=False)
    search = SearchVectorField(null=True, editable=False)

    objects: ClassVar[ApiQuerySet] = ApiQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slug"],
                name="api_slug_once",
                violation_error_message=_(
                    "Your team already has an API with this short name. Choose another."
                ),
            )
        ]
        indexes = [
            # Read far more often than written: a list of pending entries would make the planner pass it by.
            GinIndex(fields=["search"], name="api_search", fastupdate=False),
            GinIndex(fields=["tags"], name="api_tags"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id


class ApiShare(Record):
    """A private API that another team may see."""

    public_id_prefix = "shr"

    api = models.ForeignKey(Api, on_delete=models.CASCADE, related_name="shares")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="shared_apis")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api", "team"], name="api_share_once")]

    def __str__(self) -> str:
        return f"{self.api} with {self.team}"

    @property
    def audit_team_id(self) -> str:
        return self.api.team.public_id


class ApiVersionQuerySet(RecordQuerySet["ApiVersion"]):
    def visible_to(self, actor: Actor) -> ApiVersionQuerySet:
        """Versions of visible APIs; drafts only to those who may see the team's own APIs."""
        visible = self.filter(api__in=Api.objects.visible_to(actor))
        if actor.everywhere(Verb.API_VIEW):
            return visible
        own = Q(api__team_id__in=actor.team_ids(Verb.API_VIEW))
        return visible.filter(own | ~Q(state=ApiVersion.State.DRAFT))

    def manageable_by(self, actor: Actor) -> ApiVersionQuerySet:
        return self.filter(api__in=Api.objects.manageable_by(actor))

    def offered(self) -> ApiVersionQuerySet:
        """Versions that can be subscribed to."""
        return self.filter(state=ApiVersion.State.PUBLISHED)


class ApiVersion(Stateful, Record):
    """One major contract of an API. `spec` and `upstream` are its working draft; a Revision freezes them."""

    public_id_prefix = "ver"

    class State(TonedChoices):
        DRAFT = "draft", "off", _("Draft")
        PUBLISHED = "published", "live", _("Published")
        DEPRECATED = "deprecated", "hold", _("Deprecated")
        RETIRED = "retired", "off", _("Retired")

    moves: ClassVar = {
        State.DRAFT: frozenset({State.PUBLISHED}),
        State.PUBLISHED: frozenset({State.DEPRECATED}),
        State.DEPRECATED: frozenset({State.PUBLISHED, State.RETIRED}),
        State.RETIRED: frozenset(),
    }

    api = models.ForeignKey(Api, on_delete=models.PROTECT, related_name="versions")
    major = models.PositiveSmallIntegerField(_("major version"))
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    sunset_on = models.DateField(_("sunset"), null=True, blank=True)
    spec = models.ForeignKey(
        "apis.SpecDocument", on_delete=models.PROTECT, null=True, blank=True, related_name="drafted_by"
    )
    upstream = models.ForeignKey(
        "apis.Upstream", on_delete=models.PROTECT, null=True, blank=True, related_name="drafted_by"
    )

    objects: ClassVar[ApiVersionQuerySet] = ApiVersionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["api__name", "-major"]
        constraints = [
            models.UniqueConstraint(fields=["api", "major"], name="api_version_major_once"),
            models.CheckConstraint(condition=Q(major__gte=1), name="api_version_major_positive"),
            models.CheckConstraint(
                condition=~Q(state="deprecated") | Q(sunset_on__isnull=False),
                name="api_version_deprecated_has_sunset",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.api} v{self.major}"

    @property
    def name(self) -> str:
        return f"v{self.major}"

    @property
    def draft(self) -> str:
        """Names the document and the upstream that publishing now would freeze."""
        return f"{self.spec_id or 0}-{self.upstream_id or 0}"

    @property
    def audit_team_id(self) -> str:
        return self.api.team.public_id
