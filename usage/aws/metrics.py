"""What CloudWatch counted of stages: questions of at most 500 metrics, and their answers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import batched
from typing import Any

from aws.client.calls import Calls

NAMESPACE = "AWS/ApiGateway"
COUNTED = ("Count", "4XXError", "5XXError")
MOST_QUERIES = 500

type Stage = tuple[str, str]
"""The name of an API, which is unique by our names, and of its stage."""

type Counts = dict[str, int]
"""By metric."""


def counts_of(
    calls: Calls, stages: Sequence[Stage], *, start: datetime, end: datetime, period_s: int
) -> dict[Stage, dict[datetime, Counts]]:
    """What was counted from `start` to `end`, by stage and begin of each period; silent periods are left out.

    Raises aws.client.errors.AwsError.
    """
    found: dict[Stage, dict[datetime, Counts]] = defaultdict(lambda: defaultdict(dict))
    for some in batched(stages, MOST_QUERIES // len(COUNTED)):
        queries = list(_queries(some, period_s))
        asked = {
            "StartTime": start,
            "EndTime": end,
            "MetricDataQueries": queries,
            "ScanBy": "TimestampAscending",
        }
        for result in calls.pages("cloudwatch", "GetMetricData", "MetricDataResults", **asked):
            number, metric = result["Id"].removeprefix("m").split("_")
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                found[some[int(number)]][at][COUNTED[int(metric)]] = round(value)
    return found


def _queries(stages: Sequence[Stage], period_s: int) -> Iterator[dict[str, Any]]:
    for number, (name, stage) in enumerate(stages):
        dimensions = [{"Name": "ApiName", "Value": name}, {"Name": "Stage", "Value": stage}]
        for place, metric in enumerate(COUNTED):
            about = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
            stat = {"Metric": about, "Period": period_s, "Stat": "Sum"}
            yield {"Id": f"m{number}_{place}", "MetricStat": stat, "ReturnData": True}


def by_status(counts: Counts) -> dict[int, int]:
    """Calls by status as far as CloudWatch tells it apart: 400 and 500 stand for their class, 200 for the rest."""
    client, server = counts.get("4XXError", 0), counts.get("5XXError", 0)
    rest = max(0, counts.get("Count", 0) - client - server)
    return {status: calls for status, calls in ((200, rest), (400, client), (500, server)) if calls}
