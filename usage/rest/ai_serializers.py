"""AI calls as JSON: what they consumed, and each of them."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ai.pricing import money
from usage.ai_queries import AI_BREAKDOWNS
from usage.ai_sums import AiFigures
from usage.models import LedgerEntry, LoggedBody
from usage.rest.serializers import FiguresSerializer, PointSerializer, SummarySerializer, UsageQuerySerializer
from usage.run_words import ToldAttempt, ToldRun

CACHES = ("HIT", "MISS", "BYPASS")
VALUE = {"description": "Any JSON value."}


class AiBreakdownQuerySerializer(UsageQuerySerializer):
    by = serializers.ChoiceField(list(AI_BREAKDOWNS), default="model")
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)


class AiRecordQuerySerializer(UsageQuerySerializer):
    """Which AI calls."""

    plan = serializers.CharField(required=False, help_text="Public id of a plan.")
    prompt = serializers.CharField(required=False, help_text="Public id of a version of a prompt.")
    model = serializers.CharField(required=False, help_text="Public id of a model that was asked.")
    request_id = serializers.CharField(required=False, help_text="As the gateway in front logs it, too.")
    run = serializers.CharField(required=False)
    cache = serializers.ChoiceField(CACHES, required=False)
    status = serializers.IntegerField(required=False, min_value=0, max_value=999)


class AmountSerializer(serializers.Serializer[Any]):
    """Money as a decimal number, exactly."""

    amount = serializers.CharField()
    currency = serializers.CharField()


class ConsumedSerializer(serializers.Serializer[AiFigures]):
    """What requests to models consumed. Cached tokens are part of the input, reasoning is part of the output.

    `costs` has one sum for each currency and holds only what is known: `unpriced` counts requests to models whose
    price nobody knew, `estimated` those whose tokens the vendor did not count. A call may need several requests.
    """

    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cached_input_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField()
    costs = serializers.SerializerMethodField()
    unpriced = serializers.IntegerField()
    estimated = serializers.IntegerField()

    @extend_schema_field(AmountSerializer(many=True))
    def get_costs(self, figures: AiFigures) -> list[dict[str, str]]:
        return [{"amount": money(nano), "currency": name} for name, nano in figures.by_currency]


class AiFiguresSerializer(ConsumedSerializer):
    """AI calls and what they consumed. `from_cache` are those for which no model was asked."""

    calls = serializers.IntegerField()
    failed = serializers.IntegerField()
    from_cache = serializers.IntegerField()


class SummaryWithAiSerializer(SummarySerializer):
    """Figures of a whole range. `ai` is null where it was asked by something that AI calls are not told apart by."""

    ai = AiFiguresSerializer(allow_null=True)


class PointWithAiSerializer(PointSerializer):
    ai = AiFiguresSerializer(allow_null=True)


class AiSliceSerializer(AiFiguresSerializer):
    value = serializers.CharField(help_text="A public id; empty where there is none.")


class AiBreakdownSerializer(serializers.Serializer[Any]):
    """The values with most tokens. `left_out` more are not listed."""

    results = AiSliceSerializer(many=True)
    left_out = serializers.IntegerField()


class AiAttemptSerializer(serializers.ModelSerializer[LedgerEntry]):
    """One request to a model. `cost` null: its price was not known; 0.00: it was not billed, or costs nothing."""

    cost = serializers.SerializerMethodField()
    currency = serializers.CharField(allow_blank=True)
    model_name = serializers.SerializerMethodField()
    is_fallback = serializers.SerializerMethodField()

    class Meta:
        model = LedgerEntry
        fields = (
            "model", "model_name", "is_fallback", "status", "code", "vendor_ms", "input_tokens", "output_tokens",
            "cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "estimated", "cost", "currency",
            "price_version",
        )  # fmt: skip
        read_only_fields = fields

    def get_cost(self, entry: LedgerEntry) -> str | None:
        return None if entry.cost_nano is None else money(entry.cost_nano)

    def get_model_name(self, entry: LedgerEntry) -> str:
        return self._told.model

    def get_is_fallback(self, entry: LedgerEntry) -> bool:
        return self._told.is_fallback

    @property
    def _told(self) -> ToldAttempt:
        told: ToldAttempt = self.context["attempt"]
        return told


class AiRecordSerializer(serializers.Serializer[ToldRun]):
    """One AI call with its attempts. Durations in ms, sizes in bytes; `first_ms` null: it was no stream."""

    run = serializers.CharField(source="run.run")
    at = serializers.DateTimeField(source="run.at")
    request_id = serializers.CharField(source="run.request_id")
    surface = serializers.CharField(source="run.surface")
    environment = serializers.CharField(source="run.environment")
    api = serializers.CharField(source="run.api")
    api_version = serializers.CharField(source="run.api_version")
    application = serializers.CharField(source="run.application")
    subscription = serializers.CharField(source="run.subscription")
    plan = serializers.CharField(source="run.plan")
    prompt = serializers.CharField(source="run.prompt")
    status = serializers.IntegerField(source="run.status")
    code = serializers.CharField(source="run.code")
    cache = serializers.ChoiceField(CACHES, source="run.cache")
    first_ms = serializers.FloatField(source="run.first_ms", allow_null=True)
    duration_ms = serializers.FloatField(source="run.duration_ms")
    vendor_ms = serializers.FloatField(source="run.vendor_ms")
    bytes_in = serializers.IntegerField(source="run.bytes_in")
    bytes_out = serializers.IntegerField(source="run.bytes_out")
    consumed = ConsumedSerializer(source="figures")
    attempts = serializers.SerializerMethodField()

    @extend_schema_field(AiAttemptSerializer(many=True))
    def get_attempts(self, told: ToldRun) -> list[Any]:
        return [AiAttemptSerializer(one.entry, context={"attempt": one}).data for one in told.attempts]


class LoggedBodySerializer(serializers.Serializer[LoggedBody]):
    """What was asked and answered in a call, redacted. `is_cut`: something was too long, and may be no whole JSON."""

    asked = serializers.SerializerMethodField()
    answered = serializers.SerializerMethodField()
    is_cut = serializers.BooleanField()
    expires_at = serializers.DateTimeField()

    @extend_schema_field(VALUE)
    def get_asked(self, body: LoggedBody) -> Any:
        return _value(body.asked)

    @extend_schema_field(VALUE)
    def get_answered(self, body: LoggedBody) -> Any:
        return _value(body.answered)


def _value(text: str) -> Any:
    """The JSON in `text`; the text itself where it was cut."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def with_ai(figures: Any, ai: AiFigures | None) -> dict[str, Any]:
    """Figures of calls, with what they consumed beside them."""
    return {**FiguresSerializer(figures).data, "ai": None if ai is None else AiFiguresSerializer(ai).data}
