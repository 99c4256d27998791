"""What goes out and what may come in. Input and output apart; only named fields; ids are public ids."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.models import AuditEvent
from teams.models import (
    ApiToken,
    ApproverGroup,
    Invitation,
    Membership,
    Notice,
    Scope,
    ServiceAccount,
    Team,
    TeamRole,
    User,
)


class IdField(serializers.CharField):
    """The public id, named `id` outside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="public_id", read_only=True, **kwargs)


class PersonSerializer(serializers.ModelSerializer[User]):
    """A person as colleagues see them."""

    id = IdField()

    class Meta:
        model = User
        fields = ["id", "name", "email"]
        read_only_fields = fields


class TeamSerializer(serializers.ModelSerializer[Team]):
    """A team. `role` is the caller's own; empty for those who see it by a platform role."""

    id = IdField()
    personal = serializers.SerializerMethodField()
    role = serializers.SerializerMethodField()

    class Meta:
        model = Team
        fields = ["id", "slug", "name", "description", "personal", "role", "created_at", "updated_at"]
        read_only_fields = fields

    def get_personal(self, team: Team) -> bool:
        return team.personal_of_id is not None

    @extend_schema_field(serializers.CharField())
    def get_role(self, team: Team) -> str:
        return str(self.context["view"].actor.roles.get(team.pk, ""))


class TeamInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    slug = serializers.CharField(
        max_length=48, required=False, help_text="Made from the name when left out; never changes."
    )
    description = serializers.CharField(max_length=400, required=False, allow_blank=True)


class TeamChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=400, required=False, allow_blank=True)


class MemberSerializer(serializers.ModelSerializer[Membership]):
    id = IdField()
    person = PersonSerializer(source="user", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "person", "role", "created_at", "updated_at"]
        read_only_fields = fields


class RoleInput(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=TeamRole.choices)


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    id = IdField()
    invited_by = PersonSerializer(read_only=True)

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "state", "invited_by", "created_at", "expires_at", "accepted_at"]
        read_only_fields = fields


class InvitationInput(serializers.Serializer[Any]):
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=TeamRole.choices, default=TeamRole.DEVELOPER)


class ServiceAccountSerializer(serializers.ModelSerializer[ServiceAccount]):
    id = IdField()

    class Meta:
        model = ServiceAccount
        fields = ["id", "name", "role", "disabled_at", "created_at", "updated_at"]
        read_only_fields = fields


class ServiceAccountInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    role = serializers.ChoiceField(choices=TeamRole.choices, default=TeamRole.DEVELOPER)


class ServiceAccountChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80, required=False)
    role = serializers.ChoiceField(choices=TeamRole.choices, required=False)


class ApproverGroupSerializer(serializers.ModelSerializer[ApproverGroup]):
    id = IdField()
    people = PersonSerializer(many=True, read_only=True)

    class Meta:
        model = ApproverGroup
        fields = ["id", "name", "people", "created_at", "updated_at"]
        read_only_fields = fields


class ApproverGroupInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    people = serializers.ListField(
        child=serializers.CharField(max_length=40), max_length=100, help_text="Public ids of people."
    )


class ApproverGroupChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80, required=False)
    people = serializers.ListField(child=serializers.CharField(max_length=40), max_length=100, required=False)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its value. `token_id` is the part that may be shown and logged."""

    id = IdField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=[s.value for s in Scope]))

    class Meta:
        model = ApiToken
        fields = [
            "id", "name", "token_id", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"
        ]  # fmt: skip
        read_only_fields = fields


class NewTokenSerializer(TokenSerializer):
    """A token just made, with its `value`: told this once."""

    value = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "value"]
        read_only_fields = fields


class TokenInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[s.value for s in Scope]), min_length=1
    )
    expires_at = serializers.DateTimeField(help_text="At most a year and a day ahead.")


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    id = IdField()

    class Meta:
        model = Notice
        fields = ["id", "name", "title", "body", "path", "created_at", "read_at"]
        read_only_fields = fields


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """One thing that happened, as it was recorded."""

    id = IdField()

    class Meta:
        model = AuditEvent
        fields = [
            "id", "occurred_at", "name", "team_id", "actor_kind", "actor_id", "actor_label", "target_kind",
            "target_id", "target_label", "before", "after", "note", "request_id",
        ]  # fmt: skip
        read_only_fields = fields


class TrailFilters(serializers.Serializer[Any]):
    """Query parameters of the audit trail."""

    team = serializers.CharField(max_length=48, required=False, help_text="Short name or id.")
    name = serializers.CharField(max_length=80, required=False, help_text="How the event's name begins.")
    target = serializers.CharField(max_length=300, required=False, help_text="Id, or part of the label.")
    actor = serializers.CharField(max_length=200, required=False, help_text="Id, or part of the label.")
    after = serializers.DateTimeField(required=False, help_text="From this moment on.")
    until = serializers.DateTimeField(required=False, help_text="Before this moment.")


class MeSerializer(serializers.Serializer[Any]):
    """Who the token stands for and what it may do."""

    id = serializers.CharField()
    kind = serializers.CharField(help_text="user or service")
    label = serializers.CharField()  # type: ignore[assignment]  # DRF fields have a label of their own
    email = serializers.CharField(allow_blank=True)
    platform_roles = serializers.ListField(child=serializers.CharField())
    scopes = serializers.ListField(child=serializers.CharField())
    teams = TeamSerializer(many=True)
