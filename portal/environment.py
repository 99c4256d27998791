"""Reading settings from the environment. Every secret NAME may also come from a file named by NAME_FILE.

A missing or malformed value never raises here: it is noted in `PROBLEMS` and told by a system check with an
id and a cure (portal/checks.py), so that an operator reads a sentence and no traceback.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from redis.connection import parse_url

PROBLEMS: list[tuple[str, str, str]] = []
"""(check id, what is wrong, what to do)."""


LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
POSTGRES_SCHEMES = frozenset({"postgres", "postgresql", "pgsql", "psql"})
UNUSABLE = (ValueError, LookupError, ImproperlyConfigured)
"""What parsers raise. Their words are not passed on: a part of a password may stand in them."""


def text(name: str, default: str = "") -> str:
    """The variable `name`, stripped."""
    return os.environ.get(name, default).strip()


def flag(name: str, *, default: bool = False) -> bool:
    """1, true, yes, on (any case) are true; 0, false, no, off and nothing are false."""
    value = text(name).lower()
    if value in ("", "0", "1", "true", "false", "yes", "no", "on", "off"):
        return default if value == "" else value in ("1", "true", "yes", "on")
    PROBLEMS.append(
        ("gatehouse.E001", f"{name} is {value!r}, which is neither yes nor no.", "Set it to 1 or 0.")
    )
    return default


def number(name: str, default: int, *, least: int = 0) -> int:
    """A whole number, `least` or more."""
    value = text(name)
    if not value:
        return default
    if re.fullmatch(r"-?[0-9]{1,18}", value) and int(value) >= least:
        return int(value)
    PROBLEMS.append(
        ("gatehouse.E002", f"{name} is {value!r}, which is no whole number from {least} on.", "Correct it.")
    )
    return default


def words(name: str, default: str = "") -> list[str]:
    """A list separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def secret(name: str) -> str:
    """The secret `name`, from the variable or from the file that NAME_FILE names; empty when there is none."""
    path = text(f"{name}_FILE")
    if not path:
        return text(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        PROBLEMS.append(
            ("gatehouse.E003", f"{name}_FILE cannot be read: {reason}.", "Correct path or permissions.")
        )
        return ""


def usable[T](name: str, parse: Callable[[str], T], value: str, *, instead: T, cure: str) -> T:
    """`parse(value)`, or `instead` with a note that `name` cannot be used."""
    try:
        return parse(value)
    except UNUSABLE:
        PROBLEMS.append(("gatehouse.E004", f"{name} is no address that can be used.", cure))
        return instead


def required(name: str, code: str, default: str, *, missing: bool, cure: str) -> str:
    """The secret `name`, or `default`; when `missing` says that a default will not do, with a note."""
    value = secret(name)
    if not value and missing and not text(f"{name}_FILE"):
        PROBLEMS.append((code, f"{name} is not set.", cure))
    return value or default


def database(url: str) -> dict[str, Any]:
    """Django's settings of the PostgreSQL at `url`. Raises one of UNUSABLE."""
    if urlsplit(url).scheme not in POSTGRES_SCHEMES:
        raise ValueError("not a PostgreSQL")
    found = environ.Env.db_url_config(url)
    if not found.get("NAME"):
        raise ValueError("no database named")
    return dict(found)


def redis_address(url: str) -> str:
    """`url` if it names a Redis. Raises one of UNUSABLE."""
    parse_url(url.replace("redis+socket://", "unix://"))  # type: ignore[no-untyped-call]
    return url


def web_address(url: str) -> str:
    """`url` if it is http(s)://host[:port] with at most a path. Raises one of UNUSABLE."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("no web address")
    if "@" in parts.netloc or parts.query or parts.fragment or any(c.isspace() for c in url):
        raise ValueError("more than an address")
    return url


def origin(url: str) -> str:
    """`url` if it is http(s)://host[:port] and nothing more. Raises one of UNUSABLE."""
    if urlsplit(web_address(url)).path.strip("/"):
        raise ValueError("a path")
    return url


def tls_address(url: str) -> str:
    """A web address that begins with https: who answers there is believed."""
    if urlsplit(web_address(url)).scheme != "https":
        raise ValueError("not https")
    return url


def networks(name: str, default: str = "") -> list[str]:
    """Networks in CIDR, separated by commas."""
    found = words(name, default)
    wrong = [word for word in found if not _is_network(word)]
    if wrong:
        what = f"{name} holds {', '.join(map(repr, wrong))}, which is no network."
        PROBLEMS.append(("gatehouse.E005", what, "Write networks like 10.20.0.0/16, host bits zero."))
    return [word for word in found if word not in wrong]


def rate(name: str, default: str) -> str:
    """So many per unit of time: "600/min"."""
    value = text(name) or default
    if re.fullmatch(r"[1-9][0-9]{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)", value):
        return value
    PROBLEMS.append(
        ("gatehouse.E006", f"{name} is {value!r}, which is no rate.", f"Write it like {default}.")
    )
    return default


def shaped(name: str, pattern: str, default: str, *, cure: str) -> str:
    """The variable `name` if all of it matches `pattern`."""
    value = text(name) or default
    if value == default or re.fullmatch(pattern, value):
        return value
    PROBLEMS.append(("gatehouse.E009", f"{name} is {value!r}, which has not the form it needs.", cure))
    return default


def log_level(name: str) -> str:
    """One of LOG_LEVELS, in any case; INFO unless set."""
    value = (text(name) or "INFO").upper()
    if value in LOG_LEVELS:
        return value
    PROBLEMS.append(
        (
            "gatehouse.E007",
            f"{name} is {value!r}, which is no level.",
            f"Use one of: {', '.join(LOG_LEVELS)}.",
        )
    )
    return "INFO"


def all_or_none(what: str, values: dict[str, str]) -> None:
    """Note when some of `values` are set and others not."""
    missing = [name for name, value in values.items() if not value]
    if missing and len(missing) < len(values):
        cure = f"Set {', '.join(missing)} too, or unset the others."
        PROBLEMS.append(("gatehouse.E008", f"{what} is configured in part.", cure))


def _is_network(word: str) -> bool:
    try:
        ip_network(word)
    except ValueError:
        return False
    return True
