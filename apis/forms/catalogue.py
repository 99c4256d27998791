"""What the catalogue is narrowed by, all of it in the URL."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apis.catalogue import CatalogueFilters
from apis.models import ApiVersion, Environment, Visibility


class CatalogueForm(forms.Form):
    """Search and filters; a value that means nothing is left out instead of refused."""

    q = forms.CharField(max_length=200, required=False, label=_("Search"))
    team = forms.SlugField(max_length=48, required=False, label=_("Team"))
    visibility = forms.ChoiceField(
        choices=[
            ("", _("All")),
            (Visibility.PUBLIC, _("Public")),
            (Visibility.INTERNAL, _("Internal")),
            (Visibility.PRIVATE, _("Private")),
        ],
        required=False,
        label=_("Visibility"),
    )
    state = forms.ChoiceField(
        choices=[
            ("", _("All")),
            (ApiVersion.State.PUBLISHED, _("Published")),
            (ApiVersion.State.DEPRECATED, _("Deprecated")),
        ],
        required=False,
        label=_("State"),
    )
    environment = forms.ModelChoiceField(
        Environment.objects.all(),
        to_field_name="slug",
        required=False,
        label=_("Environment"),
        empty_label=_("All"),
    )

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.tags = tuple(dict.fromkeys(tag[:40] for tag in data.getlist("tag") if tag.strip()))[:12]

    @property
    def filters(self) -> CatalogueFilters:
        """The filters of those fields that are valid."""
        self.is_valid()
        data = self.cleaned_data
        environment = data.get("environment")
        return CatalogueFilters(
            text=data.get("q", ""),
            tags=self.tags,
            team=data.get("team", ""),
            visibility=data.get("visibility", ""),
            state=data.get("state", ""),
            environment=environment.slug if environment else "",
        )
