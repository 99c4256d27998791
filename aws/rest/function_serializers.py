"""The shapes of Lambda functions. Output and input are apart; no shape gives a value of an environment."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from aws.function_queries import last_push, warnings_of
from aws.models import FunctionAlias, FunctionPush, FunctionPushStep, FunctionVersion, LambdaFunction

SLUG = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


class ReasonOut(serializers.Serializer[Any]):
    """A decision that a push carries out, and who made it."""

    what = serializers.CharField()
    by = serializers.CharField()


class FunctionPushOut(serializers.ModelSerializer[FunctionPush]):
    """A push. `waits_on` says what it waits for, and `message` why it failed."""

    id = serializers.CharField(source="public_id", read_only=True)
    function = serializers.CharField(source="function.public_id", read_only=True)
    reasons = ReasonOut(many=True, read_only=True)

    class Meta:
        model = FunctionPush
        fields = (
            "id",
            "function",
            "state",
            "reasons",
            "message",
            "waits_on",
            "waits_until",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields


class FunctionPushStepOut(serializers.ModelSerializer[FunctionPushStep]):
    """A step of the journal; `request_id` is what AWS's support asks for."""

    class Meta:
        model = FunctionPushStep
        fields = ("name", "operation", "detail", "state", "request_id", "started_at", "finished_at")
        read_only_fields = fields


class FunctionPushWhole(FunctionPushOut):
    """A push with its journal."""

    steps = FunctionPushStepOut(many=True, read_only=True)

    class Meta:
        model = FunctionPush
        fields = (*FunctionPushOut.Meta.fields, "steps")
        read_only_fields = fields


class FunctionVersionOut(serializers.ModelSerializer[FunctionVersion]):
    """A version. `number` is null until AWS has given one; `same_as` is the one that stands for it."""

    id = serializers.CharField(source="public_id", read_only=True)
    same_as = serializers.IntegerField(source="same_as.number", read_only=True, default=None, allow_null=True)

    class Meta:
        model = FunctionVersion
        fields = (
            "id",
            "number",
            "state",
            "note",
            "author",
            "sha256",
            "size",
            "runtime",
            "same_as",
            "published_at",
        )
        read_only_fields = fields


class FunctionAliasOut(serializers.ModelSerializer[FunctionAlias]):
    """An alias; `second` takes `weight` of a hundred calls. `previous` is what it stood for before."""

    id = serializers.CharField(source="public_id", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)
    second = serializers.IntegerField(source="second.number", read_only=True, default=None, allow_null=True)
    previous = serializers.IntegerField(
        source="previous.number", read_only=True, default=None, allow_null=True
    )

    class Meta:
        model = FunctionAlias
        fields = ("id", "name", "version", "second", "weight", "previous", "provisioned")
        read_only_fields = fields


class WarnedOut(serializers.Serializer[Any]):
    """Something to look at; `tone` is fail or hold."""

    tone = serializers.CharField()
    words = serializers.CharField()


class LambdaFunctionOut(serializers.ModelSerializer[LambdaFunction]):
    """A function. `environment_names` are all that is told of its environment."""

    id = serializers.CharField(source="public_id", read_only=True)
    team = serializers.CharField(source="team.slug", read_only=True)
    account = serializers.CharField(source="account.slug", read_only=True)
    arn = serializers.CharField(read_only=True)
    environment_names = serializers.ListField(child=serializers.CharField(), read_only=True)
    layers = serializers.ListField(child=serializers.CharField(), read_only=True)
    subnets = serializers.ListField(child=serializers.CharField(), read_only=True)
    security_groups = serializers.ListField(child=serializers.CharField(), read_only=True)
    tags = serializers.DictField(child=serializers.CharField(), read_only=True)
    triggers = serializers.SerializerMethodField(help_text="Event source mappings, as of the last push.")
    warnings = serializers.SerializerMethodField()
    last_push = serializers.SerializerMethodField()

    class Meta:
        model = LambdaFunction
        fields = (
            "id",
            "slug",
            "name",
            "team",
            "account",
            "region",
            "remote_name",
            "arn",
            "origin",
            "state",
            "package",
            "runtime",
            "handler",
            "architecture",
            "memory_mb",
            "timeout_s",
            "role_arn",
            "environment_names",
            "layers",
            "subnets",
            "security_groups",
            "dead_letter_arn",
            "on_success_arn",
            "on_failure_arn",
            "tracing",
            "tags",
            "reserved",
            "keeps_versions",
            "triggers",
            "warnings",
            "last_push",
            "seen_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_triggers(self, function: LambdaFunction) -> Any:
        return function.seen.get("triggers", [])

    @extend_schema_field(WarnedOut(many=True))
    def get_warnings(self, function: LambdaFunction) -> Any:
        return WarnedOut(warnings_of(function), many=True).data

    @extend_schema_field(FunctionPushOut(allow_null=True))
    def get_last_push(self, function: LambdaFunction) -> Any:
        push = last_push(function)
        return FunctionPushOut(push).data if push else None


class FunctionConfiguration(serializers.Serializer[Any]):
    """How a function is configured; what is left out stays, or has its usual value."""

    runtime = serializers.CharField(max_length=32, required=False)
    handler = serializers.CharField(max_length=128, required=False)
    architecture = serializers.ChoiceField(LambdaFunction.Architecture.choices, required=False)
    memory_mb = serializers.IntegerField(min_value=128, max_value=10_240, required=False)
    timeout_s = serializers.IntegerField(min_value=1, max_value=900, required=False)
    role_arn = serializers.CharField(
        max_length=600, required=False, allow_blank=True, help_text="Empty: the portal makes a role."
    )
    environment = serializers.DictField(
        child=serializers.CharField(
            allow_null=True, allow_blank=True, trim_whitespace=False, max_length=4096
        ),
        required=False,
        help_text="Sets values by name, null takes one away; others stay. No answer holds them.",
    )
    layers = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=20)
    subnets = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=40)
    security_groups = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, max_length=40
    )
    dead_letter_arn = serializers.CharField(max_length=300, required=False, allow_blank=True)
    on_success_arn = serializers.CharField(max_length=300, required=False, allow_blank=True)
    on_failure_arn = serializers.CharField(max_length=300, required=False, allow_blank=True)
    tracing = serializers.BooleanField(required=False)
    tags = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=256), required=False
    )
    keeps_versions = serializers.IntegerField(min_value=1, max_value=500, required=False)


class FunctionChange(FunctionConfiguration):
    """What may be changed; what is left out stays."""

    name = serializers.CharField(max_length=80, required=False)


class PlaceIn(serializers.Serializer[Any]):
    """Whose function, and where."""

    team = serializers.SlugField(max_length=48)
    account = serializers.SlugField(max_length=48)
    region = serializers.CharField(max_length=32)
    slug = serializers.RegexField(SLUG, max_length=48, required=False)


class FunctionIn(PlaceIn, FunctionConfiguration):
    """A new function: from a zip in base64, or from an image. A zip of more than 8 MB is sent to `code` afterwards."""

    name = serializers.CharField(max_length=80)
    zip = serializers.CharField(required=False, trim_whitespace=True, help_text="The zip in base64.")
    image_uri = serializers.CharField(max_length=400, required=False)


class FunctionAdoptIn(PlaceIn):
    """One that is in AWS already. It must bear the ownership tag."""

    remote_name = serializers.CharField(max_length=200)
    name = serializers.CharField(max_length=80, required=False)


class ImageIn(serializers.Serializer[Any]):
    """Another image. A zip is sent as the body itself, as application/zip."""

    image_uri = serializers.CharField(max_length=400)


class CodeOut(serializers.Serializer[Any]):
    """What was handed in. `sha256` of an image is known when AWS has taken it."""

    id = serializers.CharField(source="public_id")
    image_uri = serializers.CharField(allow_blank=True)
    sha256 = serializers.CharField(allow_blank=True)
    size = serializers.IntegerField()
    files = serializers.IntegerField()


class VersionIn(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class AliasIn(serializers.Serializer[Any]):
    """What an alias stands for, by numbers of published versions."""

    version = serializers.IntegerField(min_value=1)
    second = serializers.IntegerField(min_value=1, required=False, allow_null=True, default=None)
    weight = serializers.IntegerField(
        min_value=1,
        max_value=99,
        required=False,
        allow_null=True,
        default=None,
        help_text="Share of the second, in %.",
    )


class ProvisionedIn(serializers.Serializer[Any]):
    """How many environments are kept warm; null: none."""

    provisioned = serializers.IntegerField(min_value=1, max_value=100_000, allow_null=True)


class ReservedIn(serializers.Serializer[Any]):
    """How many calls at once are kept for it; 0 stops it, null: it shares what is left of the account."""

    reserved = serializers.IntegerField(min_value=0, max_value=100_000, allow_null=True)


class FunctionNoteIn(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)
