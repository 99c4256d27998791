"""Writes of usage: taking a feed in, counting against quotas, keeping the tables of calls."""

from usage.actions.ingest import FeedGap, ingest_batch
from usage.actions.quotas import reconsider_quotas
from usage.actions.retention import keep_partitions
from usage.actions.rotations import warn_of_rotations

__all__ = ["FeedGap", "ingest_batch", "keep_partitions", "reconsider_quotas", "warn_of_rotations"]
