"""Forms of an API: made, settings, sharing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apis.actions.apis import facts_of
from apis.forms.specs import SpecForm
from apis.models import Api, Visibility
from apis.queries import publishing_teams
from apis.spec.document import ReadSpec
from teams.models import Actor, Team


class ApiCreateForm(SpecForm):
    """A new API from a document, or from a name alone. What is left empty is taken from the document."""

    document_required = False

    team = forms.ModelChoiceField(Team.objects.none(), label=_("Team"), empty_label=None)
    name = forms.CharField(
        label=_("Name"), max_length=120, required=False, help_text=_("Empty: the title of the document.")
    )
    slug = forms.SlugField(
        label=_("Short name"),
        max_length=48,
        required=False,
        help_text=_("Part of every address; stays for good."),
    )
    summary = forms.CharField(
        label=_("Summary"), max_length=200, required=False, help_text=_("One line for the catalogue.")
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        help_text=_("Markdown. Empty: the description in the document."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = publishing_teams(actor)
        self.fields["team"].queryset = teams  # type: ignore[attr-defined]
        self.fields["team"].initial = teams.first()

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if not data.get("name") and data["document"] is None and not self.errors:
            self.add_error("name", _("Give a name, or a document whose title is taken."))
        return data

    def keep(self, read: ReadSpec | None = None) -> None:
        """Fill what is empty from the document, where it could be read."""
        super().keep(read)
        if read is None:
            return
        shown = dict(self.data.items())
        self.data = {**shown, **{name: shown.get(name) or value for name, value in facts_of(read).items()}}

    @property
    def values(self) -> dict[str, Any]:
        """The arguments of `begin_api`."""
        return {name: self.cleaned_data[name] for name in ("team", "name", "slug", "summary", "description")}


class TagsField(forms.CharField):
    """Words separated by commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [tag.strip() for tag in (super().clean(value) or "").split(",") if tag.strip()]


class ApiSettingsForm(forms.ModelForm[Api]):
    """What the team says about its API, and who finds it."""

    tags = TagsField(
        label=_("Tags"), required=False, max_length=500, help_text=_("Separated by commas, at most 12.")
    )
    visibility = forms.ChoiceField(
        label=_("Visibility"), choices=Visibility.choices, widget=forms.RadioSelect
    )

    class Meta:
        model = Api
        fields = ("name", "summary", "description", "tags", "visibility", "support_contact")
        widgets = {"description": forms.Textarea(attrs={"rows": 8})}
        help_texts = {"support_contact": _("An address or a channel that callers may write to.")}

    def _post_clean(self) -> None:
        """The action checks the model; the instance here stays as the database has it."""

    @property
    def values(self) -> dict[str, Any]:
        """The arguments of `change_api`."""
        return {name: self.cleaned_data[name] for name in self._meta.fields or ()}


class ShareForm(forms.Form):
    """Another team that may see a private API."""

    team = forms.SlugField(
        label=_("Team"), max_length=48, help_text=_("The short name of the team, as in its address.")
    )

    def clean_team(self) -> Team:
        team = Team.objects.filter(slug=self.cleaned_data["team"]).first()
        if team is None:
            raise forms.ValidationError(_("No team has this short name. Ask its owner for it."))
        return team
