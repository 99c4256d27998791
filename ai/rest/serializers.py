"""What REST takes and gives of providers, keys, models, prices and routes. No shape gives a key."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ai.models import AiModel, ModelPrice, ModelRoute, Provider, ProviderKey
from ai.pricing import Unit
from ai.queries import Readiness, price_of, readiness_of

SLUG = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


class VendorOut(serializers.Serializer[Any]):
    """A known vendor. `base_url` may hold gaps such as `{region}` that have to be filled in."""

    slug = serializers.CharField()
    name = serializers.CharField()
    base_url = serializers.CharField()
    auth = serializers.CharField()
    dialect = serializers.ChoiceField(Provider.Dialect.choices)
    docs = serializers.CharField()
    country = serializers.CharField()
    note = serializers.CharField()


class ProviderOut(serializers.ModelSerializer[Provider]):
    """A provider. `team` null: shared by all. `readiness` is what the portal knows without asking the vendor."""

    id = serializers.CharField(source="public_id", read_only=True)
    team = serializers.CharField(source="team.slug", allow_null=True, default=None, read_only=True)
    headers = serializers.SerializerMethodField()
    options = serializers.DictField(child=serializers.CharField(), read_only=True)
    readiness = serializers.SerializerMethodField()
    active_keys = serializers.IntegerField(read_only=True)
    models = serializers.IntegerField(source="all_models", read_only=True)
    models_in_use = serializers.IntegerField(source="used_models", read_only=True)
    models_without_price = serializers.IntegerField(source="unpriced_models", read_only=True)

    class Meta:
        model = Provider
        fields = (
            "id",
            "team",
            "slug",
            "name",
            "vendor",
            "dialect",
            "base_url",
            "auth",
            "headers",
            "options",
            "state",
            "readiness",
            "active_keys",
            "models",
            "models_in_use",
            "models_without_price",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_headers(self, provider: Provider) -> dict[str, str]:
        return dict(provider.headers)

    @extend_schema_field(serializers.ChoiceField(Readiness.choices))
    def get_readiness(self, provider: Provider) -> str:
        return readiness_of(provider).value


class ProviderChange(serializers.Serializer[Any]):
    """What may be changed of a provider; what is left out stays."""

    name = serializers.CharField(max_length=80, required=False)
    base_url = serializers.CharField(max_length=300, required=False)
    auth = serializers.CharField(max_length=60, required=False, help_text="bearer, none or header:NAME.")
    headers = serializers.DictField(child=serializers.CharField(max_length=300), required=False)
    options = serializers.DictField(child=serializers.CharField(max_length=300), required=False)


class ProviderIn(ProviderChange):
    """A new provider. With `vendor` the rest may be left out; without `team` it is shared by all."""

    name = serializers.CharField(max_length=80)
    team = serializers.SlugField(max_length=48, required=False, allow_null=True)
    slug = serializers.RegexField(SLUG, max_length=48, required=False)
    vendor = serializers.SlugField(max_length=48, required=False)
    dialect = serializers.ChoiceField(Provider.Dialect.choices, required=False)


class NoteIn(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)


class KeyOut(serializers.ModelSerializer[ProviderKey]):
    """A key of a provider, without its value."""

    id = serializers.CharField(source="public_id", read_only=True)
    provider = serializers.CharField(source="provider.public_id", read_only=True)
    is_sealed = serializers.SerializerMethodField(help_text="Whether the value itself is kept here.")

    class Meta:
        model = ProviderKey
        fields = (
            "id",
            "provider",
            "label",
            "weight",
            "state",
            "reference",
            "is_sealed",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_is_sealed(self, key: ProviderKey) -> bool:
        return bool(key.sealed)


class KeyValue(serializers.Serializer[Any]):
    """Either the key itself, which no answer ever gives, or where the runtime reads it."""

    value = serializers.CharField(max_length=4000, required=False, default="", write_only=True)
    reference = serializers.CharField(
        max_length=300, required=False, default="", help_text="env:NAME or file:/absolute/path."
    )


class KeyIn(KeyValue):
    label = serializers.CharField(max_length=60)  # type: ignore[assignment]  # a field called label
    weight = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=100)


class KeyChange(serializers.Serializer[Any]):
    label = serializers.CharField(max_length=60, required=False)  # type: ignore[assignment]  # a field called label
    weight = serializers.IntegerField(min_value=1, max_value=1000, required=False)


class RateOut(serializers.Serializer[Any]):
    """Billionths of the currency for a million tokens (for one call: `call`), from so many tokens of input on."""

    unit = serializers.ChoiceField([unit.value for unit in Unit])
    nanos = serializers.IntegerField(min_value=0)
    from_tokens = serializers.IntegerField(min_value=0, default=0)


class PriceOut(serializers.ModelSerializer[ModelPrice]):
    """A price from one moment on; rows are never changed."""

    id = serializers.CharField(source="public_id", read_only=True)
    rates = RateOut(many=True, read_only=True)

    class Meta:
        model = ModelPrice
        fields = (
            "id",
            "version",
            "valid_from",
            "currency",
            "rates",
            "source",
            "source_note",
            "is_disputed",
            "retired_at",
        )
        read_only_fields = fields


class PriceIn(serializers.Serializer[Any]):
    """A price of one's own, from now on."""

    rates = RateOut(many=True)
    currency = serializers.CharField(max_length=3, required=False, default="USD")
    note = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class ModelOut(serializers.ModelSerializer[AiModel]):
    """A model of a provider. `price` null: nobody knows it, which is not nothing."""

    id = serializers.CharField(source="public_id", read_only=True)
    provider = serializers.CharField(source="provider.public_id", read_only=True)
    name = serializers.CharField(read_only=True)
    capabilities = serializers.ListField(child=serializers.CharField(), read_only=True)
    price = serializers.SerializerMethodField()

    class Meta:
        model = AiModel
        fields = (
            "id",
            "provider",
            "name",
            "remote",
            "mode",
            "context",
            "max_output",
            "capabilities",
            "is_enabled",
            "is_toy",
            "price",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(PriceOut(allow_null=True))
    def get_price(self, model: AiModel) -> Any:
        row = price_of(model).row
        return None if row is None else PriceOut(row).data


class ModelChange(serializers.Serializer[Any]):
    """What may be changed of a model; what is left out stays."""

    mode = serializers.ChoiceField(AiModel.Mode.choices, required=False)
    context = serializers.IntegerField(  # type: ignore[assignment]  # a field called context
        min_value=0, max_value=100_000_000, required=False
    )
    max_output = serializers.IntegerField(min_value=0, max_value=100_000_000, required=False)
    capabilities = serializers.ListField(
        child=serializers.ChoiceField(list(AiModel.CAPABILITIES)), required=False
    )
    is_toy = serializers.BooleanField(required=False)


class ModelChangeIn(ModelChange):
    is_enabled = serializers.BooleanField(required=False)


class ModelIn(ModelChange):
    """A model that the catalogue does not know."""

    provider = serializers.CharField(max_length=40)
    remote = serializers.CharField(max_length=160)


class TargetOut(serializers.Serializer[Any]):
    """A model of a route: those of a lower `rank` are tried first, among equals `weight` decides."""

    model = serializers.CharField(source="model.public_id")
    name = serializers.CharField(source="model.name")
    rank = serializers.IntegerField()
    weight = serializers.IntegerField()


class TargetIn(serializers.Serializer[Any]):
    model = serializers.CharField(max_length=40)
    rank = serializers.IntegerField(min_value=0, max_value=100, required=False, default=0)
    weight = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=100)


class RouteOut(serializers.ModelSerializer[ModelRoute]):
    """An alias and the models behind it. `team` null: shared by all."""

    id = serializers.CharField(source="public_id", read_only=True)
    team = serializers.CharField(source="team.slug", allow_null=True, default=None, read_only=True)
    retry_codes = serializers.ListField(child=serializers.IntegerField(), read_only=True)
    targets = TargetOut(many=True, read_only=True)

    class Meta:
        model = ModelRoute
        fields = (
            "id",
            "team",
            "alias",
            "description",
            "targets",
            "retry_codes",
            "attempts",
            "try_timeout_ms",
            "stream_idle_ms",
            "breaker_failures",
            "breaker_s",
            "retired_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class RouteChange(serializers.Serializer[Any]):
    """What may be changed of a route; `targets` takes the place of all there were."""

    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    targets = TargetIn(many=True, required=False)
    retry_codes = serializers.ListField(
        child=serializers.IntegerField(min_value=400, max_value=599), required=False
    )
    attempts = serializers.IntegerField(min_value=1, max_value=10, required=False)
    try_timeout_ms = serializers.IntegerField(min_value=100, max_value=600_000, required=False)
    stream_idle_ms = serializers.IntegerField(min_value=100, max_value=600_000, required=False)
    breaker_failures = serializers.IntegerField(min_value=0, max_value=100, required=False)
    breaker_s = serializers.IntegerField(min_value=1, max_value=3600, required=False)


class RouteIn(RouteChange):
    """A new route; without `team` it is shared by all."""

    alias = serializers.RegexField(SLUG, max_length=48)
    team = serializers.SlugField(max_length=48, required=False, allow_null=True)
    targets = TargetIn(many=True)
