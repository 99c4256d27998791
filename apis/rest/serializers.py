"""What REST takes and gives: output and input apart, every field named."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apis.models import (
    Api,
    ApiVersion,
    Environment,
    EnvironmentClass,
    Operation,
    Plan,
    PlanLimits,
    PlanRevision,
    Revision,
    SpecDocument,
    Upstream,
    UpstreamBinding,
    Visibility,
)
from apis.models.plan import PERIODS, TOKEN_PERIODS
from apis.queries import sees_drafts, shown_spec
from teams.models import ANONYMOUS, Actor


class ApiOutput(serializers.ModelSerializer[Api]):
    """An API."""

    id = serializers.CharField(source="public_id")
    team = serializers.CharField(source="team.slug")

    class Meta:
        model = Api
        fields = (
            "id",
            "team",
            "slug",
            "name",
            "summary",
            "description",
            "visibility",
            "tags",
            "support_contact",
            "first_published_at",
            "created_at",
            "updated_at",
        )


class ApiChange(serializers.Serializer[Any]):
    """What may be changed of an API; what is left out stays."""

    name = serializers.CharField(max_length=120, required=False)
    summary = serializers.CharField(max_length=200, required=False, allow_blank=True)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    visibility = serializers.ChoiceField(Visibility.choices, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), max_length=12, required=False)
    support_contact = serializers.CharField(max_length=200, required=False, allow_blank=True)


class ApiInput(ApiChange):
    """A new API. Without `slug` one is made from the name."""

    team = serializers.SlugField(max_length=48)
    name = serializers.CharField(max_length=120)
    slug = serializers.SlugField(max_length=48, required=False)


class ShareInput(serializers.Serializer[Any]):
    """The team to share with, by its short name."""

    team = serializers.SlugField(max_length=48)


class ShareOutput(serializers.Serializer[Any]):
    """A team that an API is shared with."""

    team = serializers.CharField(source="slug")
    name = serializers.CharField()


class SpecBrief(serializers.ModelSerializer[SpecDocument]):
    """Which document it is."""

    id = serializers.CharField(source="public_id")

    class Meta:
        model = SpecDocument
        fields = ("id", "title", "version", "openapi", "digest", "size")


class VersionOutput(serializers.ModelSerializer[ApiVersion]):
    """A version. `draft_spec` and `upstream` are told to its own team only."""

    id = serializers.CharField(source="public_id")
    api = serializers.SerializerMethodField()
    spec = serializers.SerializerMethodField()
    draft_spec = serializers.SerializerMethodField()
    upstream = serializers.SerializerMethodField()

    class Meta:
        model = ApiVersion
        fields = (
            "id",
            "api",
            "major",
            "state",
            "sunset_on",
            "spec",
            "draft_spec",
            "upstream",
            "created_at",
            "updated_at",
        )

    def get_api(self, version: ApiVersion) -> str:
        return f"{version.api.team.slug}/{version.api.slug}"

    @extend_schema_field(SpecBrief(allow_null=True))
    def get_spec(self, version: ApiVersion) -> Any:
        spec = shown_spec(version, self._actor)
        return SpecBrief(spec).data if spec else None

    @extend_schema_field(SpecBrief(allow_null=True))
    def get_draft_spec(self, version: ApiVersion) -> Any:
        return SpecBrief(version.spec).data if version.spec and self._owns(version) else None

    def get_upstream(self, version: ApiVersion) -> str | None:
        return version.upstream.public_id if version.upstream and self._owns(version) else None

    @property
    def _actor(self) -> Actor:
        view = self.context.get("view")
        return view.actor if view else ANONYMOUS

    def _owns(self, version: ApiVersion) -> bool:
        return sees_drafts(self._actor, version.api.team_id)


class VersionInput(serializers.Serializer[Any]):
    """A new version; without `major` the next one."""

    major = serializers.IntegerField(min_value=1, max_value=9999, required=False)


class NoteInput(serializers.Serializer[Any]):
    """Why, for the audit trail."""

    note = serializers.CharField(max_length=400, required=False, allow_blank=True)


class DeprecateInput(NoteInput):
    """The last day (UTC) on which calls are served."""

    sunset_on = serializers.DateField()


class ChosenUpstreamInput(serializers.Serializer[Any]):
    """The id of one of the team's upstreams."""

    upstream = serializers.CharField(max_length=40)


class OperationOutput(serializers.ModelSerializer[Operation]):
    """Method and path in a document."""

    class Meta:
        model = Operation
        fields = ("key", "method", "path", "summary", "tags", "deprecated")


class SpecChangeOutput(serializers.Serializer[Any]):
    """Operations against the former draft, as "METHOD /path"."""

    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())


class SpecReadOutput(serializers.Serializer[Any]):
    """A document that was read. `id` is null after a dry run: nothing was saved."""

    id = serializers.CharField(allow_null=True)
    title = serializers.CharField()
    version = serializers.CharField()
    openapi = serializers.CharField()
    digest = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes as sent.")
    operations = serializers.IntegerField(help_text="How many there are.")
    changes = SpecChangeOutput()


class RevisionOutput(serializers.ModelSerializer[Revision]):
    """A frozen revision."""

    id = serializers.CharField(source="public_id")
    spec = SpecBrief()
    upstream = serializers.CharField(source="upstream.public_id")
    cors_origins = serializers.SerializerMethodField()

    class Meta:
        model = Revision
        fields = ("id", "number", "spec", "upstream", "cors_origins", "note", "frozen_by", "created_at")

    def get_cors_origins(self, revision: Revision) -> list[str]:
        return list(revision.policies.get("cors_origins", []))


class RevisionInput(NoteInput):
    """What is frozen beside document and upstream; without `cors_origins` those of the newest revision."""

    cors_origins = serializers.ListField(
        child=serializers.RegexField(r"^https?://[A-Za-z0-9.-]+(:\d{1,5})?$", max_length=200),
        max_length=20,
        required=False,
    )


class LimitsOutput(serializers.ModelSerializer[PlanRevision]):
    """Limits, price and terms; `price_nano` is 1e-9 of `currency` per month."""

    id = serializers.CharField(source="public_id")

    class Meta:
        model = PlanRevision
        fields = (
            "id",
            "number",
            "rate_calls",
            "rate_period_s",
            "burst",
            "quota_day",
            "quota_month",
            "rate_tokens",
            "rate_tokens_period_s",
            "approval",
            "price_nano",
            "currency",
            "terms",
            "published_at",
        )


class PlanOutput(serializers.ModelSerializer[Plan]):
    """A plan with the revision on offer."""

    id = serializers.CharField(source="public_id")
    environments: Any = serializers.SlugRelatedField("slug", many=True, read_only=True)
    approvers = serializers.CharField(source="approvers.public_id", default=None, allow_null=True)
    revision = serializers.SerializerMethodField()

    class Meta:
        model = Plan
        fields = (
            "id",
            "slug",
            "name",
            "description",
            "state",
            "environments",
            "approvers",
            "revision",
            "created_at",
            "updated_at",
        )

    @extend_schema_field(LimitsOutput)
    def get_revision(self, plan: Plan) -> Any:
        newest = getattr(plan, "newest", None)
        return LimitsOutput(newest[0] if newest else plan.current).data


class LimitsChange(serializers.Serializer[Any]):
    """Limits, price and terms; what is left out stays."""

    rate_calls = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    rate_period_s = serializers.ChoiceField(PERIODS, required=False)
    burst = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    quota_day = serializers.IntegerField(min_value=1, max_value=10**15, required=False, allow_null=True)
    quota_month = serializers.IntegerField(min_value=1, max_value=10**15, required=False, allow_null=True)
    rate_tokens = serializers.IntegerField(
        min_value=1,
        max_value=10**15,
        required=False,
        allow_null=True,
        help_text="Tokens of AI models per `rate_tokens_period_s` seconds; null: any number.",
    )
    rate_tokens_period_s = serializers.ChoiceField(TOKEN_PERIODS, required=False)
    approval = serializers.ChoiceField(PlanRevision.Approval.choices, required=False)
    price_nano = serializers.IntegerField(min_value=0, max_value=10**18, required=False)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False)
    terms = serializers.CharField(max_length=20_000, required=False, allow_blank=True)


class PlanChange(LimitsChange):
    """What may be changed of a plan. New limits hold for subscriptions made from now on."""

    name = serializers.CharField(max_length=80, required=False)
    description = serializers.CharField(max_length=400, required=False, allow_blank=True)
    environments = serializers.SlugRelatedField(
        "slug", queryset=Environment.objects.all(), many=True, required=False
    )
    approvers = serializers.CharField(max_length=40, required=False, allow_null=True)


class PlanInput(PlanChange):
    """A new plan, a draft until it is published."""

    name = serializers.CharField(max_length=80)
    slug = serializers.SlugField(max_length=48, required=False)
    rate_calls = serializers.IntegerField(min_value=1, max_value=1_000_000)
    burst = serializers.IntegerField(min_value=1, max_value=1_000_000)


LIMITS = tuple(PlanLimits.__slots__)


class BindingOutput(serializers.ModelSerializer[UpstreamBinding]):
    """The addresses in one environment; times in milliseconds."""

    environment = serializers.CharField(source="environment.slug")
    targets = serializers.SerializerMethodField()

    class Meta:
        model = UpstreamBinding
        fields = ("environment", "targets", "health_path", "timeout_ms", "connect_timeout_ms", "log_bodies")

    @extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/Target"}})
    def get_targets(self, binding: UpstreamBinding) -> Any:
        return binding.targets


class Target(serializers.Serializer[Any]):
    """An address and its share of the calls."""

    url = serializers.CharField(max_length=500)
    weight = serializers.IntegerField(min_value=1, max_value=1000, default=100)


class BindingInput(serializers.Serializer[Any]):
    """The addresses in one environment, all of them; times in milliseconds."""

    targets = Target(many=True)
    health_path = serializers.CharField(max_length=200, default="", allow_blank=True)
    timeout_ms = serializers.IntegerField(min_value=100, max_value=300_000, default=15_000)
    connect_timeout_ms = serializers.IntegerField(min_value=50, max_value=30_000, default=2_000)


class BodyLogInput(serializers.Serializer[Any]):
    """Whether usage keeps what AI calls ask and answer in one environment."""

    log_bodies = serializers.BooleanField()


class UpstreamOutput(serializers.ModelSerializer[Upstream]):
    """An upstream with its addresses."""

    id = serializers.CharField(source="public_id")
    team = serializers.CharField(source="team.slug")
    bindings = BindingOutput(many=True)

    class Meta:
        model = Upstream
        fields = ("id", "team", "name", "kind", "bindings", "created_at", "updated_at")


class UpstreamInput(serializers.Serializer[Any]):
    """A new upstream; its addresses follow."""

    team = serializers.SlugField(max_length=48)
    name = serializers.SlugField(max_length=48)
    kind = serializers.ChoiceField(Upstream.Kind.choices, default=Upstream.Kind.HTTP)


class EnvironmentOutput(serializers.ModelSerializer[Environment]):
    """An environment. No `publishers`: every team may publish to it."""

    id = serializers.CharField(source="public_id")
    publishers: Any = serializers.SlugRelatedField("slug", many=True, read_only=True)

    class Meta:
        model = Environment
        fields = ("id", "slug", "name", "environment_class", "position", "publishers")


class EnvironmentChange(serializers.Serializer[Any]):
    """What may be changed of an environment."""

    name = serializers.CharField(max_length=80, required=False)
    position = serializers.IntegerField(min_value=0, max_value=30_000, required=False)
    publishers = serializers.ListField(child=serializers.SlugField(max_length=48), required=False)


class EnvironmentInput(EnvironmentChange):
    """A new environment."""

    name = serializers.CharField(max_length=80)
    slug = serializers.SlugField(max_length=48, required=False)
    environment_class = serializers.ChoiceField(EnvironmentClass.choices)


class CatalogueEntry(ApiOutput):
    """An API on offer, with its versions and plans."""

    versions = serializers.SerializerMethodField()
    plans = serializers.SerializerMethodField()

    class Meta(ApiOutput.Meta):
        fields = (*ApiOutput.Meta.fields, "versions", "plans")  # type: ignore[assignment]

    @extend_schema_field(
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"major": {"type": "integer"}, "state": {"type": "string"}},
            },
        }
    )
    def get_versions(self, api: Any) -> Any:
        return [{"major": version.major, "state": version.state} for version in api.listed_versions]

    @extend_schema_field(PlanOutput(many=True))
    def get_plans(self, api: Any) -> Any:
        return PlanOutput(api.offered_plans, many=True).data


class CatalogueQuery(serializers.Serializer[Any]):
    """What the catalogue is narrowed by."""

    q = serializers.CharField(max_length=200, required=False, help_text="Words, whole or their beginnings.")
    tag = serializers.ListField(child=serializers.CharField(max_length=40), required=False)
    team = serializers.SlugField(required=False)
    visibility = serializers.ChoiceField(Visibility.choices, required=False)
    state = serializers.ChoiceField(["published", "deprecated"], required=False)
    environment = serializers.SlugField(required=False)
