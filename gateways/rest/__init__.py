"""Gateways, publications and enforcement over REST."""
