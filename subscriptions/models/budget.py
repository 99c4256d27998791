"""How much AI may cost: a ceiling for somebody or something, and what its counting stands on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ai.models import AiModel
from apis.models import ApiVersion, Environment
from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from subscriptions.models.application import Application
from subscriptions.models.subscription import Subscription
from teams.models import Team, Verb

if TYPE_CHECKING:
    from teams.models import Actor


class BudgetQuerySet(RecordQuerySet["Budget"]):
    def visible_to(self, actor: Actor) -> BudgetQuerySet:
        """Those that the actor's teams set, and those that their calls count against."""
        if actor.everywhere(Verb.BUDGET_VIEW):
            return self
        teams = actor.team_ids(Verb.BUDGET_VIEW)
        return self.filter(
            Q(team__in=teams)
            | Q(of_team__in=teams)
            | Q(of_application__team__in=teams)
            | Q(of_subscription__application__team__in=teams)
        )

    def manageable_by(self, actor: Actor) -> BudgetQuerySet:
        """Those that the actor may change: of own teams, and for administrators all."""
        if actor.everywhere(Verb.BUDGET_MANAGE):
            return self
        return self.filter(team__in=actor.team_ids(Verb.BUDGET_MANAGE))

    def standing(self) -> BudgetQuerySet:
        """Those that calls are held against: not retired, and of something that may still call."""
        return self.filter(state=Budget.State.ACTIVE).exclude(
            Q(of_subscription__state=Subscription.State.CLOSED)
            | Q(of_application__state=Application.State.ARCHIVED)
        )

    def told(self) -> BudgetQuerySet:
        """With all that a budget says of itself."""
        return self.select_related(
            "team", "of_team", "of_application__team", "of_subscription__application__team",
            "of_subscription__api_version__api__team", "of_subscription__environment",
            "of_version__api__team", "of_environment", "of_model__provider", "count",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A version of an API in an environment."""

    version: ApiVersion
    environment: Environment


type BudgetTarget = Team | Application | Subscription | Endpoint | AiModel
"""What a budget is of."""


class Budget(Stateful, Record):
    """At most so much in a UTC day or calendar month, for calls of one scope. What it is of never changes.

    `team` is who set it, null the platform. `limit` is tokens, or 1e-9 of `currency`. A hard one refuses what would go
    beyond it (402); a soft one only tells. `fail_open` lets calls in while it cannot be counted.
    """

    public_id_prefix = "bud"

    class State(TonedChoices):
        ACTIVE = "active", "live", _("Active")
        RETIRED = "retired", "off", _("Retired")

    class Scope(models.TextChoices):
        TEAM = "team", _("all calls of a team")
        APPLICATION = "application", _("an application")
        SUBSCRIPTION = "subscription", _("a subscription")
        ENDPOINT = "endpoint", _("an API version in an environment")
        MODEL = "model", _("a model")

    class Period(models.TextChoices):
        DAY = "day", _("day")
        MONTH = "month", _("month")

    class Unit(models.TextChoices):
        MONEY = "money", _("Money")
        TOKENS = "tokens", _("Tokens")

    TARGETS: ClassVar = {
        Scope.TEAM: ("of_team",),
        Scope.APPLICATION: ("of_application",),
        Scope.SUBSCRIPTION: ("of_subscription",),
        Scope.ENDPOINT: ("of_version", "of_environment"),
        Scope.MODEL: ("of_model",),
    }
    """The fields that say what a budget is of, by scope."""

    moves: ClassVar = {State.ACTIVE: frozenset({State.RETIRED}), State.RETIRED: frozenset()}

    name = models.CharField(_("name"), max_length=80)
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets_set"
    )
    scope = models.CharField(_("for"), max_length=12, choices=Scope)
    of_team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets")
    of_application = models.ForeignKey(
        Application, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    of_subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    of_version = models.ForeignKey(
        ApiVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    of_environment = models.ForeignKey(
        Environment, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    of_model = models.ForeignKey(
        AiModel, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    period = models.CharField(_("each"), max_length=5, choices=Period, default=Period.MONTH)
    unit = models.CharField(_("counted in"), max_length=6, choices=Unit, default=Unit.MONEY)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    limit = models.BigIntegerField(_("limit"), validators=[MinValueValidator(1)])
    hard = models.BooleanField(_("refuse calls beyond it"), default=True)
    fail_open = models.BooleanField(_("let calls in while it cannot be counted"), default=False)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    told_share = models.PositiveSmallIntegerField(default=0, editable=False)
    told_period = models.DateField(null=True, editable=False)
    """Its people have been told in the period that began then that so much of a hundred is used."""

    objects: ClassVar[BudgetQuerySet] = BudgetQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("team", "of_team", "of_application", "of_subscription", "of_version", "of_environment"),
                    *("of_model", "period", "unit", "currency"),
                ],
                condition=Q(state="active"),
                nulls_distinct=False,
                name="budget_once",
                violation_error_message=_("There is such a budget already. Change its limit instead."),
            ),
            models.CheckConstraint(
                condition=Q(unit="money", currency__regex="^[A-Z]{3}$") | Q(unit="tokens", currency=""),
                name="budget_money_has_currency",
                violation_error_message=_("Name the currency of money in three letters; tokens have none."),
            ),
            models.CheckConstraint(condition=Q(limit__gte=1), name="budget_limit_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Exactly what its scope says is named."""
        wanted = self.TARGETS[self.Scope(self.scope)]
        for fields in self.TARGETS.values():
            for field in fields:
                if (getattr(self, f"{field}_id") is not None) != (field in wanted):
                    raise ValueError(f"a budget of {self.scope} names {', '.join(wanted)} and nothing else")

    @property
    def target(self) -> Any:
        """The object that it is of; of an endpoint, the version."""
        return getattr(self, self.TARGETS[self.Scope(self.scope)][0])

    @property
    def scope_id(self) -> str:
        """How calls name what it is of: a public id, of an endpoint `version@environment`."""
        if self.scope == self.Scope.ENDPOINT:
            return f"{self.target.public_id}@{self.of_environment.slug}"  # type: ignore[union-attr]  # see `clean`
        return str(self.target.public_id)

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id if self.team else ""


class BudgetCount(models.Model):
    """What the counting of a budget stands on, see `ai.runtime.recount`.

    `base` is what the ledger says was spent in the period that began on `base_period`, as far as the marks of
    `generation` go; null while marks are waited for. `is_new`: it has never been counted, so calls do not wait for it.
    """

    budget = models.OneToOneField(Budget, on_delete=models.PROTECT, related_name="count")
    generation = models.CharField(max_length=32)
    base = models.BigIntegerField(null=True)
    base_period = models.DateField(null=True)
    is_new = models.BooleanField(default=True)
    begun_at = models.DateTimeField()
    counted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.budget} {self.generation}"
