"""Asking again, at the moment of a push, whether an upstream may be called."""

from __future__ import annotations

from ipaddress import ip_network

from django.conf import settings

from teams.egress import EgressRefused, check_target_url


def refusal_of_target(url: str) -> str:
    """Why an upstream's address may not be called as things stand now; empty if it may. Resolves names."""
    try:
        check_target_url(url, [ip_network(block) for block in settings.UPSTREAM_NETWORKS])
    except EgressRefused as refusal:
        return refusal.reason
    return ""
