"""The shapes of AWS accounts and their proofs. Output and input are apart; no shape gives an external id but once."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from aws.models import AccountProof, AwsAccount, Feature, Outcome
from aws.queries import last_proof, shown_teams, unproven

SLUG = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


class AccountFindingOut(serializers.Serializer[Any]):
    """One thing that a look came to. `check` is identity, external_id, or a Region."""

    check = serializers.CharField()
    outcome = serializers.ChoiceField(Outcome.choices)
    words = serializers.CharField()


class AccountQuotaOut(serializers.Serializer[Any]):
    """So much of a quota. `limit` null: AWS sets none, or none that the portal knows."""

    region = serializers.CharField()
    name = serializers.CharField()
    title = serializers.CharField(source="label")
    used = serializers.IntegerField()
    limit = serializers.IntegerField(allow_null=True)
    raisable = serializers.BooleanField(help_text="Whether AWS raises it when asked.")
    unit = serializers.CharField(allow_blank=True, help_text="bytes, or empty for a number of things.")


class AccountProofOut(serializers.ModelSerializer[AccountProof]):
    """A look at an account. `waits_on` says which limit of AWS it waits on."""

    id = serializers.CharField(source="public_id", read_only=True)
    account = serializers.CharField(source="account.slug", read_only=True)
    findings = AccountFindingOut(many=True, read_only=True)
    quotas = AccountQuotaOut(many=True, read_only=True)
    regions = serializers.ListField(child=serializers.CharField(), read_only=True)
    features = serializers.ListField(child=serializers.ChoiceField(Feature.choices), read_only=True)

    class Meta:
        model = AccountProof
        fields = (
            "id",
            "account",
            "state",
            "identity",
            "findings",
            "quotas",
            "regions",
            "features",
            "waits_on",
            "asked_by",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields


class AwsAccountOut(serializers.ModelSerializer[AwsAccount]):
    """An account. `is_simulated`: it is no AWS. `unproven` was switched on after the last look."""

    id = serializers.CharField(source="public_id", read_only=True)
    entry = serializers.SerializerMethodField(help_text="role, or own: with the portal's own credentials.")
    regions = serializers.ListField(child=serializers.CharField(), read_only=True)
    features = serializers.ListField(child=serializers.ChoiceField(Feature.choices), read_only=True)
    teams = serializers.SerializerMethodField()
    is_simulated = serializers.BooleanField(read_only=True)
    last_proof = serializers.SerializerMethodField()
    unproven = serializers.SerializerMethodField()

    class Meta:
        model = AwsAccount
        fields = (
            "id",
            "slug",
            "name",
            "number",
            "state",
            "is_simulated",
            "endpoint_url",
            "entry",
            "role_arn",
            "external_id_made_at",
            "prefix",
            "regions",
            "features",
            "is_for_all",
            "teams",
            "last_proof",
            "unproven",
            "retired_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=("role", "own")))
    def get_entry(self, account: AwsAccount) -> str:
        return "own" if account.is_ambient else "role"

    @extend_schema_field(serializers.ListField(child=serializers.SlugField()))
    def get_teams(self, account: AwsAccount) -> list[str]:
        return [team.slug for team in shown_teams(account, self.context["view"].actor)]

    @extend_schema_field(AccountProofOut(allow_null=True))
    def get_last_proof(self, account: AwsAccount) -> Any:
        proof = last_proof(account)
        return AccountProofOut(proof).data if proof else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_unproven(self, account: AwsAccount) -> list[str]:
        return unproven(account, last_proof(account))


class AwsAccountConnected(AwsAccountOut):
    """The new account with its external id, which no other answer holds; empty where no role is assumed."""

    external_id = serializers.SerializerMethodField()

    class Meta:
        model = AwsAccount
        fields = (*AwsAccountOut.Meta.fields, "external_id")
        read_only_fields = fields

    def get_external_id(self, _account: AwsAccount) -> str:
        value: str = self.context["external_id"]
        return value


class AwsAccountChange(serializers.Serializer[Any]):
    """What may be changed; what is left out stays. Number, short name and the way of entry never change."""

    name = serializers.CharField(max_length=80, required=False)
    regions = serializers.ListField(child=serializers.CharField(max_length=32), max_length=40, required=False)
    features = serializers.ListField(child=serializers.ChoiceField(Feature.choices), required=False)
    role_arn = serializers.CharField(
        max_length=600, required=False, allow_blank=True, help_text="Empty: the role that the template makes."
    )
    is_for_all = serializers.BooleanField(required=False)
    teams = serializers.ListField(child=serializers.SlugField(max_length=48), required=False)


class AwsAccountIn(AwsAccountChange):
    """A new account. The external id is made by the portal: nobody chooses it."""

    name = serializers.CharField(max_length=80)
    slug = serializers.RegexField(SLUG, max_length=48, required=False)
    number = serializers.CharField(max_length=20)
    regions = serializers.ListField(child=serializers.CharField(max_length=32), max_length=40)
    features = serializers.ListField(child=serializers.ChoiceField(Feature.choices))
    entry = serializers.ChoiceField(choices=("role", "own"), default="role")
    endpoint_url = serializers.CharField(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="Of a simulated AWS that the settings allow.",
    )


class ExternalIdOut(serializers.Serializer[Any]):
    """The new external id, in this answer and never again."""

    external_id = serializers.CharField()


class AwsWaitOut(serializers.Serializer[Any]):
    """Something that waits on a limit of AWS. `who` is empty for those who may not know."""

    region = serializers.CharField()
    operation = serializers.CharField()
    who = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField(help_text="Until it goes on.")
    since = serializers.DateTimeField()


class AwsRetireIn(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)
