"""Refusing to start: gunicorn and Celery do not run Django's system checks by themselves."""

from __future__ import annotations

import sys

from django.core.checks import ERROR, CheckMessage, run_checks

OURS = "gatehouse.E"
REFUSED = 3
"""Exit status; gunicorn takes it for "worker failed to boot" and stops instead of trying for ever."""


def refuse_unless_sound() -> None:
    """Print what is wrong with the settings and how to cure it, then exit; nothing when all is well."""
    wrong = [found for found in run_checks() if is_ours(found)]
    for found in wrong:
        sys.stderr.write(f"{found.id}: {found.msg} {found.hint or ''}\n")
    if wrong:
        sys.stderr.flush()
        raise SystemExit(REFUSED)


def is_ours(found: CheckMessage) -> bool:
    """Whether `found` is an error of Gatehouse's own checks."""
    return found.level >= ERROR and bool(found.id) and str(found.id).startswith(OURS)
