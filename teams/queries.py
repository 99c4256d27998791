"""Reads that span people and teams."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.models import ActorKind, AuditEvent
from audit.sealing import current_key
from teams.models import ANONYMOUS, Actor, ApiToken, Invitation, Notice, Team, TeamRole, User, Verb, fold
from teams.tokens import token_id_of, token_matches


def actor_of_user(user: User | AnonymousUser | None, *, scopes: frozenset[str] | None = None) -> Actor:
    """The Actor of a signed-in `user`; ANONYMOUS for None, a signed-out or an inactive one."""
    if user is None or not user.is_authenticated or not user.is_active:
        return ANONYMOUS
    roles = dict(user.memberships.values_list("team_id", "role"))
    return Actor(
        ActorKind.USER,
        user.public_id,
        str(user),
        roles,
        frozenset(user.platform_roles),
        scopes=scopes,
        user=user,
    )


def actor_of_token(token: ApiToken) -> Actor:
    """The Actor behind a usable token; ANONYMOUS when its bearer is disabled."""
    scopes = frozenset(token.scopes)
    if token.user is not None:
        return actor_of_user(token.user, scopes=scopes)
    account = token.service_account
    if account is None or account.disabled_at is not None:
        return ANONYMOUS
    return Actor(
        ActorKind.SERVICE,
        account.public_id,
        f"{account.name} ({account.team.name})",
        {account.team_id: account.role},
        scopes=scopes,
        service_account=account,
    )


def find_token(value: str) -> ApiToken | None:
    """The usable token whose whole value is `value`.

    The look-up is by the public id inside; an unknown id costs the same comparison as a wrong secret.
    """
    token_id = token_id_of(value)
    if token_id is None:
        return None
    token = (
        ApiToken.objects.select_related("user", "service_account__team")
        .filter(token_id=token_id, revoked_at=None, expires_at__gt=timezone.now())
        .first()
    )
    known = token_matches(
        value, digest=token.digest if token else b"", digest_key=token.digest_key if token else current_key()
    )
    return token if token is not None and known else None


def people_of(team_id: int, roles: frozenset[str] = frozenset(TeamRole.values)) -> list[User]:
    """Active people who hold one of `roles` in the team, to be told something."""
    return list(
        User.objects.filter(
            memberships__team_id=team_id, memberships__role__in=roles, is_active=True
        ).distinct()
    )


def colleagues_of(actor: Actor) -> QuerySet[User]:
    """Active people whom `actor` may know of: those who share a team; everybody for a platform administrator."""
    people = User.objects.filter(is_active=True).order_by("email")
    if actor.everywhere(Verb.TEAM_MANAGE):
        return people
    return people.filter(memberships__team_id__in=list(actor.roles)).distinct()


def lacks_second_factor(actor: Actor) -> bool:
    """Whether a person at the pages may not decide for want of a second factor, where it is demanded.

    Who has one is asked for it at each sign-in. Tokens are not concerned: they are no sign-in.
    """
    if not settings.REQUIRE_SECOND_FACTOR_TO_DECIDE or actor.user is None or actor.scopes is not None:
        return False
    factors = Authenticator.objects.filter(user=actor.user)
    return not factors.exclude(type=Authenticator.Type.RECOVERY_CODES).exists()


def unread_count(user: User) -> int:
    """Notices that `user` has not read, for the navigation."""
    return Notice.objects.filter(user=user, read_at=None).count()


def open_invitations_of(user: User) -> QuerySet[Invitation]:
    """Invitations that `user` can accept now, by a confirmed address."""
    addresses = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    return (
        Invitation.objects.open()
        .filter(
            email__in=[fold(address) for address in addresses],
        )
        .select_related("team", "invited_by")
    )


def visible_events(actor: Actor) -> QuerySet[AuditEvent]:
    """The part of the audit trail that `actor` may read: all of it by platform role, else of the teams owned."""
    events = AuditEvent.objects.all()
    if actor.everywhere(Verb.AUDIT_VIEW):
        return events
    own = Team.objects.filter(pk__in=actor.team_ids(Verb.AUDIT_VIEW)).values_list("public_id", flat=True)
    return events.filter(team_id__in=list(own))


def team_id_called(name: str) -> str:
    """The public id of the team with this short name or id; what was given when there is none (it finds nothing)."""
    found = Team.objects.filter(Q(slug=name) | Q(public_id=name)).values_list("public_id", flat=True)
    return found.first() or name
