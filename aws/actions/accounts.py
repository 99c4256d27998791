"""AWS accounts: connected, changed, retired, by the platform's administrators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from audit.actions import record_event
from audit.models import ActionRefused
from aws.actions.cleaning import (
    clean_endpoint,
    clean_features,
    clean_number,
    clean_regions,
    clean_role,
    cleaned,
)
from aws.client.regions import partition_of
from aws.external_ids import forget_external_id, make_external_id, put_external_id
from aws.models import AccountProof, AwsAccount
from aws.policies.names import portal_role_arn
from teams.models import Actor, Team, Verb

SEALED = ["external_id_sealed"]


@dataclass(frozen=True, slots=True)
class AccountValues:
    """How an account is entered. `role_arn` empty: the role that the template makes, unless `ambient` says that the
    portal's own credentials are used. `endpoint_url`: of a simulated AWS, where the settings allow one.
    """

    number: str
    regions: Sequence[str]
    features: Sequence[str]
    role_arn: str = ""
    ambient: bool = False
    endpoint_url: str = ""


@sensitive_variables("external_id")
@transaction.atomic
def connect_account(
    *,
    actor: Actor,
    name: str,
    values: AccountValues,
    slug: str = "",
    is_for_all: bool = False,
    teams: Iterable[Team] = (),
) -> tuple[AwsAccount, str]:
    """A new account, not proven yet, and its external id, which is shown this once; "" where no role is assumed.

    Raises PermissionDenied, ValidationError.
    """
    actor.require(Verb.AWS_MANAGE)
    account = AwsAccount(
        slug=slug or slugify(name)[:48].strip("-_").replace("_", "-") or "aws",
        name=name,
        prefix=settings.AWS_PREFIX,
        is_for_all=is_for_all,
        **cleaned(
            number=(clean_number, values.number),
            regions=(clean_regions, values.regions),
            features=(clean_features, values.features),
            endpoint_url=(clean_endpoint, values.endpoint_url),
        ),
    )
    account.role_arn = "" if values.ambient else _role(account, values.role_arn)
    external_id = "" if values.ambient else make_external_id()
    if external_id:
        put_external_id(account, external_id)
    account.full_clean(exclude=SEALED)
    account.save()
    account.teams.set(teams)
    record_event("aws_account.created", account, actor=actor, after=_summary(account))
    return account, external_id


@transaction.atomic
def change_account(
    account: AwsAccount,
    *,
    actor: Actor,
    name: str | None = None,
    regions: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    role_arn: str | None = None,
    is_for_all: bool | None = None,
    teams: Iterable[Team] | None = None,
) -> AwsAccount:
    """Change what is given. Number, short name, prefix, and whether a role is assumed stay.

    What is switched on is not proven until somebody asks again; another role is a connection that has to be proven
    anew. Raises PermissionDenied, ValidationError, and ActionRefused for a retired one.
    """
    account = locked_account(account, actor)
    before = _summary(account)
    wanted = cleaned(
        regions=(clean_regions, account.regions if regions is None else regions),
        features=(clean_features, account.features if features is None else features),
    )
    account.regions, account.features = wanted["regions"], wanted["features"]
    account.name = account.name if name is None else name
    account.is_for_all = account.is_for_all if is_for_all is None else is_for_all
    if role_arn is not None and not account.is_ambient:
        account.role_arn = _role(account, role_arn)
    if account.role_arn != before["role_arn"]:
        account.state = AwsAccount.State.PENDING
    account.full_clean(exclude=SEALED)
    if teams is not None:
        account.teams.set(teams)
    if _summary(account) != before:
        account.save()
        record_event("aws_account.changed", account, actor=actor, before=before, after=_summary(account))
    return account


@sensitive_variables("external_id")
@transaction.atomic
def renew_external_id(account: AwsAccount, *, actor: Actor) -> str:
    """Another external id, which is shown this once. The portal cannot enter until the role's trust names it.

    Raises PermissionDenied, and ActionRefused for an account without a role, and for a retired one.
    """
    account = locked_account(account, actor)
    if account.is_ambient:
        raise ActionRefused(
            _("%(account)s is entered with the portal's own credentials. There is no external id to renew.")
            % {"account": account},
            code="no_external_id",
        )
    external_id = make_external_id()
    put_external_id(account, external_id)
    account.state = AwsAccount.State.PENDING
    account.save()
    record_event("aws_account.external_id_renewed", account, actor=actor, after={"state": account.state})
    return external_id


@transaction.atomic
def retire_account(account: AwsAccount, *, actor: Actor, note: str = "") -> AwsAccount:
    """End a connection for good and forget its external id. What the portal made there stays until somebody deletes it.

    Raises PermissionDenied, and ActionRefused for a retired one.
    """
    account = locked_account(account, actor)
    before = {"state": str(account.state)}
    account.move_to(AwsAccount.State.RETIRED)
    forget_external_id(account)
    account.retired_at = timezone.now()
    account.save()
    AccountProof.objects.unfinished().filter(account=account).update(
        state=AccountProof.State.BROKEN, finished_at=account.retired_at
    )
    after = {"state": str(account.state)}
    record_event("aws_account.retired", account, actor=actor, before=before, after=after, note=note)
    return account


def locked_account(account: AwsAccount, actor: Actor) -> AwsAccount:
    """The account under a row lock, for a change. Raises PermissionDenied, and ActionRefused for a retired one."""
    actor.require(Verb.AWS_MANAGE)
    account = AwsAccount.objects.select_for_update().get(pk=account.pk)
    if account.state == AwsAccount.State.RETIRED:
        raise ActionRefused(
            _("%(account)s is retired. Connect it anew.") % {"account": account}, code="aws_account_retired"
        )
    return account


def _role(account: AwsAccount, role_arn: str) -> str:
    """The role that was given, or that of the template. Raises ValidationError."""
    if role_arn.strip():
        return clean_role(role_arn, account.number)
    return portal_role_arn(account.prefix, account.number, partition_of(account.regions[0]))


def _summary(account: AwsAccount) -> dict[str, Any]:
    """What the audit trail keeps; none of it is secret."""
    slugs = account.teams.order_by("slug").values_list("slug", flat=True) if account.pk else ()
    return {
        "number": account.number,
        "name": account.name,
        "regions": list(account.regions),
        "features": list(account.features),
        "role_arn": account.role_arn,
        "endpoint_url": account.endpoint_url,
        "is_for_all": account.is_for_all,
        "teams": list(slugs),
    }
