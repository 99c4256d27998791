"""Writes of usage: taking a feed in, counting against quotas, keeping the tables of calls."""

from usage.actions.checkpoints import FeedGap
from usage.actions.ingest import ingest_batch
from usage.actions.losses import Loss, note_loss
from usage.actions.quotas import reconsider_quotas
from usage.actions.retention import keep_partitions

__all__ = ["FeedGap", "Loss", "ingest_batch", "keep_partitions", "note_loss", "reconsider_quotas"]
