"""Usage as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from usage.models import UsageRecord
from usage.queries import BREAKDOWNS
from usage.ranges import RANGES


class UsageQuerySerializer(serializers.Serializer[Any]):
    """Whose usage, and when. One of `api` and `application` is needed."""

    range = serializers.ChoiceField(list(RANGES), default="1h")
    api = serializers.CharField(required=False, help_text="Public id of an API of your teams.")
    application = serializers.CharField(
        required=False, help_text="Public id of an application of your teams."
    )
    environment = serializers.CharField(required=False)
    api_version = serializers.CharField(required=False)
    subscription = serializers.CharField(required=False)
    key_id = serializers.CharField(required=False)


class BreakdownQuerySerializer(UsageQuerySerializer):
    by = serializers.ChoiceField(list(BREAKDOWNS), default="operation")


class FiguresSerializer(serializers.Serializer[Any]):
    """Sums. Latencies in ms, within 1 %; null without calls. `error_rate` is a share, 0 to 1."""

    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # a field, named as callers expect it
    error_rate = serializers.FloatField()
    by_status_class = serializers.DictField(child=serializers.IntegerField(), source="by_class")
    bytes_out = serializers.IntegerField()
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class SummarySerializer(FiguresSerializer):
    """Figures of a whole range. `complete_until` is null while no gateway has reported."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    complete_until = serializers.DateTimeField(allow_null=True)


class PointSerializer(FiguresSerializer):
    at = serializers.DateTimeField()


class SliceSerializer(FiguresSerializer):
    value = serializers.CharField(
        help_text="Public id, operation key or status; empty where it is not known."
    )


class UsageRecordSerializer(serializers.ModelSerializer[UsageRecord]):
    """One call. Durations in ms, sizes in bytes."""

    class Meta:
        model = UsageRecord
        fields = (
            "at", "request_id", "environment", "api", "api_version", "revision", "operation", "application",
            "subscription", "plan", "key_id", "method", "path", "status", "reason", "duration_ms", "upstream_ms",
            "bytes_in", "bytes_out",
        )  # fmt: skip
        read_only_fields = fields


class KeyUseSerializer(serializers.Serializer[Any]):
    """The use of one key on all gateways together."""

    day = serializers.DateField(help_text="The UTC day that `calls_today` counts.")
    calls_today = serializers.IntegerField()
    last_seen = serializers.DateTimeField(
        allow_null=True, help_text="To the minute, within the last month; null when it was not used."
    )
