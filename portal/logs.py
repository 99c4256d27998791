"""Structured logs with request ids and without secrets."""

from __future__ import annotations

import logging
import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_TEXT = re.compile(
    r"\bgh[a-z][0-9a-z]{16}[0-9A-Za-z]{49}\b|(?i:bearer)\s+\S+"
    r"|(?<=/accounts/password/reset/key/)\S+|(?<=/accounts/confirm-email/)\S+|(?<=/invitations/)inv_\w+/\w+"
    r"|(?<=[?&]code=)[^&\s]+"
)
"""Our keys and tokens, bearer headers, paths whose link is a secret, and what a provider hands back."""
SECRET_NAMES = re.compile(r"password|secret|token|authorization|cookie|api_?key", re.IGNORECASE)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out values named like secrets and texts shaped like our keys and tokens."""
    for name, value in event.items():
        if not name.startswith("_"):  # structlog's own: the record itself
            event[name] = _clean(name, value)
    return event


def _clean(name: str, value: Any) -> Any:
    """`value` without secrets, also those inside: Celery logs dictionaries, Django logs requests with their path."""
    if name != "event" and SECRET_NAMES.search(name):
        return "[redacted]"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner) for inner in value]
    return SECRET_TEXT.sub("[redacted]", value if isinstance(value, str) else repr(value))


class RedactedMessages(logging.Filter):
    """Takes secrets out of the message itself, for handlers that do not write our JSON (a mail to ADMINS, Sentry)."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = SECRET_TEXT.sub("[redacted]", record.getMessage()), ()
        return True


def logging_config(*, level: str) -> dict[str, Any]:
    """Configure structlog and the standard library alike, one JSON object a line; the applied dictionary."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
                "foreign_pre_chain": [structlog.stdlib.ExtraAdder(), *shared],
            }
        },
        "filters": {"redacted": {"()": RedactedMessages}},
        # Whose messages carry addresses and the words of errors.
        "loggers": {name: {"filters": ["redacted"]} for name in ("django.request", "celery.app.trace")},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["console"], "level": level},
    }
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return config
