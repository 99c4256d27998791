"""What is offered: a plan, and its terms frozen once published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apis.models.api import Api
from apis.models.environment import Environment
from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from teams.models import ApproverGroup, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor


PERIODS = [(1, _("second")), (60, _("minute")), (3600, _("hour"))]
"""Seconds over which a rate is counted."""

TOKEN_PERIODS = [(60, _("minute")), (3600, _("hour")), (86_400, _("day"))]


class PlanQuerySet(RecordQuerySet["Plan"]):
    def visible_to(self, actor: Actor) -> PlanQuerySet:
        """Plans of visible APIs; drafts only to the API's own team."""
        visible = self.filter(api__in=Api.objects.visible_to(actor))
        if actor.everywhere(Verb.API_VIEW):
            return visible
        return visible.filter(~Q(state="draft") | Q(api__team_id__in=actor.team_ids(Verb.API_VIEW)))

    def manageable_by(self, actor: Actor) -> PlanQuerySet:
        return self.filter(api__in=Api.objects.manageable_by(actor))

    def offered(self) -> PlanQuerySet:
        """Plans that can be asked for."""
        return self.filter(state=Plan.State.PUBLISHED)


class Plan(Stateful, Record):
    """An offer of one API. Its limits stand on the current PlanRevision; subscriptions keep theirs."""

    public_id_prefix = "plan"

    class State(TonedChoices):
        DRAFT = "draft", "off", _("Draft")
        PUBLISHED = "published", "live", _("Published")
        DEPRECATED = "deprecated", "hold", _("Deprecated")
        CLOSED = "closed", "off", _("Closed")

    moves: ClassVar = {
        State.DRAFT: frozenset({State.PUBLISHED}),
        State.PUBLISHED: frozenset({State.DEPRECATED, State.CLOSED}),
        State.DEPRECATED: frozenset({State.PUBLISHED, State.CLOSED}),
        State.CLOSED: frozenset(),
    }

    api = models.ForeignKey(Api, on_delete=models.PROTECT, related_name="plans")
    slug = models.CharField(_("short name"), max_length=48, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("description"), max_length=400, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    environments = models.ManyToManyField(
        Environment,
        blank=True,
        related_name="plans",
        verbose_name=_("environments"),
        help_text=_("Where it is offered; none chosen means everywhere."),
    )
    approvers = models.ForeignKey(
        ApproverGroup,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="plans",
        verbose_name=_("approver group"),
    )

    objects: ClassVar[PlanQuerySet] = PlanQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["api", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["api", "slug"],
                name="plan_slug_once",
                violation_error_message=_(
                    "This API already has a plan with this short name. Choose another."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def current(self) -> PlanRevision | None:
        """The revision on offer: the newest one."""
        return self.revisions.order_by("-number").first()

    @property
    def audit_team_id(self) -> str:
        return self.api.team.public_id


class PlanRevision(Record):
    """Limits, price and terms of a plan, immutable once published.

    Rate: at most `burst` calls at once, refilled by `rate_calls` per `rate_period_s` seconds. Quotas count
    calls per UTC day and calendar month; null means none. `rate_tokens` is how many tokens of AI models may be
    consumed per `rate_tokens_period_s` seconds, refilled evenly; null means any. `price_nano` is 1e-9 of `currency`
    per month.
    """

    public_id_prefix = "plr"

    class Approval(models.TextChoices):
        AUTOMATIC = "automatic", _("Automatic: granted at once")
        MANUAL = "manual", _("Manual: somebody decides")

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField(default=1)
    rate_calls = models.PositiveIntegerField(_("calls"), validators=[MinValueValidator(1)])
    rate_period_s = models.PositiveIntegerField(_("per"), default=1, choices=PERIODS)
    burst = models.PositiveIntegerField(_("burst"), validators=[MinValueValidator(1)])
    quota_day = models.PositiveBigIntegerField(_("calls per day"), null=True, blank=True)
    quota_month = models.PositiveBigIntegerField(_("calls per month"), null=True, blank=True)
    rate_tokens = models.PositiveBigIntegerField(
        _("tokens"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    rate_tokens_period_s = models.PositiveIntegerField(
        _("per"), default=60, db_default=60, choices=TOKEN_PERIODS
    )
    approval = models.CharField(_("approval"), max_length=10, choices=Approval, default=Approval.MANUAL)
    price_nano = models.PositiveBigIntegerField(_("price per month"), default=0)
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    terms = models.TextField(_("terms"), blank=True, help_text=_("Markdown. Accepted with the request."))
    published_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["plan", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_revision_number_once"),
            models.CheckConstraint(
                condition=Q(rate_calls__gte=1, burst__gte=1), name="plan_revision_rate_positive"
            ),
            models.CheckConstraint(
                condition=Q(quota_day__isnull=True)
                | Q(quota_month__isnull=True)
                | Q(quota_day__lte=F("quota_month")),
                name="plan_revision_day_within_month",
                violation_error_message=_(
                    "The quota per day is larger than the quota per month. Lower one of them."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} r{self.number}"

    @property
    def limits(self) -> PlanLimits:
        """What this revision promises, as a value."""
        return PlanLimits(**{name: getattr(self, name) for name in PlanLimits.__slots__})

    @property
    def audit_team_id(self) -> str:
        return self.plan.api.team.public_id


QUOTA_OVERSHOOT = timedelta(seconds=5)
"""Calls may pass for so long after the one that used a quota up, until every gateway refuses them.

Measured by benchmarks/quota_overshoot.py, 8 clients at full speed, 17 quotas: 1.9 s in the median and 2.8 s at
most, on 2 cores with a load of 8 to 22. While the portal or an agent is away, a block waits for it.
"""


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """Limits, price and terms as plain values: what `create_plan` and `change_plan` are given.

    The fields mean what those of PlanRevision mean; two equal values make no new revision.
    """

    rate_calls: int
    burst: int
    rate_period_s: int = 1
    quota_day: int | None = None
    quota_month: int | None = None
    rate_tokens: int | None = None
    rate_tokens_period_s: int = 60
    approval: str = PlanRevision.Approval.MANUAL
    price_nano: int = 0
    currency: str = "EUR"
    terms: str = ""

    def __str__(self) -> str:
        """The limits in words: "at most 20 calls at once, refilled 10 per second; 10,000 a month"."""
        rate = gettext("at most %(burst)s calls at once, refilled %(calls)s per %(period)s") % {
            "burst": _grouped(self.burst),
            "calls": _grouped(self.rate_calls),
            "period": dict(PERIODS)[self.rate_period_s],
        }
        quotas = (
            (gettext("%(count)s a day"), self.quota_day),
            (gettext("%(count)s a month"), self.quota_month),
        )
        said = [text % {"count": _grouped(quota)} for text, quota in quotas if quota is not None]
        if self.rate_tokens is not None:
            period = dict(TOKEN_PERIODS)[self.rate_tokens_period_s]
            words = {"tokens": _grouped(self.rate_tokens), "period": period}
            said.append(gettext("%(tokens)s tokens per %(period)s") % words)
        return f"{rate}; {', '.join(said) or gettext('no quota')}"


def _grouped(number: int) -> str:
    return number_format(number, use_l10n=True, force_grouping=True)
