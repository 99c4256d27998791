"""Writes of usage: taking a feed in, counting against quotas, keeping the tables of calls."""

from usage.actions.aws import gateways_at_aws, keep_logs, read_usage
from usage.actions.budgets import warn_of_budgets
from usage.actions.checkpoints import FeedGap
from usage.actions.ingest import ingest_batch
from usage.actions.losses import Loss, note_loss
from usage.actions.quotas import reconsider_quotas
from usage.actions.recount import take_stock
from usage.actions.retention import keep_partitions
from usage.actions.rotations import warn_of_rotations

__all__ = [
    "FeedGap",
    "Loss",
    "gateways_at_aws",
    "ingest_batch",
    "keep_logs",
    "keep_partitions",
    "note_loss",
    "read_usage",
    "reconsider_quotas",
    "take_stock",
    "warn_of_budgets",
    "warn_of_rotations",
]
