"""What is counted while feeds are taken in, for Prometheus (docs/metrics.md)."""

from __future__ import annotations

from prometheus_client import Counter

RECORDS = Counter("usage_records", "Calls taken in from feeds, each once", ["gateway"], namespace="gatehouse")
