"""What is said of an unforeseen failure: Django's report, without secrets even where a local variable holds one."""

from __future__ import annotations

from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from portal.logs import SECRET_NAMES, SECRET_TEXT


class SafeReporter(ExceptionReporter):
    """The report that operators may have mailed to them (DEFAULT_EXCEPTION_REPORTER).

    Functions that hold a secret say so (`sensitive_variables`). Texts of the form of our keys, tokens and links are
    taken out wherever else they stand, and so are parts of the address that are secrets (an invitation, a reset).
    """

    def get_traceback_html(self) -> SafeString:
        return SafeString(self._without_secrets(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(self._without_secrets(super().get_traceback_text()))

    def _without_secrets(self, text: str) -> str:
        match = getattr(self.request, "resolver_match", None)
        for name, value in (match.kwargs if match else {}).items():
            if name == "key" or SECRET_NAMES.search(name):
                text = text.replace(str(value), "[redacted]")
        return SECRET_TEXT.sub("[redacted]", text)
