"""Forms that end a version, or say why."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class NoteForm(forms.Form):
    """Why something is done, for the audit trail."""

    note = forms.CharField(
        label=_("Why"),
        required=False,
        max_length=400,
        help_text=_("Kept in the audit trail."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class DeprecateForm(NoteForm):
    """The last day on which calls are served."""

    sunset_on = forms.DateField(
        label=_("Sunset"),
        help_text=_("Calls are served until this day (UTC). Nobody can subscribe from now on."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    field_order = ("sunset_on", "note")
