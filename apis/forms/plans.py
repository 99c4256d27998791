"""A plan: what is offered, in one form."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apis.models import Api, Environment, Plan, PlanLimits, PlanRevision
from apis.models.plan import PERIODS, TOKEN_PERIODS
from apis.queries import is_ai
from teams.models import ApproverGroup

NANO = 1_000_000_000
CURRENCIES = [("EUR", "EUR"), ("USD", "USD"), ("GBP", "GBP"), ("CHF", "CHF")]
TOKEN_FIELDS = ("rate_tokens", "rate_tokens_period_s")
LIMIT_FIELDS = ("rate_calls", "rate_period_s", "burst", "quota_day", "quota_month", *TOKEN_FIELDS)


class LimitsForm(forms.Form):
    """Rate, burst and quotas alone: what the preview sentence is made of."""

    rate_calls = forms.IntegerField(label=_("Calls"), min_value=1, max_value=1_000_000, initial=10)
    rate_period_s = forms.TypedChoiceField(label=_("per"), choices=PERIODS, coerce=int, initial=1)
    burst = forms.IntegerField(
        label=_("At once (burst)"),
        min_value=1,
        max_value=1_000_000,
        initial=20,
    )
    quota_day = forms.IntegerField(
        label=_("Calls per day"),
        min_value=1,
        max_value=10**15,
        required=False,
        help_text=_("UTC day. Empty: no limit."),
    )
    quota_month = forms.IntegerField(
        label=_("Calls per month"),
        min_value=1,
        max_value=10**15,
        required=False,
        help_text=_("Calendar month in UTC. Empty: no limit."),
    )
    rate_tokens = forms.IntegerField(
        label=_("Tokens of models"),
        min_value=1,
        max_value=10**15,
        required=False,
        help_text=_("Input and output together, refilled evenly. Empty: no limit."),
    )
    rate_tokens_period_s = forms.TypedChoiceField(
        label=_("per"), choices=TOKEN_PERIODS, coerce=int, initial=60, empty_value="60", required=False
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        day, month = data.get("quota_day"), data.get("quota_month")
        if day and month and day > month:
            self.add_error("quota_day", _("More than the quota per month. Lower this, or raise that."))
        return data

    @property
    def limits(self) -> PlanLimits:
        return PlanLimits(**{name: self.cleaned_data[name] for name in self.limit_fields})

    @property
    def limit_fields(self) -> list[str]:
        """The fields of limits that this form has."""
        return [name for name in LIMIT_FIELDS if name in self.fields]


class PlanForm(LimitsForm):
    """A plan of `api`: new, or with the values of `plan`."""

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("Such as Bronze or Partner."))
    description = forms.CharField(label=_("Description"), max_length=400, required=False)
    environments = forms.ModelMultipleChoiceField(
        Environment.objects.all(),
        label=_("Offered in"),
        required=False,
        help_text=_("None chosen: everywhere."),
        widget=forms.CheckboxSelectMultiple,
    )
    approval = forms.ChoiceField(
        label=_("Approval"),
        choices=PlanRevision.Approval.choices,
        initial=PlanRevision.Approval.MANUAL,
        widget=forms.RadioSelect,
    )
    approvers = forms.ModelChoiceField(
        ApproverGroup.objects.none(),
        label=_("Approver group"),
        required=False,
        empty_label=_("Owners and publishers of the team"),
    )
    price = forms.DecimalField(
        label=_("Price per month"),
        min_value=0,
        max_digits=15,
        decimal_places=5,
        initial=Decimal(0),
        required=False,
    )
    currency = forms.ChoiceField(label=_("Currency"), choices=CURRENCIES, initial="EUR")
    terms = forms.CharField(
        label=_("Terms"),
        required=False,
        help_text=_("Markdown. Accepted with the request."),
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    field_order = ("name", "description", *LIMIT_FIELDS, "environments", "approval", "approvers", "price")

    def __init__(self, data: Any = None, *, api: Api, plan: Plan | None = None) -> None:
        super().__init__(data, initial=_initial(plan) if plan else {})
        groups = ApproverGroup.objects.filter(team=api.team_id)
        self.fields["approvers"].queryset = groups  # type: ignore[attr-defined]
        if not groups:
            del self.fields["approvers"]
        if not is_ai(api):
            for name in TOKEN_FIELDS:
                del self.fields[name]

    @property
    def limits(self) -> PlanLimits:
        data = self.cleaned_data
        return PlanLimits(
            **{name: data[name] for name in (*self.limit_fields, "approval", "currency", "terms")},
            price_nano=int((data["price"] or 0) * NANO),
        )

    @property
    def values(self) -> dict[str, Any]:
        """The arguments that `create_plan` and `change_plan` share."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "description": data["description"],
            "environments": list(data["environments"]),
            "approvers": data.get("approvers"),
            "limits": self.limits,
        }


def _initial(plan: Plan) -> dict[str, Any]:
    revision = plan.current
    assert revision is not None  # noqa: S101  a plan is made with its first revision
    limits = {name: getattr(revision, name) for name in (*LIMIT_FIELDS, "approval", "currency", "terms")}
    return {
        **limits,
        "name": plan.name,
        "description": plan.description,
        "environments": list(plan.environments.all()),
        "approvers": plan.approvers,
        "price": Decimal(revision.price_nano) / NANO,
    }
