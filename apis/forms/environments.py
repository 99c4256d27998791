"""An environment, as the administrators set it up."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apis.models import Environment
from teams.models import Team


class EnvironmentForm(forms.ModelForm[Environment]):
    """Name, order and the teams that may publish; short name and class only while it is new."""

    publishers = forms.ModelMultipleChoiceField(
        Team.objects.order_by("name"),
        label=_("Teams that may publish to it"),
        required=False,
        help_text=_("None chosen: every team."),
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )

    class Meta:
        model = Environment
        fields = ("name", "slug", "environment_class", "position", "publishers")
        help_texts = {
            "slug": _("Stays for good. Empty: made from the name."),
            "environment_class": _("Keys carry it as a letter, so it stays for good."),
            "position": _("Where it stands in lists."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["slug"], self.fields["environment_class"]
        else:
            self.fields["slug"].required = False
            self.fields["position"].required = False
            self.initial["position"] = None

    def _post_clean(self) -> None:
        """The action checks the model; the instance here stays as the database has it."""
