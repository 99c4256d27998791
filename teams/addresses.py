"""Absolute addresses: always on our public origin, never taken from the Host that a request names."""

from __future__ import annotations

from urllib.parse import urljoin

from django.conf import settings


def absolute(path: str) -> str:
    """`path` of this site on the portal's public origin."""
    return urljoin(f"{settings.PORTAL_URL}/", path)
