"""Setting and changing a budget."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from subscriptions.actions import BudgetValues, teams_over
from subscriptions.budget_targets import choices_for, read_value, value_of
from subscriptions.models import Budget, BudgetTarget
from teams.models import Actor, Team, Verb

NANO = 1_000_000_000
PLATFORM, FITTING = "-", ""
REFUSE, TELL = "refuse", "tell"


class AmountForm(forms.Form):
    """The limit, and what happens at it. What it is counted in is fixed once the budget is set."""

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Callers who reach it are told this name.")
    )
    amount = forms.DecimalField(
        label=_("Limit"),
        min_value=Decimal("0.000001"),
        max_digits=20,
        decimal_places=6,
        localize=False,
        help_text=_("At most so much."),
    )
    at_limit = forms.ChoiceField(
        label=_("At the limit"),
        choices=[
            (REFUSE, _("Refuse calls with 402: no call begins that could go beyond it")),
            (TELL, _("Only tell its people: calls go on")),
        ],
        initial=REFUSE,
        widget=forms.RadioSelect,
    )
    fail_open = forms.BooleanField(
        label=_("Let calls in while it cannot be counted"),
        required=False,
        help_text=_(
            "Its counters are in a Redis. Without this, calls wait with 503 while that is away or is counted anew."
        ),
    )

    def limit_in(self, unit: str) -> int:
        """The limit in tokens or in billionths."""
        amount = self.cleaned_data["amount"]
        return int(amount) if unit == Budget.Unit.TOKENS else int(amount * NANO)

    def check_amount(self, unit: str) -> None:
        """Tokens are whole. Adds the error to the form."""
        amount = self.cleaned_data.get("amount")
        if amount is not None and unit == Budget.Unit.TOKENS and amount != int(amount):
            self.add_error("amount", _("Tokens are whole. Write a number without decimals."))


class BudgetForm(AmountForm):
    """A new budget."""

    of = forms.ChoiceField(label=_("For"), help_text=_("Whose calls count in it."))
    team = forms.ChoiceField(label=_("Set by"), required=False, help_text=_("Whose owners may change it."))
    unit = forms.ChoiceField(
        label=_("Counted in"),
        choices=Budget.Unit.choices,
        initial=Budget.Unit.MONEY,
        widget=forms.RadioSelect,
    )
    currency = forms.RegexField(
        r"^[A-Z]{3}$",
        label=_("Currency"),
        required=False,
        max_length=3,
        initial="USD",
        help_text=_("That of the prices."),
        error_messages={"invalid": _("Three capital letters, such as USD.")},
    )
    period = forms.ChoiceField(
        label=_("Each"),
        choices=Budget.Period.choices,
        initial=Budget.Period.MONTH,
        help_text=_("In UTC."),
    )
    field_order = ("name", "of", "team", "unit", "amount", "currency", "period", "at_limit", "fail_open")

    def __init__(self, data: Any = None, *, actor: Actor, also: BudgetTarget | None = None) -> None:
        super().__init__(data, initial={"of": value_of(also) if also is not None else ""})
        self._actor = actor
        self.target: BudgetTarget | None = None
        self.team_chosen: Team | None = None
        self.fields["of"].choices = choices_for(actor, also)  # type: ignore[attr-defined]
        everywhere = actor.everywhere(Verb.BUDGET_MANAGE)
        own = Team.objects.filter(pk__in=actor.team_ids(Verb.BUDGET_MANAGE))
        teams = (Team.objects.all() if everywhere else own).order_by("name")
        self._teams = {team.public_id: team for team in teams}
        self._own = {team for team in teams if team.pk in actor.team_ids(Verb.BUDGET_MANAGE)}
        self._oversees = everywhere
        choices = [(FITTING, gettext("Your team that has a say")), *((t.public_id, t.name) for t in teams)]
        if everywhere:
            choices.insert(1, (PLATFORM, gettext("The platform")))
        self.fields["team"].choices = choices  # type: ignore[attr-defined]

    def clean_of(self) -> str:
        self.target = read_value(self._actor, self.cleaned_data["of"])
        if self.target is None:
            raise ValidationError(_("That is no longer there. Choose another."))
        return str(self.cleaned_data["of"])

    def clean_team(self) -> str:
        self.team_chosen = self._teams.get(self.cleaned_data["team"])
        return str(self.cleaned_data["team"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        unit = data.get("unit", "")
        self.check_amount(unit)
        if unit == Budget.Unit.MONEY and not data.get("currency") and "currency" not in self.errors:
            self.add_error("currency", _("Name the currency of the limit."))
        if self.target is not None and "team" not in self.errors:
            self._check_team(self.target, data["team"])
        return data

    def _check_team(self, target: BudgetTarget, chosen: str) -> None:
        """The team that was chosen has a say; where none was, the one of the actor's that has."""
        fitting = teams_over(target)
        if chosen == FITTING and len(own := fitting & self._own) == 1:
            self.team_chosen = own.pop()
        elif chosen == FITTING and not self._oversees:
            self.add_error("team", _("Say for which of your teams you set it."))
        elif self.team_chosen is not None and self.team_chosen not in fitting:
            text = _("This team has no say over what you chose. Choose something of that team.")
            self.add_error("team", text)

    @property
    def values(self) -> BudgetValues:
        data = self.cleaned_data
        unit = data["unit"]
        return BudgetValues(
            limit=self.limit_in(unit),
            unit=unit,
            currency=data["currency"] if unit == Budget.Unit.MONEY else "",
            period=data["period"],
            hard=data["at_limit"] == REFUSE,
            fail_open=data["fail_open"],
        )


class BudgetChangeForm(AmountForm):
    """Another limit or consequence of a budget."""

    field_order = ("name", "amount", "at_limit", "fail_open")

    def __init__(self, data: Any = None, *, budget: Budget) -> None:
        is_money = budget.unit == Budget.Unit.MONEY
        amount = Decimal(budget.limit) / NANO if is_money else Decimal(budget.limit)
        initial = {"name": budget.name, "amount": amount.normalize() if is_money else amount}
        initial |= {"at_limit": REFUSE if budget.hard else TELL, "fail_open": budget.fail_open}
        super().__init__(data, initial=initial)
        self._unit = budget.unit
        unit = budget.currency if is_money else _("tokens")
        self.fields["amount"].help_text = _("In %(unit)s, each %(period)s.") % {
            "unit": unit,
            "period": budget.get_period_display(),
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        self.check_amount(self._unit)
        return data

    @property
    def values(self) -> dict[str, Any]:
        data = self.cleaned_data
        values = {name: data[name] for name in ("name", "fail_open")}
        return {**values, "hard": data["at_limit"] == REFUSE, "limit": self.limit_in(self._unit)}


class EndBudgetForm(forms.Form):
    """Why it ends."""

    reason = forms.CharField(label=_("Reason"), max_length=400, required=False)
