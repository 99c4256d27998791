"""Tokens for the REST API. Nobody grants more than they hold: neither a scope nor a role."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.models import ActionRefused
from teams.actions.teams import person_of
from teams.models import Actor, ApiToken, Scope, ServiceAccount, Verb
from teams.permissions import may_grant
from teams.tokens import make_token

LONGEST = timedelta(days=366)
MOST_TOKENS = 50
"""Usable tokens of one bearer."""


@transaction.atomic
def create_token(
    *,
    actor: Actor,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime,
    service_account: ServiceAccount | None = None,
) -> tuple[ApiToken, str]:
    """A token of the actor, or of `service_account`, and its value: returned this once and kept nowhere.

    Raises ValidationError (unknown scope, expiry in the past or over a year away), PermissionDenied (a scope
    that the actor's own token lacks, a service account that the actor does not manage), ActionRefused.
    """
    wanted = sorted(set(scopes))
    _check_values(wanted, expires_at)
    _check_right(actor, wanted, service_account)
    made = make_token()
    token = ApiToken(
        user=None if service_account else person_of(actor),
        service_account=service_account,
        name=name.strip(),
        token_id=made.token_id,
        digest=made.digest,
        digest_key=made.digest_key,
        scopes=wanted,
        expires_at=expires_at,
    )
    _check_number(token)
    token.full_clean()
    token.save()
    record_event("token.created", token, actor=actor, after=_values(token))
    return token, made.value


@transaction.atomic
def revoke_token(token: ApiToken, *, actor: Actor, note: str = "") -> ApiToken:
    """End a token at once. Its bearer may, and whoever manages its service account; again is no error."""
    _check_may_revoke(token, actor)
    token = ApiToken.objects.select_for_update(of=("self",)).get(pk=token.pk)
    if token.revoked_at is not None:
        return token
    token.revoked_at = timezone.now()
    token.save()
    record_event("token.revoked", token, actor=actor, before=_values(token), note=note)
    return token


def _check_values(scopes: list[str], expires_at: datetime) -> None:
    unknown = [scope for scope in scopes if scope not in Scope]
    if unknown or not scopes:
        raise ValidationError(
            {"scopes": _("Choose at least one of: %(scopes)s.") % {"scopes": ", ".join(Scope)}}
        )
    if not timezone.now() < expires_at <= timezone.now() + LONGEST:
        raise ValidationError({"expires_at": _("Choose a time from now to one year ahead.")})


def _check_right(actor: Actor, scopes: list[str], account: ServiceAccount | None) -> None:
    """Over REST the token in use must cover the deed and each scope; accounts need their team's owner."""
    if actor.scopes is not None and Scope.TEAMS_WRITE not in actor.scopes:
        raise PermissionDenied(
            _("This token has no scope for this. Create one with the scope %(scope)s.")
            % {"scope": Scope.TEAMS_WRITE}
        )
    missing = [scope for scope in scopes if actor.scopes is not None and scope not in actor.scopes]
    if missing:
        raise PermissionDenied(
            _("A token can only pass on its own scopes; it lacks %(scopes)s.")
            % {"scopes": ", ".join(missing)}
        )
    if account is not None:
        check_manages(account, actor)
        if account.disabled_at is not None:
            raise ActionRefused(
                _("This service account is disabled for good. Create another one."), code="disabled"
            )


def check_manages(account: ServiceAccount, actor: Actor) -> None:
    """Raises PermissionDenied unless `actor` manages the account's team and holds at least the account's role."""
    actor.require(Verb.SERVICE_ACCOUNT_MANAGE, account.team_id)
    if not actor.is_system and not may_grant(actor.roles.get(account.team_id), account.role):
        raise PermissionDenied(_("This account holds a higher role than yours. Ask an owner of the team."))


def _check_may_revoke(token: ApiToken, actor: Actor) -> None:
    if token.service_account is not None:
        actor.require(Verb.SERVICE_ACCOUNT_MANAGE, token.service_account.team_id)
    elif not actor.is_system and token.user != actor.user:
        raise PermissionDenied(_("Only its bearer can revoke a personal token."))
    elif not actor.within_scope(Verb.TEAM_MANAGE):
        actor.require(Verb.TEAM_MANAGE)


def _check_number(token: ApiToken) -> None:
    usable = ApiToken.objects.filter(
        user=token.user,
        service_account=token.service_account,
        revoked_at=None,
        expires_at__gt=timezone.now(),
    ).count()
    if usable >= MOST_TOKENS:
        raise ActionRefused(
            _("There are %(n)s usable tokens already. Revoke one that is no longer needed, then repeat.")
            % {"n": usable},
            code="too_many",
        )


def _values(token: ApiToken) -> dict[str, object]:
    return {
        "name": token.name,
        "token_id": token.token_id,
        "scopes": list(token.scopes),
        "expires_at": token.expires_at.isoformat(),
        "service_account": token.service_account.public_id if token.service_account else "",
    }
