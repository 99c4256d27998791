"""Every call once, its sums, and how far each feed has been taken in and what it lost."""

from usage.models.ai import AiBucket, LedgerEntry
from usage.models.aws import AwsReading, CountDifference, SeenLine
from usage.models.bucket import UsageBucket
from usage.models.budget import BudgetMark
from usage.models.feed import FeedCheckpoint
from usage.models.loss import FeedLoss
from usage.models.quota import QuotaCounter
from usage.models.record import UsageRecord
from usage.models.run import AiRun, LoggedBody
from usage.models.total import UsageTotal

__all__ = [
    "AiBucket",
    "AiRun",
    "AwsReading",
    "BudgetMark",
    "CountDifference",
    "FeedCheckpoint",
    "FeedLoss",
    "LedgerEntry",
    "LoggedBody",
    "QuotaCounter",
    "SeenLine",
    "UsageBucket",
    "UsageRecord",
    "UsageTotal",
]
