"""Reads that span gateways, what is published on them and what they serve."""

from gateways.queries.due import due_gateways, is_due
from gateways.queries.tokens import broken_tokens, gateway_of_token

__all__ = ["broken_tokens", "due_gateways", "gateway_of_token", "is_due"]
