"""What the policies of a Revision say to gateways. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings


def cors_origins_of(policies: Mapping[str, object]) -> tuple[str, ...]:
    """The portal itself (its pages try calls out) and the origins that the revision names."""
    named = policies.get("cors_origins") or []
    own = [str(origin) for origin in named] if isinstance(named, list) else []
    return tuple(sorted({settings.PORTAL_URL, *own}))


def aws_settings_of(policies: Mapping[str, object]) -> Mapping[str, Any]:
    """What a revision says for API Gateway alone."""
    found = policies.get("aws")
    return found if isinstance(found, dict) else {}
