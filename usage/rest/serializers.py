"""Usage as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from usage.models import CountDifference, FeedLoss, UsageRecord
from usage.queries import BREAKDOWNS, Completeness
from usage.quotas import Quota
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
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)


class RecordQuerySerializer(UsageQuerySerializer):
    """Which calls."""

    operation = serializers.CharField(required=False, help_text="Key of an operation, such as listOrders.")
    plan = serializers.CharField(required=False, help_text="Public id of a plan.")
    gateway = serializers.CharField(required=False, help_text="Public id of a gateway.")
    method = serializers.CharField(required=False)
    status = serializers.IntegerField(required=False, min_value=0, max_value=999)
    status_class = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=9,
        help_text="First digit of the status; 0 for calls broken off.",
    )
    request_id = serializers.CharField(required=False)


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


class LossSerializer(serializers.ModelSerializer[FeedLoss]):
    """Calls of one node that nobody can count any more. `size` is bytes of its log, 0 where that is not known."""

    gateway = serializers.CharField(source="gateway.slug")

    class Meta:
        model = FeedLoss
        fields = ("gateway", "node", "reason", "starts_at", "ends_at", "size")
        read_only_fields = fields


class AtAwsSerializer(serializers.Serializer[Any]):
    """A gateway at AWS, where calls are read some minutes late. Counted by its `log` one by one, by CloudWatch's
    `metrics` without keys, or not at all (empty): then its calls stand in no figure."""

    gateway = serializers.CharField(source="gateway.slug")
    counted_by = serializers.CharField()
    complete_until = serializers.DateTimeField(allow_null=True, source="until")


class DifferenceSerializer(serializers.ModelSerializer[CountDifference]):
    """A UTC day of which AWS itself counted otherwise: of a stage, or of one key. Nothing was put right. What stands
    here lies between two numbers where AWS does not say whether it counts the calls that it refused."""

    gateway = serializers.CharField(source="gateway.slug")

    class Meta:
        model = CountDifference
        fields = (
            "gateway", "day", "source", "environment", "api", "api_version", "application", "key_id", "calls_least",
            "calls_most", "calls_there",
        )  # fmt: skip
        read_only_fields = fields


class CompletenessSerializer(serializers.Serializer[Any]):
    """Every call that ended before `complete_until` is counted, but for `losses` (the newest 20 of the range).

    Null while some node has not reported. `waits_for` are the nodes that hold it up, as gateway/node, and gateways at
    AWS that are further behind than usual. `at_aws` says up to when each gateway at AWS is complete.
    """

    complete_until = serializers.DateTimeField(allow_null=True, source="until")
    waits_for = serializers.SerializerMethodField()
    losses = LossSerializer(many=True)
    at_aws = AtAwsSerializer(many=True)
    differences = DifferenceSerializer(many=True)

    def get_waits_for(self, whole: Completeness) -> list[str]:
        nodes = [f"{node.gateway.slug}/{node.name}" for node in whole.waits_for]
        return nodes + [f"{one.gateway.slug}/aws" for one in whole.late_at_aws]


class GatewayCallsSerializer(CompletenessSerializer):
    """How whole the counted calls of one gateway are."""

    trouble = serializers.CharField(
        help_text="What stands against reading calls at AWS, for who runs gateways; empty where nothing does."
    )


class SummarySerializer(CompletenessSerializer, FiguresSerializer):
    """Figures of a whole range."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class PointSerializer(FiguresSerializer):
    at = serializers.DateTimeField()


class SliceSerializer(FiguresSerializer):
    value = serializers.CharField(
        help_text="Public id, operation key or status; empty where it is not known."
    )


class BreakdownSerializer(serializers.Serializer[Any]):
    """The values with most calls. `left_out` more are not listed."""

    results = SliceSerializer(many=True)
    left_out = serializers.IntegerField()


class QuotaSerializer(serializers.Serializer[Any]):
    """A quota of calls per UTC day or calendar month. Counted some seconds after the calls."""

    period = serializers.SerializerMethodField()
    limit = serializers.IntegerField()
    calls = serializers.IntegerField()
    left = serializers.IntegerField()
    ends = serializers.DateTimeField(help_text="When it starts anew.")
    used_up_on = serializers.DateField(
        allow_null=True, help_text="Where the present pace leads; null if it lasts."
    )

    def get_period(self, quota: Quota) -> str:
        return quota.period.name.lower()


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
