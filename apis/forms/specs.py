"""An OpenAPI document, uploaded or pasted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apis.spec.document import ReadSpec
from apis.spec.guard import MAX_BYTES


class SpecForm(forms.Form):
    """A file or pasted text; the file wins. `document` and `filename` give what was sent."""

    file = forms.FileField(
        label=_("OpenAPI document"),
        required=False,
        allow_empty_file=True,
        help_text=_("OpenAPI 3.0 or 3.1, JSON or YAML, at most %(size)s MB.")
        % {"size": MAX_BYTES // 1_000_000},
        widget=forms.ClearableFileInput(
            attrs={"accept": ".json,.yaml,.yml,application/json,application/yaml"}
        ),
    )
    text = forms.CharField(
        label=_("or paste it"),
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={"class": "mono", "rows": 8, "spellcheck": "false", "autocomplete": "off", "wrap": "off"}
        ),
    )

    document_required = True

    @property
    def document(self) -> bytes | None:
        """The bytes as sent; None when neither a file nor text was given."""
        return self.cleaned_data.get("document")

    @property
    def filename(self) -> str:
        """The name of the uploaded file; empty for pasted text."""
        upload = self.cleaned_data.get("file")
        return upload.name if upload else ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        data["document"] = self._sent(data)
        if self.document_required and data["document"] is None and not self.errors:
            self.add_error("file", _("Choose a file or paste the document."))
        return data

    def _sent(self, data: dict[str, Any]) -> bytes | None:
        upload, text = data.get("file"), data.get("text")
        if upload:
            # One byte past the limit is enough for the reader to refuse the whole.
            return bytes(upload.read(MAX_BYTES + 1))
        return str(text).encode("utf-8", "replace") if text and text.strip() else None

    def keep(self, read: ReadSpec | None = None) -> None:
        """Show the document as text from now on, so that a file need not be sent twice."""
        shown = dict(self.data.items())
        upload = self.cleaned_data.get("file")
        if upload:
            shown["text"] = (self.document or b"").decode("utf-8", "replace")
        self.data = shown
