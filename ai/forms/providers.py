"""A provider and its keys, as their owners set them up."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ai.actions import ProviderValues
from ai.models import Provider
from ai.queries import managing_teams
from ai.vendors import Vendor
from teams.models import Actor, Team, Verb

PAIRS_HELP = _("One a line, as name: text.")


class OwnedForm(forms.Form):
    """Whose it is: one of the teams the actor may do this for, or everybody's for administrators."""

    team = forms.ModelChoiceField(
        Team.objects.none(), label=_("Whose"), required=False, to_field_name="slug", empty_label=None
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["team"]
        field.queryset = managing_teams(actor)
        if actor.everywhere(Verb.AI_MANAGE):
            field.empty_label = _("Everybody's: shared by all teams")
        else:
            field.required = True


class PairsField(forms.CharField):
    """Lines of `name: text`, as a list of pairs."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "class": "mono"})
        super().__init__(required=False, max_length=4_000, help_text=PAIRS_HELP, widget=widget, **kwargs)

    def to_python(self, value: Any) -> Any:
        lines = [line for line in (super().to_python(value) or "").splitlines() if line.strip()]
        if any(":" not in line for line in lines):
            raise ValidationError(_("Write each line as name: text."))
        return [[part.strip() for part in line.split(":", 1)] for line in lines]

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return "\n".join(f"{name}: {text}" for name, text in value or [])


class ReachForm(forms.Form):
    """How a provider is reached."""

    name = forms.CharField(label=_("Name"), max_length=80)
    base_url = forms.CharField(
        label=_("Address"),
        max_length=300,
        widget=forms.TextInput(attrs={"inputmode": "url", "class": "mono"}),
        help_text=_("What stands before /chat/completions, without a slash at its end."),
    )
    auth = forms.CharField(
        label=_("How the key is sent"),
        max_length=60,
        widget=forms.TextInput(attrs={"class": "mono", "list": "auth-ways"}),
        help_text=_("bearer, none, or header:NAME such as header:x-api-key."),
    )
    headers = PairsField(label=_("Headers of every call"))
    options = PairsField(label=_("Options of the dialect"))

    @property
    def values(self) -> dict[str, Any]:
        """What `change_provider` takes."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "base_url": data["base_url"],
            "auth": data["auth"],
            "headers": data["headers"],
            "options": dict(data["options"]),
        }


class ProviderForm(OwnedForm, ReachForm):
    """A new provider: `vendor` fills in what it knows."""

    slug = forms.SlugField(
        label=_("Short name"),
        max_length=48,
        required=False,
        help_text=_("Models are named by it, such as openai/gpt-4o, for good. Empty: made from the name."),
    )
    dialect = forms.ChoiceField(label=_("Dialect"), choices=Provider.Dialect.choices)
    field_order = ("team", "name", "slug", "base_url", "auth", "dialect", "headers", "options")

    def __init__(self, data: Any = None, *, actor: Actor, vendor: Vendor | None) -> None:
        self.vendor = vendor
        initial = {"auth": "bearer", "dialect": Provider.Dialect.OPENAI}
        if vendor is not None:
            initial = {
                name: getattr(vendor, name) for name in ("name", "slug", "base_url", "auth", "dialect")
            }
        super().__init__(data, initial=initial, actor=actor)

    @property
    def arguments(self) -> dict[str, Any]:
        """What `create_provider` takes."""
        data, values = self.cleaned_data, self.values
        reached = {name: values[name] for name in ("base_url", "auth", "headers", "options")}
        return {
            "team": data["team"],
            "name": data["name"],
            "slug": data["slug"],
            "vendor": self.vendor.slug if self.vendor else "",
            "values": ProviderValues(dialect=data["dialect"], **reached),
        }


class ChangeProviderForm(ReachForm):
    """An existing one; short name, vendor and dialect stay."""

    def __init__(self, data: Any = None, *, provider: Provider) -> None:
        initial = {name: getattr(provider, name) for name in ("name", "base_url", "auth", "headers")}
        super().__init__(data, initial={**initial, "options": list(provider.options.items())})


class KeyValueForm(forms.Form):
    """The key itself or a reference to it. What was typed is never given back, not even after an error."""

    value = forms.CharField(
        label=_("Key"),
        max_length=4_000,
        required=False,
        widget=forms.PasswordInput(render_value=False, attrs={"class": "mono", "autocomplete": "off"}),
        help_text=_("Sealed at once and shown to nobody again."),
    )
    reference = forms.CharField(
        label=_("Or a reference to it"),
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "env:OPENAI_API_KEY"}),
        help_text=_("env:NAME or file:/absolute/path: read where the AI runtime runs, never here."),
    )


class KeyForm(KeyValueForm):
    """One more key."""

    label = forms.CharField(
        label=_("Label"), max_length=60, help_text=_("Tells keys apart, such as production 2026.")
    )
    weight = forms.IntegerField(
        label=_("Weight"),
        min_value=1,
        max_value=1000,
        initial=100,
        help_text=_("Calls are shared out between keys by weight."),
    )
    field_order = ("label", "value", "reference", "weight")


class ChangeKeyForm(forms.Form):
    """Label and weight of a key."""

    label = KeyForm.base_fields["label"]
    weight = KeyForm.base_fields["weight"]


class EndForm(forms.Form):
    """Why something ends; stands in the audit trail."""

    note = forms.CharField(
        label=_("Why"), max_length=400, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
