"""An account at AWS in which the portal works."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from aws.policies.names import NUMBER
from aws.policies.statements import Feature as Asked
from teams.models import Team, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor


class Feature(models.TextChoices):
    """What an account is used for; `aws/policies/statements.py` holds the rights that each one asks for."""

    REST = Asked.REST, _("REST APIs")
    HTTP = Asked.HTTP, _("HTTP and WebSocket APIs")
    FUNCTIONS = Asked.FUNCTIONS, _("Lambda functions")
    ADOPTED = Asked.ADOPTED, _("Functions that were there before")
    INVOKE = Asked.INVOKE, _("Trying functions out")
    VPC = Asked.VPC, _("Functions in a VPC")
    IMAGES = Asked.IMAGES, _("Functions from container images")
    ROLES = Asked.ROLES, _("Roles for functions and integrations")
    SERVICES = Asked.SERVICES, _("Integrations with SQS and Step Functions")
    TRACING = Asked.TRACING, _("X-Ray traces")
    USAGE = Asked.USAGE, _("Usage and logs")


class AwsAccountQuerySet(RecordQuerySet["AwsAccount"]):
    def visible_to(self, actor: Actor) -> AwsAccountQuerySet:
        """All to whoever oversees the platform; to members of a team those that it may use."""
        if actor.everywhere(Verb.AWS_VIEW):
            return self
        teams = actor.team_ids(Verb.AWS_VIEW)
        if not teams:
            return self.none()
        admitted = AwsAccount.teams.through.objects.filter(team_id__in=teams).values("awsaccount_id")
        return self.filter(Q(is_for_all=True) | Q(pk__in=admitted))

    def manageable_by(self, actor: Actor) -> AwsAccountQuerySet:
        return self if actor.everywhere(Verb.AWS_MANAGE) else self.none()

    def current(self) -> AwsAccountQuerySet:
        """Those that were not retired."""
        return self.exclude(state=AwsAccount.State.RETIRED)

    def usable_by(self, team: Team) -> AwsAccountQuerySet:
        """Proven ones that `team` may make functions in and publish to."""
        return self.filter(Q(is_for_all=True) | Q(teams=team), state=AwsAccount.State.CONNECTED).distinct()


class AwsAccount(Stateful, Record):
    """Belongs to the platform, like a gateway, and lists the teams that may use it (`is_for_all`: every one).

    `role_arn` is assumed with the external id that is sealed in `external_id_sealed` (`aws/external_ids.py`); both
    are empty where the portal's own credentials are used. `prefix` begins the names of everything made in it and is the
    value of the ownership tag; it never changes. `endpoint_url` is set for a simulated AWS alone.
    """

    public_id_prefix = "awsa"

    class State(TonedChoices):
        PENDING = "pending", "hold", _("Not proven yet")
        CONNECTED = "connected", "live", _("Connected")
        REFUSED = "refused", "fail", _("Refused")
        RETIRED = "retired", "off", _("Retired")

    moves: ClassVar = {
        State.PENDING: frozenset({State.CONNECTED, State.REFUSED, State.RETIRED}),
        State.CONNECTED: frozenset({State.CONNECTED, State.PENDING, State.REFUSED, State.RETIRED}),
        State.REFUSED: frozenset({State.REFUSED, State.CONNECTED, State.PENDING, State.RETIRED}),
        State.RETIRED: frozenset(),
    }

    slug = models.CharField(_("short name"), max_length=48, unique=True, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=80)
    number = models.CharField(
        _("account number"),
        max_length=12,
        validators=[RegexValidator(rf"^{NUMBER.pattern}$", _("An account number has 12 digits, no dashes."))],
    )
    prefix = models.CharField(max_length=16, editable=False)
    regions = ArrayField(models.CharField(max_length=32), verbose_name=_("Regions"))
    features = ArrayField(
        models.CharField(max_length=16, choices=Feature), verbose_name=_("What it is used for")
    )
    role_arn = models.CharField(_("role"), max_length=600, blank=True)
    external_id_sealed = models.BinaryField(default=bytes, editable=False)
    external_id_made_at = models.DateTimeField(null=True, editable=False)
    endpoint_url = models.CharField(_("address of a simulated AWS"), max_length=300, blank=True)
    is_for_all = models.BooleanField(_("every team may use it"), default=False)
    teams = models.ManyToManyField(
        Team, blank=True, related_name="aws_accounts", verbose_name=_("teams that may use it")
    )
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    retired_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[AwsAccountQuerySet] = AwsAccountQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["number", "endpoint_url"],
                condition=~Q(state="retired"),
                name="aws_account_number_once",
                violation_error_message=_(
                    "This account is connected already. Change that connection instead."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        """Accounts belong to no team."""
        return ""

    @property
    def is_ambient(self) -> bool:
        """Whether the portal works in it with its own credentials, without assuming a role."""
        return not self.role_arn

    @property
    def is_simulated(self) -> bool:
        return bool(self.endpoint_url)

    def admits(self, team: Team) -> bool:
        """Whether `team` may use it."""
        return self.is_for_all or self.teams.filter(pk=team.pk).exists()
