"""Making and changing teams."""

from __future__ import annotations

import secrets

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from audit.actions import record_event
from teams.models import Actor, Membership, Team, TeamRole, User, Verb

RESERVED_SLUGS = frozenset(
    {"new", "roles", "invitations", "admin", "api", "agent", "static", "gatehouse", "healthz"}
)
"""Words that addresses of the portal or of a gateway use themselves."""
SLUG_LENGTH = 40


@transaction.atomic
def create_team(*, actor: Actor, name: str, slug: str = "", description: str = "") -> Team:
    """A team that `actor` owns. Raises ValidationError, PermissionDenied for one who is no person."""
    user = person_of(actor)
    if not actor.within_scope(Verb.TEAM_MANAGE):
        actor.require(Verb.TEAM_MANAGE)
    team = Team(name=name.strip(), slug=slug or slugify(name)[:SLUG_LENGTH], description=description.strip())
    _check(team)
    team.save()
    Membership.objects.create(team=team, user=user, role=TeamRole.OWNER)
    record_event("team.created", team, actor=actor, after=_values(team))
    return team


@transaction.atomic
def change_team(team: Team, *, actor: Actor, name: str | None = None, description: str | None = None) -> Team:
    """Change name or description; the short name stays, since gateways' paths carry it. None leaves as is."""
    actor.require(Verb.TEAM_MANAGE, team)
    team = Team.objects.select_for_update().get(pk=team.pk)
    before = _values(team)
    team.name = team.name if name is None else name.strip()
    team.description = team.description if description is None else description.strip()
    _check(team)
    team.save()
    record_event("team.changed", team, actor=actor, before=before, after=_values(team))
    return team


@transaction.atomic
def create_personal_team(user: User, *, actor: Actor) -> Team:
    """The personal team of a person who just signed up; the one there is when there is one already."""
    existing = Team.objects.filter(personal_of=user).first()
    if existing is not None:
        return existing
    team = _save_under_free_slug(user)
    Membership.objects.create(team=team, user=user, role=TeamRole.OWNER)
    record_event("team.created", team, actor=actor, after=_values(team))
    return team


def person_of(actor: Actor) -> User:
    """The user behind `actor`. Raises PermissionDenied for service accounts, the system and nobody."""
    if actor.user is None:
        raise PermissionDenied(_("Only a person can do this. Sign in, or use a personal token."))
    return actor.user


def _save_under_free_slug(user: User) -> Team:
    """Two people called alike may sign up in the same moment: the constraint decides, the loser tries again."""
    wanted = slugify(user.name or user.email.partition("@")[0])[:SLUG_LENGTH].strip("-_") or "person"
    wanted = wanted.replace("_", "-")
    for candidate in _candidates(wanted):
        try:
            with transaction.atomic():
                return Team.objects.create(name=str(user)[:120], slug=candidate, personal_of=user)
        except IntegrityError:
            continue
    raise RuntimeError("no free short name in 20 random ones")


def _candidates(wanted: str) -> list[str]:
    """`wanted`, then numbered ones, then random ones; those known to be taken are left out."""
    numbered = [wanted] * (wanted not in RESERVED_SLUGS) + [f"{wanted}-{n}" for n in range(2, 12)]
    taken = set(Team.objects.filter(slug__in=numbered).values_list("slug", flat=True))
    return [slug for slug in numbered if slug not in taken] + [
        f"{wanted}-{secrets.token_hex(3)}" for _n in range(20)
    ]


def _check(team: Team) -> None:
    if team.slug in RESERVED_SLUGS:
        raise ValidationError({"slug": _("Gatehouse uses this word itself. Choose another short name.")})
    team.full_clean()


def _values(team: Team) -> dict[str, str]:
    return {"slug": team.slug, "name": team.name, "description": team.description}
