"""Plain functions that make one AWS account or proof each, as the actions leave it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from aws.actions import AccountValues, connect_account
from aws.models import AccountProof, AwsAccount, FunctionAlias, FunctionCode, FunctionPush, FunctionVersion
from aws.models import LambdaFunction as Function
from teams.models import SYSTEM, Team

_numbers = itertools.count(111_122_223_333)

ARN = "arn:aws:sts::{number}:assumed-role/gatehouse-portal/gatehouse-connect"
FEATURES = ("rest", "http", "functions", "roles", "usage")


def make_account(
    slug: str = "cloud",
    *,
    name: str = "",
    state: str = AwsAccount.State.CONNECTED,
    teams: Iterable[Team] = (),
    is_for_all: bool = False,
    **entered: Any,
) -> AwsAccount:
    """An account that was proven, unless `state` says otherwise."""
    values = {
        "number": str(next(_numbers)),
        "regions": ["eu-central-1"],
        "features": list(FEATURES),
        **entered,
    }
    account, _external_id = connect_account(
        actor=SYSTEM,
        slug=slug,
        name=name or slug.capitalize(),
        values=AccountValues(**values),
        teams=teams,
        is_for_all=is_for_all,
    )
    account.state = state
    account.save()
    return account


def make_proof(account: AwsAccount, state: str = AccountProof.State.PROVEN, **fields: Any) -> AccountProof:
    """A look at the account that is over, unless `state` says otherwise."""
    arn = ARN.format(number=account.number)
    values = {
        "findings": [
            {"check": "identity", "outcome": "good", "words": f"The portal works as {arn}."},
            {
                "check": "external_id",
                "outcome": "good",
                "words": "AWS refuses the role without the external id.",
            },
            *(
                {"check": region, "outcome": "good", "words": f"{region} answers."}
                for region in account.regions
            ),
        ],
        "quotas": [
            quota("api_keys", "API keys", 7_600, 10_000),
            quota("regional_apis", "Regional REST APIs", 12, 600),
        ],
        "regions": account.regions,
        "features": account.features,
        "identity": arn,
        "asked_by": "Ada",
        **fields,
    }
    proof = AccountProof(account=account, state=state, **values)
    proof.finished_at = timezone.now() if proof.is_over else None
    proof.save()
    return proof


def quota(name: str, label: str, used: int, limit: int | None, **others: Any) -> dict[str, Any]:
    """One row of `AccountProof.quotas`."""
    row = {"region": "eu-central-1", "name": name, "label": label, "used": used, "limit": limit}
    return {**row, "raisable": False, "unit": "", **others}


IMAGE = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/orders:1"


def make_function(team: Team, account: AwsAccount, name: str = "Orders", **fields: Any) -> Function:
    """A function from a zip that is in AWS."""
    slug = name.lower().replace(" ", "-")
    values = {
        "region": account.regions[0],
        "slug": slug,
        "remote_name": f"gatehouse-{team.slug}-{slug}",
        "state": Function.State.ACTIVE,
        "runtime": "python3.13",
        "handler": "app.handler",
        "seen_at": timezone.now(),
        **fields,
    }
    function: Function = Function.objects.create(team=team, account=account, name=name, **values)
    image = IMAGE if function.is_image else ""
    FunctionCode.objects.create(
        function=function, image_uri=image, sha256="c2hhMjU2", size=0 if image else 2_400, handed_in_by="Ada"
    )
    make_push(function)
    return function


def make_push(function: Function, state: str = FunctionPush.State.SUCCEEDED, **fields: Any) -> FunctionPush:
    """A push with one step."""
    values = {"reasons": [{"what": "create", "by": "Ada"}], "began_at": timezone.now(), **fields}
    push = FunctionPush(function=function, state=state, **values)
    push.finished_at = timezone.now() if push.is_over else None
    push.save()
    push.steps.create(
        position=1,
        name="make_function",
        operation="lambda:CreateFunction",
        detail=function.remote_name,
        state="done",
        request_id="11112222-3333-4444-5555-666677778888",
        started_at=timezone.now(),
        finished_at=timezone.now(),
    )
    return push


def make_version(function: Function, number: int, **fields: Any) -> FunctionVersion:
    """A version that is in AWS."""
    values = {"author": "Ada", "sha256": "c2hhMjU2", "published_at": timezone.now(), **fields}
    return FunctionVersion.objects.create(
        function=function, number=number, state=FunctionVersion.State.PUBLISHED, **values
    )


def make_alias(version: FunctionVersion, name: str = "live", **fields: Any) -> FunctionAlias:
    """A name for a version."""
    return FunctionAlias.objects.create(function=version.function, version=version, name=name, **fields)
