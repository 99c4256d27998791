"""Programs that act for a team. Nobody gives one a role above their own."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.models import ActionRefused
from teams.actions.members import check_holds
from teams.actions.people import forget_answers
from teams.models import Actor, ServiceAccount, Team, TeamRole, Verb


@transaction.atomic
def create_service_account(
    team: Team, *, actor: Actor, name: str, role: str = TeamRole.DEVELOPER
) -> ServiceAccount:
    """A program of `team` with at most the actor's own role. Give it a token with `create_token`."""
    actor.require(Verb.SERVICE_ACCOUNT_MANAGE, team)
    check_holds(team, role, actor)
    account = ServiceAccount(team=team, name=name.strip(), role=role)
    account.full_clean()
    account.save()
    record_event("service_account.created", account, actor=actor, after=_values(account))
    return account


@transaction.atomic
def change_service_account(
    account: ServiceAccount, *, actor: Actor, name: str | None = None, role: str | None = None
) -> ServiceAccount:
    """Another name or role, felt by its next request. None leaves as is."""
    account = _open(account, actor)
    before = _values(account)
    account.name = account.name if name is None else name.strip()
    if role is not None:
        check_holds(account.team, role, actor)
        account.role = role
    account.full_clean()
    account.save()
    forget_answers(account.public_id)
    record_event("service_account.changed", account, actor=actor, before=before, after=_values(account))
    return account


@transaction.atomic
def disable_service_account(account: ServiceAccount, *, actor: Actor, note: str = "") -> ServiceAccount:
    """End a service account for good, with all its tokens; its history stays."""
    account = _open(account, actor)
    now = timezone.now()
    for token in account.api_tokens.filter(revoked_at=None):
        token.revoked_at = now
        token.save()
    account.disabled_at = now
    account.save()
    forget_answers(account.public_id)
    record_event("service_account.disabled", account, actor=actor, before=_values(account), note=note)
    return account


def _open(account: ServiceAccount, actor: Actor) -> ServiceAccount:
    """The locked row, if the actor manages it and it is not disabled."""
    actor.require(Verb.SERVICE_ACCOUNT_MANAGE, account.team_id)
    account = ServiceAccount.objects.select_for_update(of=("self",)).select_related("team").get(pk=account.pk)
    check_holds(account.team, account.role, actor)
    if account.disabled_at is not None:
        raise ActionRefused(_("This service account is disabled. Create another one."), code="disabled")
    return account


def _values(account: ServiceAccount) -> dict[str, str]:
    return {"name": account.name, "role": account.role}
