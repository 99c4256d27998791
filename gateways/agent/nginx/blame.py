"""nginx's own words about a configuration, with the name of the object that it stumbled over."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateways.engine.http import redact

_PLACE = re.compile(r" in (?:/.*/)?(?P<file>[a-z0-9-]+\.conf):(?P<line>\d+)")
_LEVEL = re.compile(
    r"nginx: \[(emerg|alert|crit)\] (?P<words>.*)|\[(emerg|alert|crit)\] \d+#\d+: (?P<logged>.*)"
)
_ABOUT = re.compile(r"\s*# (?P<name>[a-z]+/[A-Za-z0-9_.-]+)")
_KEY = re.compile(r"[0-9A-Za-z]{40,}")


def refusal(said: str, files: Mapping[str, str]) -> str:
    """The first complaint in `said`; the place in one of `files` becomes the name of the object there."""
    for line in said.splitlines():
        match = _LEVEL.search(line)
        if match:
            words = match["words"] or match["logged"] or ""
            return _KEY.sub("[redacted]", redact(_PLACE.sub(lambda place: _named(place, files), words)))
    return ""


def _named(place: re.Match[str], files: Mapping[str, str]) -> str:
    lines = files.get(place["file"], "").splitlines()[: int(place["line"])]
    about = next((m["name"] for m in map(_ABOUT.match, reversed(lines)) if m), "")
    return f" in {about.replace('/', ' ')} ({place['file']})" if about else f" in {place['file']}"
