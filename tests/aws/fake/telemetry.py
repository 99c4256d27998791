"""Logs, metrics and quotas that the portal reads. Tests put in what AWS would have written.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html,
https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import Refused, resource_missing

_RETENTIONS = {
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
}


@dataclass(slots=True)
class LogGroup:
    name: str
    created_ms: int
    retention: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)


type Metric = tuple[str, str, tuple[tuple[str, str], ...]]
"""Namespace, name, and dimensions in order."""


@dataclass(slots=True)
class Telemetry:
    """Of one account and Region. `quotas` by service and code."""

    groups: dict[str, LogGroup] = field(default_factory=dict)
    points: dict[Metric, list[tuple[datetime, float]]] = field(default_factory=dict)
    quotas: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)


def telemetry(place: Place) -> Telemetry:
    return place.state(Telemetry)


def add_events(place: Place, group: str, messages: Iterable[tuple[float, str]]) -> None:
    """Log events (seconds since 1970, text), as a gateway writes them."""
    found = telemetry(place).groups.setdefault(group, LogGroup(group, int(place.now * 1000)))
    for at, message in messages:
        found.events.append(
            {
                "logStreamName": "stream",
                "timestamp": int(at * 1000),
                "message": message,
                "ingestionTime": int(place.now * 1000),
                "eventId": f"{place.world.new_number():056d}",
            }
        )


def add_points(
    place: Place, namespace: str, name: str, dimensions: dict[str, str], *points: tuple[datetime, float]
) -> None:
    """Values of a metric."""
    metric = (namespace, name, tuple(sorted(dimensions.items())))
    telemetry(place).points.setdefault(metric, []).extend(points)


def add_quota(place: Place, service: str, code: str, name: str, value: float, *, is_adjustable: bool) -> None:
    """A quota as Service Quotas tells it."""
    telemetry(place).quotas[service, code] = {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaName": name,
        "QuotaArn": place.arn("servicequotas", f"{service}/{code}"),
        "Value": float(value),
        "Unit": "None",
        "Adjustable": is_adjustable,
        "GlobalQuota": False,
    }


@operation("logs", "CreateLogGroup")
def create_log_group(place: Place, params: Params) -> dict[str, Any]:
    groups, name = telemetry(place).groups, params["logGroupName"]
    if name in groups:
        raise Refused("ResourceAlreadyExistsException", "The specified log group already exists", 400)
    groups[name] = LogGroup(name, int(place.now * 1000), tags=dict(params.get("tags") or {}))
    return {}


@operation("logs", "PutRetentionPolicy")
def put_retention_policy(place: Place, params: Params) -> dict[str, Any]:
    if params["retentionInDays"] not in _RETENTIONS:
        raise Refused(
            "InvalidParameterException", "retentionInDays is not one of the days that can be chosen", 400
        )
    _group(place, params["logGroupName"]).retention = params["retentionInDays"]
    return {}


@operation("logs", "DescribeLogGroups")
def describe_log_groups(place: Place, params: Params) -> dict[str, Any]:
    begins = params.get("logGroupNamePrefix", "")
    groups = [one for name, one in sorted(telemetry(place).groups.items()) if name.startswith(begins)]
    found, token = page(groups, params, marker="nextToken", usual=50, most=50)
    shown = [
        {
            "logGroupName": one.name,
            "arn": place.arn("logs", f"log-group:{one.name}:*"),
            "creationTime": one.created_ms,
            "metricFilterCount": 0,
            "storedBytes": sum(len(event["message"]) for event in one.events),
            **({"retentionInDays": one.retention} if one.retention else {}),
        }
        for one in found
    ]
    return {"logGroups": shown} | ({"nextToken": token} if token else {})


@operation("logs", "FilterLogEvents")
def filter_log_events(place: Place, params: Params) -> dict[str, Any]:
    """A page may be empty and not the last. Both ends belong to the time asked; only plain words are filtered here."""
    begin, end = params.get("startTime", 0), params.get("endTime", 2**62)
    pattern = params.get("filterPattern", "").strip('"')
    events = sorted(_group(place, params["logGroupName"]).events, key=lambda one: one["timestamp"])
    fitting = [one for one in events if begin <= one["timestamp"] <= end and pattern in one["message"]]
    found, token = page(fitting, params, marker="nextToken", usual=10_000, most=10_000)
    return {"events": found, "searchedLogStreams": []} | ({"nextToken": token} if token else {})


@operation("cloudwatch", "GetMetricData")
def get_metric_data(place: Place, params: Params) -> dict[str, Any]:
    """Sums and averages per period; at most 500 metrics a call."""
    queries = params["MetricDataQueries"]
    if len(queries) > 500:
        raise Refused(
            "ValidationError", "The collection MetricDataQueries must not have a size greater than 500.", 400
        )
    begin, end = _moment(params["StartTime"]), _moment(params["EndTime"])
    return {"MetricDataResults": [_result(place, query, begin, end) for query in queries], "Messages": []}


@operation("service-quotas", "ListServiceQuotas")
def list_service_quotas(place: Place, params: Params) -> dict[str, Any]:
    quotas = [
        one for (service, _), one in telemetry(place).quotas.items() if service == params["ServiceCode"]
    ]
    found, token = page(quotas, params, marker="NextToken", size="MaxResults", usual=100, most=100)
    return {"Quotas": found} | ({"NextToken": token} if token else {})


@operation("service-quotas", "GetServiceQuota")
def get_service_quota(place: Place, params: Params) -> dict[str, Any]:
    found = telemetry(place).quotas.get((params["ServiceCode"], params["QuotaCode"]))
    if found is None:
        raise Refused(
            "NoSuchResourceException",
            "The request failed because the specified service quota does not exist.",
        )
    return {"Quota": found}


def _group(place: Place, name: str) -> LogGroup:
    if name not in telemetry(place).groups:
        raise resource_missing("The specified log group does not exist.")
    return telemetry(place).groups[name]


def _moment(told: Any) -> datetime:
    return told if isinstance(told, datetime) else datetime.fromisoformat(str(told))


def _result(place: Place, query: dict[str, Any], begin: datetime, end: datetime) -> dict[str, Any]:
    stat = query["MetricStat"]
    dimensions = tuple(sorted((one["Name"], one["Value"]) for one in stat["Metric"].get("Dimensions", ())))
    metric = (stat["Metric"]["Namespace"], stat["Metric"]["MetricName"], dimensions)
    period = timedelta(seconds=stat["Period"])
    values: dict[datetime, list[float]] = {}
    for at, value in telemetry(place).points.get(metric, ()):
        if begin <= at < end:
            values.setdefault(begin + period * ((at - begin) // period), []).append(value)
    times = sorted(values, reverse=True)
    return {
        "Id": query["Id"],
        "Label": query.get("Label", metric[1]),
        "Timestamps": times,
        "Values": [_summed(values[at], stat["Stat"]) for at in times],
        "StatusCode": "Complete",
    }


def _summed(values: list[float], stat: str) -> float:
    return {
        "Sum": sum(values),
        "Average": sum(values) / len(values),
        "Maximum": max(values),
        "Minimum": min(values),
        "SampleCount": float(len(values)),
    }[stat]
