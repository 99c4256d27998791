"""Teams, who is in them, who is asked in, and the service accounts and approver groups they own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, TonedChoices
from teams import permissions
from teams.permissions import Verb

if TYPE_CHECKING:
    from teams.models.actor import Actor

slug_validator = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$",
    _("Use lower-case letters, digits and hyphens, with a letter or digit at both ends (48 at most)."),
)


class TeamRole(models.TextChoices):
    """Roles in one team, from most to least."""

    OWNER = permissions.OWNER, _("Owner")
    PUBLISHER = permissions.PUBLISHER, _("Publisher")
    DEVELOPER = permissions.DEVELOPER, _("Developer")
    VIEWER = permissions.VIEWER, _("Viewer")


class TeamQuerySet(RecordQuerySet["Team"]):
    def visible_to(self, actor: Actor) -> TeamQuerySet:
        """Teams whose members and objects `actor` may see."""
        return (
            self if actor.everywhere(Verb.TEAM_VIEW) else self.filter(pk__in=actor.team_ids(Verb.TEAM_VIEW))
        )

    def manageable_by(self, actor: Actor) -> TeamQuerySet:
        """Teams whose members `actor` may change."""
        return (
            self
            if actor.everywhere(Verb.TEAM_MANAGE)
            else self.filter(pk__in=actor.team_ids(Verb.TEAM_MANAGE))
        )


class Team(Record):
    """A group that publishes and consumes; the unit of isolation."""

    public_id_prefix = "team"

    slug = models.CharField(_("short name"), max_length=48, unique=True, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=120)
    description = models.CharField(_("what the team does"), max_length=400, blank=True)
    personal_of = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="personal_team",
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="teams.Membership", related_name="teams"
    )

    objects: ClassVar[TeamQuerySet] = TeamQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.public_id


class OfTeamQuerySet[M: Record](RecordQuerySet[M]):
    """Rows of a team that every member sees and owners change."""

    def visible_to(self, actor: Actor) -> Self:
        if actor.everywhere(Verb.TEAM_VIEW):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.TEAM_VIEW))

    def manageable_by(self, actor: Actor) -> Self:
        if actor.everywhere(Verb.TEAM_MANAGE):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.TEAM_MANAGE))


class Membership(Record):
    """One person's role in one team."""

    public_id_prefix = "mem"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=12, choices=TeamRole, default=TeamRole.DEVELOPER)

    objects: ClassVar[OfTeamQuerySet[Membership]] = OfTeamQuerySet["Membership"].as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["team__name", "user__email"]
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id


class InvitationQuerySet(RecordQuerySet["Invitation"]):
    def visible_to(self, actor: Actor) -> InvitationQuerySet:
        """Invitations into teams that `actor` manages: they name addresses of people outside."""
        return self.manageable_by(actor)

    def manageable_by(self, actor: Actor) -> InvitationQuerySet:
        if actor.everywhere(Verb.TEAM_MANAGE):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.TEAM_MANAGE))

    def open(self) -> InvitationQuerySet:
        """Invitations that can be accepted now."""
        return self.filter(state=Invitation.State.PENDING, expires_at__gt=timezone.now())

    def waiting_for_mail(self) -> InvitationQuerySet:
        """Open invitations whose mail has not gone out, oldest first."""
        return self.open().filter(mailed_at=None).order_by("id")


class Invitation(Record):
    """An open door into a team for one address. The link in the mail carries a secret; its digest is kept."""

    public_id_prefix = "inv"

    class State(TonedChoices):
        PENDING = "pending", "hold", _("Waiting")
        ACCEPTED = "accepted", "live", _("Accepted")
        REVOKED = "revoked", "off", _("Withdrawn")

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=12, choices=TeamRole, default=TeamRole.DEVELOPER)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    digest = models.BinaryField(max_length=32, editable=False)
    digest_key = models.PositiveSmallIntegerField(editable=False)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mail_due_at = models.DateTimeField(default=timezone.now)
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[InvitationQuerySet] = InvitationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                "team",
                condition=Q(state="pending"),
                name="invitation_pending_once",
                violation_error_message=_("This address already has an open invitation to the team."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.team}"

    @property
    def is_open(self) -> bool:
        """Whether it can be accepted now: an expired one stays pending until another takes its place."""
        return self.state == self.State.PENDING and self.expires_at > timezone.now()

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id


class ServiceAccount(Record):
    """A program that acts for a team over the REST API; it has tokens and no password."""

    public_id_prefix = "svc"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="service_accounts")
    name = models.CharField(_("name"), max_length=80)
    role = models.CharField(_("role"), max_length=12, choices=TeamRole, default=TeamRole.DEVELOPER)
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[OfTeamQuerySet[ServiceAccount]] = OfTeamQuerySet["ServiceAccount"].as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="service_account_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id


class ApproverGroup(Record):
    """Named people of any team who may decide the requests of the plans that name this group."""

    public_id_prefix = "agr"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="approver_groups")
    name = models.CharField(_("name"), max_length=80)
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="approver_groups", blank=True)

    objects: ClassVar[OfTeamQuerySet[ApproverGroup]] = OfTeamQuerySet["ApproverGroup"].as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="approver_group_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id
