"""What is asked, and how it was decided."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apis.models import ApiVersion, Environment, PlanRevision
from audit.models import ActorKind, Record, RecordQuerySet, Stateful, TonedChoices
from subscriptions.models.application import Application
from subscriptions.models.subscription import Subscription
from teams.models import Membership, ServiceAccount, Team, TeamRole, User, Verb

if TYPE_CHECKING:
    from teams.models import Actor

SOON = timedelta(hours=24)
NONE_LEFT = timedelta(0)


class AccessRequestQuerySet(RecordQuerySet["AccessRequest"]):
    def visible_to(self, actor: Actor) -> AccessRequestQuerySet:
        """Own applications' requests, those to own APIs, those of own approver groups."""
        if actor.everywhere(Verb.APPLICATION_VIEW):
            return self
        asked = Q(application__team_id__in=actor.team_ids(Verb.APPLICATION_VIEW))
        received = Q(api_version__api__team_id__in=actor.team_ids(Verb.API_VIEW))
        return self.filter(asked | received | self._of_groups(actor))

    def decidable_by(self, actor: Actor) -> AccessRequestQuerySet:
        """Pending requests `actor` may decide: by role in the API's team, approver group or platform role,
        never one's own. The system decides nothing here: what a plan grants by itself never waits."""
        pending = self.filter(state=AccessRequest.State.PENDING)
        if not actor.is_signed_in or not actor.within_scope(Verb.REQUEST_DECIDE):
            return pending.none()
        own_apis = Q(api_version__api__team_id__in=actor.team_ids(Verb.REQUEST_DECIDE))
        if not actor.everywhere(Verb.REQUEST_DECIDE):
            pending = pending.filter(own_apis | self._of_groups(actor))
        return pending.exclude(asked_by_oneself(actor))

    def received_by(self, actor: Actor) -> AccessRequestQuerySet:
        """Requests that `actor` sees from the API's side: to own APIs, of own approver groups."""
        if actor.everywhere(Verb.APPLICATION_VIEW):
            return self
        return self.filter(
            Q(api_version__api__team_id__in=actor.team_ids(Verb.API_VIEW)) | self._of_groups(actor)
        )

    @staticmethod
    def _of_groups(actor: Actor) -> Q:
        groups = actor.user.approver_groups.values("pk") if actor.user else []
        return Q(plan_revision__plan__approvers__in=groups)


def asked_by_oneself(actor: Actor) -> Q:
    """Requests in which asking and deciding would lie in one hand: `actor` asked, somebody asked who commands
    the same service accounts (owners of a team issue their tokens), or nobody else is on either side."""
    if actor.service_account is not None:
        return _asked_beside(actor.public_id, actor.service_account)
    if actor.user is None:
        return Q(requested_by_id=actor.public_id)
    owned = actor.user.memberships.filter(role=TeamRole.OWNER).values("team_id")
    commanded = ServiceAccount.objects.filter(team_id__in=owned).values("public_id")
    others = Membership.objects.filter(user__is_active=True).exclude(user=actor.user)
    alone = Team.objects.filter(members=actor.user).exclude(pk__in=others.values("team_id")).values("pk")
    both_sides = Q(application__team_id__in=alone, api_version__api__team_id__in=alone)
    return Q(requested_by_id=actor.public_id) | Q(requested_by_id__in=commanded) | both_sides


def _asked_beside(public_id: str, account: ServiceAccount) -> Q:
    """Asked by this service account, for its team, by an owner of its team, or by an account of such an owner."""
    owners = User.objects.filter(memberships__team_id=account.team_id, memberships__role=TeamRole.OWNER)
    owned = Membership.objects.filter(user__in=owners, role=TeamRole.OWNER).values("team_id")
    accounts = ServiceAccount.objects.filter(Q(team_id=account.team_id) | Q(team_id__in=owned))
    return (
        Q(requested_by_id=public_id)
        | Q(application__team_id=account.team_id)
        | Q(requested_by_id__in=owners.values("public_id"))
        | Q(requested_by_id__in=accounts.values("public_id"))
    )


class AccessRequest(Stateful, Record):
    """One thing asked for an application, with a reason; decided once, by somebody else."""

    public_id_prefix = "req"
    locked_after = ("application",)

    class Kind(models.TextChoices):
        SUBSCRIPTION = "subscription", _("New subscription")
        PLAN_CHANGE = "plan_change", _("Other plan")

    class State(TonedChoices):
        PENDING = "pending", "hold", _("Waiting")
        APPROVED = "approved", "live", _("Approved")
        REJECTED = "rejected", "fail", _("Rejected")
        WITHDRAWN = "withdrawn", "off", _("Withdrawn")
        LAPSED = "lapsed", "off", _("Lapsed")

    class Urgency(TonedChoices):
        LATE = "late", "fail", _("Overdue")
        SOON = "soon", "hold", _("Due soon")
        EASY = "easy", "off", _("In time")

    moves: ClassVar = {
        State.PENDING: frozenset({State.APPROVED, State.REJECTED, State.WITHDRAWN, State.LAPSED}),
        State.APPROVED: frozenset(),
        State.REJECTED: frozenset(),
        State.WITHDRAWN: frozenset(),
        State.LAPSED: frozenset(),
    }

    kind = models.CharField(max_length=14, choices=Kind, default=Kind.SUBSCRIPTION)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="access_requests")
    api_version = models.ForeignKey(ApiVersion, on_delete=models.PROTECT, related_name="access_requests")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="access_requests")
    plan_revision = models.ForeignKey(PlanRevision, on_delete=models.PROTECT, related_name="access_requests")
    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, null=True, blank=True, related_name="access_requests"
    )
    reason = models.TextField(_("reason"), max_length=2_000)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    requested_by_kind = models.CharField(max_length=12, choices=ActorKind)
    requested_by_id = models.CharField(max_length=40)
    requested_by_label = models.CharField(max_length=200)
    due_at = models.DateTimeField(_("answer due"), null=True, blank=True)
    lapses_at = models.DateTimeField(_("lapses"))
    decided_by_kind = models.CharField(max_length=12, choices=ActorKind, blank=True)
    decided_by_id = models.CharField(max_length=40, blank=True)
    decided_by_label = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.TextField(_("reason for the decision"), max_length=2_000, blank=True)

    objects: ClassVar[AccessRequestQuerySet] = AccessRequestQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "api_version", "environment"],
                condition=Q(state="pending"),
                name="access_request_pending_once",
                violation_error_message=_(
                    "A request for this is already waiting. Withdraw it to ask for something else."
                ),
            ),
            models.CheckConstraint(
                condition=~Q(state="approved")
                | Q(decided_by_kind="system")
                | (~Q(decided_by_id="") & ~Q(decided_by_id=F("requested_by_id"))),
                name="access_request_never_self_approved",
            ),
            models.CheckConstraint(
                condition=~Q(state="rejected") | ~Q(decision_note=""),
                name="access_request_rejected_has_reason",
            ),
        ]
        indexes = [models.Index(fields=["id"], name="access_request_queue", condition=Q(state="pending"))]

    def __str__(self) -> str:
        return f"{self.application} asks for {self.api_version} on {self.plan_revision.plan}"

    @property
    def sentence(self) -> str:
        """What is asked, as a title."""
        words = {
            "application": self.application,
            "version": self.api_version,
            "plan": self.plan_revision.plan,
        }
        if self.kind == self.Kind.PLAN_CHANGE:
            return gettext("%(application)s asks to move %(version)s to %(plan)s") % words
        return gettext("%(application)s asks for %(version)s on %(plan)s") % words

    @property
    def urgency(self) -> str:
        """How near the answer is due, while the request waits."""
        left = self.due_at - timezone.now() if self.due_at else SOON
        return (
            self.Urgency.LATE
            if left <= NONE_LEFT
            else self.Urgency.SOON
            if left < SOON
            else self.Urgency.EASY
        )

    @property
    def is_waiting(self) -> bool:
        return self.state == self.State.PENDING

    @property
    def audit_team_id(self) -> str:
        return self.application.team.public_id


class DecisionStep(Record):
    """One step of a decision, in order. A request with one approver has one step."""

    public_id_prefix = "dst"

    class State(TonedChoices):
        WAITING = "waiting", "hold", _("Waiting")
        APPROVED = "approved", "live", _("Approved")
        REJECTED = "rejected", "fail", _("Rejected")
        SKIPPED = "skipped", "off", _("Not needed")

    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="steps")
    number = models.PositiveSmallIntegerField(default=1)
    label = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    decided_by_label = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["request", "number"]
        constraints = [
            models.UniqueConstraint(fields=["request", "number"], name="decision_step_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.request} step {self.number}"

    @property
    def audit_team_id(self) -> str:
        return self.request.application.team.public_id
