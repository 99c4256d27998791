"""What goes in and what comes out. Output and input are apart; ids are public; times are UTC."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from audit.models import ActorKind
from subscriptions.models import (
    MOST_OVERLAP,
    AccessRequest,
    Application,
    Block,
    Credential,
    Rotation,
    Subscription,
)


class ApplicationOut(serializers.ModelSerializer[Application]):
    id = serializers.CharField(source="public_id", read_only=True)
    team = serializers.CharField(source="team.slug", read_only=True)

    class Meta:
        model = Application
        fields = ("id", "team", "slug", "name", "description", "state", "created_at", "updated_at")
        read_only_fields = fields


class ApplicationIn(serializers.Serializer[Any]):
    team = serializers.SlugField(help_text="Short name of the team that owns it.")
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)
    slug = serializers.SlugField(
        max_length=48, required=False, default="", help_text="Made from the name when left out."
    )


class ApplicationChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=400, required=False, allow_blank=True)


class ReasonIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400, help_text="The other side reads it.")


class OptionalReasonIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)


class LimitsOut(serializers.Serializer[Any]):
    """Limits of a plan revision: `rate_calls` per `rate_period_s` seconds, quotas per UTC day and month."""

    revision = serializers.IntegerField(source="number")
    rate_calls = serializers.IntegerField()
    rate_period_s = serializers.IntegerField()
    burst = serializers.IntegerField()
    quota_day = serializers.IntegerField(allow_null=True)
    quota_month = serializers.IntegerField(allow_null=True)
    rate_tokens = serializers.IntegerField(allow_null=True)
    rate_tokens_period_s = serializers.IntegerField()


class WhereOut[M: AccessRequest | Subscription](serializers.ModelSerializer[M]):
    """What a request and a subscription both name."""

    id = serializers.CharField(source="public_id", read_only=True)
    application = serializers.CharField(source="application.public_id", read_only=True)
    application_name = serializers.CharField(source="application.name", read_only=True)
    api = serializers.SerializerMethodField(help_text="Team and short name of the API: shop/orders.")
    version = serializers.IntegerField(source="api_version.major", read_only=True)
    api_version = serializers.CharField(source="api_version.public_id", read_only=True)
    environment = serializers.CharField(source="environment.slug", read_only=True)
    plan = serializers.CharField(source="plan_revision.plan.slug", read_only=True)
    limits = LimitsOut(source="plan_revision", read_only=True)

    def get_api(self, target: Any) -> str:
        api = target.api_version.api
        return f"{api.team.slug}/{api.slug}"


WHERE = (
    "id",
    "application",
    "application_name",
    "api",
    "version",
    "api_version",
    "environment",
    "plan",
    "limits",
)


class AccessRequestOut(WhereOut[AccessRequest]):
    subscription = serializers.CharField(
        source="subscription.public_id", read_only=True, default=None, allow_null=True
    )
    decided_by_kind = serializers.ChoiceField(
        ActorKind.choices, read_only=True, allow_blank=True, help_text="Empty until it is decided."
    )

    class Meta:
        model = AccessRequest
        fields = (
            *WHERE,
            "kind",
            "state",
            "reason",
            "subscription",
            "requested_by_kind",
            "requested_by_id",
            "requested_by_label",
            "due_at",
            "lapses_at",
            "decided_by_kind",
            "decided_by_label",
            "decided_at",
            "decision_note",
            "created_at",
        )
        read_only_fields = fields


class AccessRequestIn(serializers.Serializer[Any]):
    application = serializers.CharField(max_length=40, help_text="Id of the application.")
    api = serializers.RegexField(
        r"^[a-z0-9-]+/[a-z0-9-]+$", help_text="Team and short name of the API: shop/orders."
    )
    version = serializers.IntegerField(min_value=1, help_text="Its major version.")
    environment = serializers.SlugField()
    plan = serializers.SlugField()
    reason = serializers.CharField(max_length=2_000)
    accept_terms = serializers.BooleanField(required=False, default=False)


class ApproveIn(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=2_000, required=False, default="", allow_blank=True)


class RejectIn(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=2_000, help_text="Those who asked read it.")


class PlanChangeIn(serializers.Serializer[Any]):
    plan = serializers.SlugField()
    reason = serializers.CharField(max_length=2_000)
    accept_terms = serializers.BooleanField(required=False, default=False)


class BlockOut(serializers.ModelSerializer[Block]):
    id = serializers.CharField(source="public_id", read_only=True)

    class Meta:
        model = Block
        fields = ("id", "reason", "until", "created_at")
        read_only_fields = fields


class SubscriptionOut(WhereOut[Subscription]):
    blocks = serializers.SerializerMethodField(help_text="Used-up quotas that stand now.")

    class Meta:
        model = Subscription
        fields = (
            *WHERE,
            "state",
            "state_reason",
            "terms_accepted_by",
            "terms_accepted_at",
            "ends_on",
            "blocks",
            "created_at",
            "closed_at",
        )
        read_only_fields = fields

    def get_blocks(self, target: Subscription) -> list[dict[str, Any]]:
        standing = [block for block in target.blocks.all() if block.lifted_at is None]
        return [dict(row) for row in BlockOut(standing, many=True).data]


class CredentialOut(serializers.ModelSerializer[Credential]):
    id = serializers.CharField(source="public_id", read_only=True)
    subscription = serializers.CharField(source="subscription.public_id", read_only=True)

    class Meta:
        model = Credential
        fields: tuple[str, ...] = (
            "id",
            "subscription",
            "name",
            "state",
            "prefix",
            "key_id",
            "issued_by",
            "expires_at",
            "ended_at",
            "end_reason",
            "created_at",
        )
        read_only_fields: tuple[str, ...] = fields


class CredentialIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80, required=False, default="", allow_blank=True)
    expires_at = serializers.DateTimeField(required=False, default=None, allow_null=True)


class CredentialIssuedOut(CredentialOut):
    """A key just made: the one answer that carries it."""

    key = serializers.SerializerMethodField(help_text="The key itself. Shown in this answer only.")

    class Meta(CredentialOut.Meta):
        fields = (*CredentialOut.Meta.fields, "key")
        read_only_fields = fields

    def get_key(self, target: Credential) -> str:
        return str(self.context["key"])


class RotationOut(serializers.ModelSerializer[Rotation]):
    """A rotation with both keys. `ending` is empty while it runs; both keys work until `ends_at`."""

    id = serializers.CharField(source="public_id", read_only=True)
    subscription = serializers.CharField(source="subscription.public_id", read_only=True)
    old = CredentialOut(read_only=True)
    new = CredentialOut(read_only=True)
    ending = serializers.ChoiceField(choices=Rotation.Ending.choices, allow_blank=True, read_only=True)

    class Meta:
        model = Rotation
        fields: tuple[str, ...] = (
            "id",
            "subscription",
            "state",
            "old",
            "new",
            "started_by",
            "created_at",
            "ends_at",
            "ending",
            "ended_by",
            "ended_at",
        )
        read_only_fields: tuple[str, ...] = fields


class RotationIn(serializers.Serializer[Any]):
    overlap_s = serializers.IntegerField(
        min_value=0,
        max_value=int(MOST_OVERLAP.total_seconds()),
        required=False,
        default=86_400,
        help_text="Seconds for which both keys work; 0 revokes the old key at once.",
    )
    name = serializers.CharField(
        max_length=80,
        required=False,
        allow_blank=True,
        help_text="Of the new key; the old one's when left out.",
    )
    expires_at = serializers.DateTimeField(
        required=False, default=None, allow_null=True, help_text="Of the new key."
    )


class ExtendIn(serializers.Serializer[Any]):
    ends_at = serializers.DateTimeField(help_text="The new end; sent again it changes nothing.")


class RotationStartedOut(RotationOut):
    """A rotation just started: the one answer that carries the new key."""

    key = serializers.SerializerMethodField(help_text="The new key itself. Shown in this answer only.")

    class Meta(RotationOut.Meta):
        fields = (*RotationOut.Meta.fields, "key")
        read_only_fields = fields

    def get_key(self, target: Rotation) -> str:
        return str(self.context["key"])
