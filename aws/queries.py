"""Reads about AWS accounts, cut to what the reader may know of other teams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from audit.sealing import SealBroken
from aws.connections import waiting_in
from aws.external_ids import open_external_id
from aws.models import AccountProof, AwsAccount, Feature
from aws.policies.template import Wanted, policies
from teams.models import Team, Verb

if TYPE_CHECKING:
    from teams.models import Actor

TIGHT, FULL = 0.75, 0.9


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that waits on a limit of AWS. `who` is empty for those who may not know of other teams' things."""

    region: str
    operation: str
    who: str
    seconds: float
    since: datetime


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """A quota as pages show it; `tone` by how near its end is."""

    region: str
    label: str
    used: int
    limit: int | None
    raisable: bool
    unit: str
    tone: str


def with_teams_and_proof(accounts: QuerySet[AwsAccount]) -> QuerySet[AwsAccount]:
    """With teams, and the newest look of each account for `last_proof`."""
    newest = AccountProof.objects.order_by("account_id", "-id").distinct("account_id")
    return accounts.prefetch_related(
        Prefetch[Any]("teams", Team.objects.order_by("name")),
        Prefetch[Any]("proofs", newest, to_attr="newest_proofs"),
    )


def last_proof(account: AwsAccount) -> AccountProof | None:
    """The newest look at an account from `with_teams_and_proof`."""
    found: list[AccountProof] = account.newest_proofs  # type: ignore[attr-defined]
    return found[0] if found else None


def unproven(account: AwsAccount, proof: AccountProof | None) -> list[str]:
    """Regions, and names of features, that were switched on since `proof` was made: the stack may not know them."""
    if proof is None:
        return []
    regions = [region for region in account.regions if region not in proof.regions]
    return [*regions, *(str(Feature(name).label) for name in account.features if name not in proof.features)]


def shown_teams(account: AwsAccount, actor: Actor) -> list[Team]:
    """The teams that may use it, as far as the reader may know of them."""
    teams = list(account.teams.all())
    if actor.everywhere(Verb.AWS_VIEW):
        return teams
    own = actor.team_ids(Verb.AWS_VIEW)
    return [team for team in teams if team.pk in own]


def quota_rows(proof: AccountProof | None) -> list[QuotaRow]:
    """The quotas of a look, the fullest first."""
    rows = [_quota_row(plain) for plain in (proof.quotas if proof else [])]
    return sorted(rows, key=lambda row: -(row.used / row.limit if row.limit else -1))


def _quota_row(plain: dict[str, Any]) -> QuotaRow:
    used, limit = plain["used"], plain["limit"]
    share = used / limit if limit else 0.0
    tone = "fail" if share >= FULL else "hold" if share >= TIGHT else "accent"
    return QuotaRow(plain["region"], plain["label"], used, limit, plain["raisable"], plain["unit"], tone)


def waits_of(account: AwsAccount, actor: Actor) -> list[Wait]:
    """What waits on which limit of AWS, and for how long yet. Raises aws.client.errors.MustWait when Redis is away."""
    knows = actor.everywhere(Verb.AWS_VIEW)
    return [
        Wait(
            region,
            one.operation,
            one.who if knows else "",
            one.seconds,
            datetime.fromtimestamp(one.since, UTC),
        )
        for region, one in waiting_in(account)
        if one.since <= timezone.now().timestamp() + 1
    ]


def wanted_by(account: AwsAccount) -> Wanted:
    """What the template of the account is made for."""
    return Wanted(
        prefix=account.prefix,
        regions=tuple(account.regions),
        features=tuple(account.features),
        principal=settings.AWS_PRINCIPAL,
        ambient=account.is_ambient,
        simulated=account.is_simulated,
    )


def rights_of(account: AwsAccount) -> list[tuple[str, list[str], bool]]:
    """Each policy of the template by name, with its actions, and whether it denies them."""
    return [
        (name, sorted({action for one in statements for action in _listed(one["Action"])}), name == "never")
        for name, statements in policies(wanted_by(account))
    ]


def _listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def broken_external_ids() -> Iterator[str]:
    """A sentence for each account whose sealed external id does not open."""
    for account in AwsAccount.objects.exclude(external_id_sealed=b"").order_by("pk"):
        try:
            open_external_id(account)
        except SealBroken as error:
            yield f"AWS account {account.slug}: {error}"
