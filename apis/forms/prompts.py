"""A prompt offered as an API, and which of its versions answers where."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ai.models import ModelRoute, Prompt, PromptLabel
from apis.models import Environment
from teams.models import Actor


def _label_choices(prompt: Prompt) -> list[tuple[str, str]]:
    labels = prompt.labels.select_related("version").order_by("name")
    return [(label.name, f"{label.name} (v{label.version.number})") for label in labels]


class OfferPromptForm(forms.Form):
    """Name and address of the new API, and the label that answers in each environment."""

    name = forms.CharField(label=_("Name"), max_length=120)
    slug = forms.SlugField(
        label=_("Short name"), max_length=48, help_text=_("Part of every address; stays for good.")
    )
    summary = forms.CharField(
        label=_("Summary"), max_length=200, required=False, help_text=_("One line for the catalogue.")
    )
    model_routes = forms.ModelMultipleChoiceField(
        ModelRoute.objects.none(),
        label=_("Models that callers may name"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Beside the prompt: for callers who bring messages of their own. None is fine."),
    )

    def __init__(self, *args: Any, prompt: Prompt, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].initial = prompt.name
        self.fields["slug"].initial = prompt.slug
        self.fields["summary"].initial = prompt.description[:200]
        routes = ModelRoute.objects.visible_to(actor).usable()
        self.fields["model_routes"].queryset = routes  # type: ignore[attr-defined]
        self.environments = list(Environment.objects.all())
        choices = [("", _("not offered there")), *_label_choices(prompt)]
        names = {name for name, _text in choices}
        for environment in self.environments:
            usual = PromptLabel.PRODUCTION if environment.slug == "production" else PromptLabel.STAGING
            self.fields[f"label_{environment.slug}"] = forms.ChoiceField(
                label=_("Label in %(environment)s") % {"environment": environment.name},
                choices=choices,
                required=False,
                initial=usual if usual in names else PromptLabel.PRODUCTION,
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not any(cleaned.get(f"label_{one.slug}") for one in self.environments):
            raise forms.ValidationError(
                _("Choose at least one environment, and the label that answers there.")
            )
        return cleaned

    @property
    def label_fields(self) -> list[forms.BoundField]:
        """One for each environment."""
        return [self[f"label_{environment.slug}"] for environment in self.environments]

    @property
    def labels(self) -> dict[Environment, str]:
        """The label by environment, where one was chosen."""
        chosen = {one: self.cleaned_data[f"label_{one.slug}"] for one in self.environments}
        return {environment: label for environment, label in chosen.items() if label}


class PromptLabelForm(forms.Form):
    """The label that answers in one environment."""

    label = forms.ChoiceField(label=_("Label"))

    def __init__(self, data: Any = None, *, prompt: Prompt, environment: Environment, label: str) -> None:
        super().__init__(data, prefix=environment.slug, initial={"label": label})
        self.environment = environment
        self.fields["label"].choices = _label_choices(prompt)  # type: ignore[attr-defined]


class BodyLogForm(forms.Form):
    """Whether what is asked and answered is kept in one environment."""

    log_bodies = forms.BooleanField(label=_("Keep what is asked and answered"), required=False)

    def __init__(self, data: Any = None, *, environment: Environment, log_bodies: bool) -> None:
        super().__init__(data, prefix=f"{environment.slug}-bodies", initial={"log_bodies": log_bodies})
        self.environment = environment
        days = settings.USAGE_BODY_DAYS
        self.fields["log_bodies"].help_text = ngettext(
            "For %(days)s day, redacted, for members of your team. Turned off, nothing more is kept from then on.",
            "For %(days)s days, redacted, for members of your team. Turned off, nothing more is kept from then on.",
            days,
        ) % {"days": days}
