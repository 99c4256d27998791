"""The mail server as one URL, turned into Django's MAILERS entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ

TIMEOUT_S = 10
_SMTP_OPTIONS = {
    "EMAIL_HOST": "host",
    "EMAIL_PORT": "port",
    "EMAIL_HOST_USER": "username",
    "EMAIL_HOST_PASSWORD": "password",
    "EMAIL_USE_TLS": "use_tls",
    "EMAIL_USE_SSL": "use_ssl",
}


def mailer(url: str, *, directory: Path) -> dict[str, Any]:
    """`smtp+tls://user:password@host:587`, `filemail:///directory` or `consolemail://` as a MAILERS entry.

    A file mailer without a directory writes to `directory`. Raises ValueError, LookupError or ImproperlyConfigured.
    """
    found = environ.Env.email_url_config(url)
    backend = found["EMAIL_BACKEND"]
    options: dict[str, Any] = {}
    if backend.endswith("smtp.EmailBackend"):
        options = {ours: found[theirs] for theirs, ours in _SMTP_OPTIONS.items() if found.get(theirs)}
        options["timeout"] = TIMEOUT_S
    elif backend.endswith("filebased.EmailBackend"):
        path = (found.get("EMAIL_FILE_PATH") or "").strip("/")
        options["file_path"] = f"/{path}" if path else str(directory)
    return {"BACKEND": backend, "OPTIONS": options}
