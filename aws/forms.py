"""An AWS account, as an administrator connects it."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from aws.actions import AccountValues
from aws.models import AwsAccount, Feature
from teams.models import Team

BY_ROLE, BY_OWN = "role", "own"
USUAL = (Feature.REST, Feature.HTTP, Feature.FUNCTIONS, Feature.ROLES, Feature.USAGE)


class RegionsField(forms.CharField):
    """Names of Regions, apart by commas or spaces."""

    def to_python(self, value: Any) -> Any:
        return [name for name in re.split(r"[\s,;]+", super().to_python(value) or "") if name]

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else ", ".join(value)


class AccountForm(forms.Form):
    """What may be changed of an account."""

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("How people here call it."))
    regions = RegionsField(
        label=_("Regions"),
        max_length=400,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "eu-central-1, us-east-1"}),
        help_text=_("The portal works in these alone."),
    )
    features = forms.MultipleChoiceField(
        label=_("What it is used for"),
        choices=Feature.choices,
        help_text=_("The role is given the rights for these, and no others."),
        error_messages={"required": _("Choose at least one.")},
    )
    is_for_all = forms.BooleanField(label=_("Every team may use it"), required=False)
    teams = forms.ModelMultipleChoiceField(
        Team.objects.order_by("name"),
        label=_("Teams that may use it"),
        required=False,
        to_field_name="slug",
        help_text=_("None chosen: nobody but administrators, until you choose some."),
        widget=forms.SelectMultiple(attrs={"size": 6}),
    )
    role_arn = forms.CharField(
        label=_("Role"),
        max_length=600,
        required=False,
        widget=forms.TextInput(attrs={"class": "mono"}),
        help_text=_("Left empty it is the one that the template makes."),
    )

    @property
    def values(self) -> dict[str, Any]:
        """What `change_account` takes."""
        names = ("name", "regions", "features", "is_for_all", "teams", "role_arn")
        return {name: self.cleaned_data[name] for name in names if name in self.cleaned_data}

    @property
    def feature_values(self) -> list[str]:
        """Those that are ticked."""
        value = self["features"].value()
        return [str(one) for one in value or []]


class ConnectForm(AccountForm):
    """A new account."""

    slug = forms.SlugField(
        label=_("Short name"),
        max_length=48,
        required=False,
        help_text=_("Stays for good. Empty: made from the name."),
    )
    number = forms.CharField(
        label=_("Account number"),
        max_length=20,
        widget=forms.TextInput(
            attrs={"class": "mono", "inputmode": "numeric", "placeholder": "111122223333"}
        ),
        help_text=_("12 digits, as the AWS console shows them."),
    )
    entry = forms.ChoiceField(
        label=_("How the portal enters"),
        choices=[
            (BY_ROLE, _("By a role in the account, with an external id")),
            (BY_OWN, _("With the credentials that the portal runs with")),
        ],
        initial=BY_ROLE,
        widget=forms.RadioSelect,
    )
    endpoint_url = forms.ChoiceField(label=_("Which AWS"), required=False)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"features": list(USUAL)})
        field: Any = self.fields["endpoint_url"]
        simulated = [(url, _("Simulated: %(url)s") % {"url": url}) for url in settings.AWS_SIMULATED]
        field.choices = [("", _("AWS itself")), *simulated]
        if not simulated:
            del self.fields["endpoint_url"]

    @property
    def arguments(self) -> dict[str, Any]:
        """What `connect_account` takes."""
        data = self.cleaned_data
        values = AccountValues(
            number=data["number"],
            regions=data["regions"],
            features=data["features"],
            role_arn=data["role_arn"],
            ambient=data["entry"] == BY_OWN,
            endpoint_url=data.get("endpoint_url", ""),
        )
        names = ("name", "slug", "is_for_all", "teams")
        return {**{name: data[name] for name in names}, "values": values}


class ChangeForm(AccountForm):
    """An existing one; number, short name and the way of entry stay."""

    def __init__(self, data: Any = None, *, account: AwsAccount) -> None:
        initial = {
            name: getattr(account, name) for name in ("name", "regions", "features", "is_for_all", "role_arn")
        }
        teams = [team.slug for team in account.teams.all()]
        super().__init__(data, initial={**initial, "teams": teams})
        if account.is_ambient:
            del self.fields["role_arn"]


class RetireForm(forms.Form):
    """Why it ends; stands in the audit trail."""

    note = forms.CharField(
        label=_("Why"), max_length=400, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
