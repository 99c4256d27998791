"""The shapes of gateways, publications, deployments and enforcement. Output and input are apart."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateways.models import Deployment, DriftFinding, EnforcementState, Gateway, GatewayNode, Publication
from gateways.queries.overview import Sync

SLUG = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


class ListenerOut(serializers.Serializer[Any]):
    """Where one environment is served. At AWS without a port: each publication has an address of its own."""

    environment = serializers.SlugField(source="environment.slug")
    port = serializers.IntegerField(allow_null=True)
    host = serializers.CharField()
    public_url = serializers.CharField(allow_blank=True)


class ListenerIn(serializers.Serializer[Any]):
    """A port and an address; for a gateway of kind `aws` the environment alone."""

    environment = serializers.SlugField(max_length=48)
    port = serializers.IntegerField(
        min_value=1, max_value=65_535, required=False, default=None, allow_null=True
    )
    public_url = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)
    host = serializers.CharField(max_length=253, required=False, default="", allow_blank=True)


class NodeOut(serializers.ModelSerializer[GatewayNode]):
    """One process of a gateway, as it last reported."""

    id = serializers.CharField(source="public_id", read_only=True)
    state = serializers.ChoiceField(choices=GatewayNode.State.choices, read_only=True)

    class Meta:
        model = GatewayNode
        fields = (
            "id",
            "name",
            "state",
            "software",
            "serving",
            "version",
            "digest",
            "started_at",
            "heartbeat_at",
        )
        read_only_fields = fields


class UnreadOut(serializers.Serializer[Any]):
    """A node whose own configuration could not be read; `node` is empty for the gateway as a whole."""

    node = serializers.CharField(allow_blank=True)
    why = serializers.CharField()


class GatewayOut(serializers.ModelSerializer[Gateway]):
    """A data plane. `sync` says whether it has got what was decided; `retry_at` is when a failed push or one that waits
    goes on.

    `aws_account` is empty for whoever may not know of the account.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    sync = serializers.SerializerMethodField()
    aws_account = serializers.SerializerMethodField()
    listeners = ListenerOut(many=True, read_only=True)
    unread = UnreadOut(many=True, read_only=True)

    class Meta:
        model = Gateway
        fields = (
            "id",
            "slug",
            "name",
            "kind",
            "aws_account",
            "aws_region",
            "sync",
            "listeners",
            "pushed_version",
            "behind_since",
            "retry_at",
            "drift_policy",
            "inspected_at",
            "unread",
            "held_since",
            "held_reason",
            "retired_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=Sync.choices))
    def get_sync(self, gateway: Gateway) -> str:
        synced: dict[int, str] = self.context.get("sync", {})
        return synced.get(gateway.pk, "")

    def get_aws_account(self, gateway: Gateway) -> str:
        known: dict[int, str] = self.context.get("aws_accounts", {})
        return known.get(gateway.pk, "")


class GatewayIn(serializers.Serializer[Any]):
    slug = serializers.RegexField(SLUG, max_length=48)
    name = serializers.CharField(max_length=80)
    kind = serializers.ChoiceField(choices=Gateway.Kind.choices)
    options = serializers.DictField(child=serializers.CharField(max_length=300), required=False, default=dict)
    listeners = ListenerIn(many=True, required=False, default=list)
    aws_account = serializers.SlugField(
        max_length=48,
        required=False,
        default="",
        allow_blank=True,
        help_text="Of kind `aws` alone: where it is.",
    )
    aws_region = serializers.CharField(max_length=24, required=False, default="", allow_blank=True)


class GatewayChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80, required=False)
    options = serializers.DictField(child=serializers.CharField(max_length=300), required=False)
    listeners = ListenerIn(many=True, required=False)
    drift_policy = serializers.ChoiceField(choices=Gateway.DriftPolicy.choices, required=False)


class GatewayCreated(GatewayOut):
    """A new gateway with the token of its agents, which is shown this once; empty for one without agents."""

    token = serializers.SerializerMethodField()

    class Meta:
        model = Gateway
        fields = (*GatewayOut.Meta.fields, "token")
        read_only_fields = fields

    def get_token(self, gateway: Gateway) -> str:
        return str(self.context.get("token", ""))


class GatewayToken(serializers.Serializer[Any]):
    """The token of a gateway's agents, shown this once."""

    token = serializers.CharField()


class ReconcileIn(serializers.Serializer[Any]):
    forced = serializers.BooleanField(required=False, default=False)


class RetireIn(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)


class ChangeOut(serializers.Serializer[Any]):
    """One change; `before` and `after` never hold a secret."""

    verb = serializers.ChoiceField(choices=["create", "update", "delete"])
    kind = serializers.CharField()
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field called label, not the field's label
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


class NoteOut(serializers.Serializer[Any]):
    """What is held back or weakened, and why."""

    kind = serializers.CharField()
    id = serializers.CharField()
    text = serializers.CharField()
    held = serializers.BooleanField()


class TrapOut(serializers.Serializer[Any]):
    """A place in the document that API Gateway takes otherwise than it is written. `code` names the kind."""

    pointer = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    what = serializers.CharField()
    cure = serializers.CharField(allow_blank=True)
    blocks = serializers.BooleanField()


class CountsOut(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    deleted = serializers.IntegerField()


class PreviewOut(serializers.Serializer[Any]):
    """What a push would change. `others` counts changes of other teams, which are not listed."""

    gateway = serializers.CharField()
    counts = CountsOut()
    changes = ChangeOut(many=True)
    notes = NoteOut(many=True)
    others = serializers.IntegerField()
    keys = serializers.IntegerField()
    cannot = serializers.ListField(child=serializers.CharField())
    traps = TrapOut(many=True)
    takes = serializers.ListField(child=serializers.CharField(), help_text="Of the quotas of an AWS account.")
    error = serializers.CharField(allow_blank=True)
    refused = serializers.CharField(allow_blank=True)


class StepOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    state = serializers.CharField()
    detail = serializers.CharField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class DeploymentOut(serializers.ModelSerializer[Deployment]):
    """One recorded push. What concerns other teams alone is counted in `others` and not shown.

    One that waits for a limit of a vendor is `waiting`: queued again after `runs` runs, until `goes_on_at`.
    """

    id = serializers.CharField(source="public_id", read_only=True)
    gateway = serializers.SlugField(source="gateway.slug", read_only=True)
    counts = serializers.SerializerMethodField()
    changes = serializers.SerializerMethodField()
    notes = serializers.SerializerMethodField()
    others = serializers.SerializerMethodField()
    steps = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()
    waiting = serializers.BooleanField(source="is_waiting", read_only=True)
    goes_on_at = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Deployment
        fields = (
            "id",
            "gateway",
            "state",
            "version",
            "attempt",
            "runs",
            "waiting",
            "waits_on",
            "goes_on_at",
            "asked_by",
            "counts",
            "changes",
            "others",
            "notes",
            "message",
            "speaker",
            "steps",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields

    @extend_schema_field(CountsOut)
    def get_counts(self, one: Deployment) -> dict[str, int]:
        return {"created": one.created_count, "updated": one.updated_count, "deleted": one.deleted_count}

    @extend_schema_field(ChangeOut(many=True))
    def get_changes(self, one: Deployment) -> list[dict[str, Any]]:
        return self.context["parts"](one).changes  # type: ignore[no-any-return]

    @extend_schema_field(NoteOut(many=True))
    def get_notes(self, one: Deployment) -> list[dict[str, Any]]:
        return self.context["parts"](one).notes  # type: ignore[no-any-return]

    def get_others(self, one: Deployment) -> int:
        return int(self.context["parts"](one).others)

    def get_message(self, one: Deployment) -> str:
        return one.message if self.context["parts"](one).whole else ""

    @extend_schema_field(StepOut(many=True))
    def get_steps(self, one: Deployment) -> list[dict[str, Any]]:
        whole = self.context["parts"](one).whole
        steps = [StepOut(step).data for step in one.steps.all()]
        return [{**step, "detail": step["detail"] if whole else ""} for step in steps]


class DifferenceLineOut(serializers.Serializer[Any]):
    """One key, subscription or block. `of` is the subscription of a key or block, in words."""

    kind = serializers.CharField()
    id = serializers.CharField()
    name = serializers.CharField()
    of = serializers.CharField()


class HeldDifferenceOut(serializers.Serializer[Any]):
    """What a push would change on a held gateway. Send `seen` to confirm exactly this."""

    brings = DifferenceLineOut(many=True, help_text="Access that would come back.")
    takes = DifferenceLineOut(many=True, help_text="Access that would end.")
    others = ChangeOut(many=True)
    seen = serializers.CharField()
    error = serializers.CharField(help_text="Why the gateway cannot be looked at; empty when it was.")


class ReleaseIn(serializers.Serializer[Any]):
    seen = serializers.CharField(max_length=64)
    note = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)


class PublicationOut(serializers.ModelSerializer[Publication]):
    """A version on a gateway. `address` is what callers put before the operation's path; empty while not known yet."""

    id = serializers.CharField(source="public_id", read_only=True)
    api = serializers.SerializerMethodField()
    version = serializers.CharField(source="api_version.public_id", read_only=True)
    major = serializers.IntegerField(source="api_version.major", read_only=True)
    gateway = serializers.SlugField(source="gateway.slug", read_only=True)
    environment = serializers.SlugField(source="environment.slug", read_only=True)
    base_path = serializers.CharField(source="claim.path", read_only=True)
    address = serializers.SerializerMethodField()
    revision = serializers.IntegerField(source="revision.number", read_only=True)

    class Meta:
        model = Publication
        fields = (
            "id",
            "api",
            "version",
            "major",
            "gateway",
            "environment",
            "state",
            "base_path",
            "address",
            "revision",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_api(self, publication: Publication) -> str:
        api = publication.api_version.api
        return f"{api.team.slug}/{api.slug}"

    def get_address(self, publication: Publication) -> str:
        addresses: dict[int, str] = self.context.get("addresses", {})
        return addresses.get(publication.pk, "")


class DifferenceOut(serializers.Serializer[Any]):
    """One field: what was decided, and what is there. Never a secret."""

    name = serializers.CharField()
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)


class FindingOut(serializers.ModelSerializer[DriftFinding]):
    """Something that a gateway does and nobody decided. `urgent`: access is at stake, it is put right at once."""

    id = serializers.CharField(source="public_id", read_only=True)
    gateway = serializers.SlugField(source="gateway.slug", read_only=True)
    object = serializers.CharField(source="object_id", read_only=True)
    differences = serializers.SerializerMethodField()
    adoptable = serializers.BooleanField(source="is_adoptable", read_only=True)

    class Meta:
        model = DriftFinding
        fields = (
            "id",
            "gateway",
            "node",
            "kind",
            "object",
            "label",
            "sort",
            "urgent",
            "differences",
            "adoptable",
            "state",
            "reason",
            "decided_by",
            "decided_at",
            "first_seen",
            "last_seen",
        )
        read_only_fields = fields

    @extend_schema_field(DifferenceOut(many=True))
    def get_differences(self, finding: DriftFinding) -> list[dict[str, str]]:
        return [{"name": name, "before": old, "after": new} for name, old, new in finding.fields]


class IgnoreIn(serializers.Serializer[Any]):
    """Why it may stay."""

    reason = serializers.CharField(max_length=400)


class PublicationIn(serializers.Serializer[Any]):
    """`api` is `team/short-name`."""

    api = serializers.RegexField(r"^[a-z0-9-]+/[a-z0-9-]+$", max_length=100)
    major = serializers.IntegerField(min_value=1, default=1)
    gateway = serializers.SlugField(max_length=48)
    environment = serializers.SlugField(max_length=48)
    base_path = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)
    note = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)
    cors_origins = serializers.ListField(
        child=serializers.RegexField(r"^https?://[A-Za-z0-9.:\[\]-]+$", max_length=300),
        required=False,
        max_length=50,
        help_text="Origins whose pages may call it from a browser; left out: as before.",
    )


class RollBackIn(serializers.Serializer[Any]):
    """`revision` is the number of the revision to serve again."""

    revision = serializers.IntegerField(min_value=1)
    note = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)


class WithdrawIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400)


class NodeLineOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=GatewayNode.State.choices)
    version = serializers.IntegerField()
    heartbeat_at = serializers.DateTimeField(allow_null=True)


class SegmentOut(serializers.Serializer[Any]):
    """What one gateway does. `took_ms` runs from the decision to the read-back."""

    gateway = serializers.CharField(source="slug")
    name = serializers.CharField(source="gateway")
    state = serializers.ChoiceField(choices=EnforcementState.choices)
    confirmed_at = serializers.DateTimeField(allow_null=True)
    took_ms = serializers.SerializerMethodField()
    note = serializers.CharField(allow_blank=True)
    nodes = NodeLineOut(many=True)

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_took_ms(self, segment: Any) -> int | None:
        return None if segment.took is None else round(segment.took.total_seconds() * 1000)


class EnforcementOut(serializers.Serializer[Any]):
    """What every gateway does with an object, from what was read back and nothing else."""

    kind = serializers.CharField()
    id = serializers.CharField(source="public_id")
    summary = serializers.CharField(source="sentence")
    live = serializers.BooleanField(source="is_live")
    moving = serializers.BooleanField()
    remark = serializers.CharField(allow_blank=True)
    gateways = SegmentOut(source="segments", many=True)


class AddressOut(serializers.Serializer[Any]):
    """Where a version answers."""

    environment = serializers.SlugField(source="environment.slug")
    gateway = serializers.SlugField(source="gateway.slug")
    publication = serializers.CharField(source="publication.public_id")
    url = serializers.CharField(allow_blank=True, help_text="Empty while it is not known yet.")
