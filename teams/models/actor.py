"""Who acts, and what that allows: a value made once per request, handed to every action and query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from audit.models import ActorKind
from teams.permissions import PLATFORM_TABLE, SCOPE_OF, TEAM_TABLE, Verb

if TYPE_CHECKING:
    from teams.models.team import ServiceAccount, Team
    from teams.models.user import User


@dataclass(frozen=True, slots=True)
class Actor:
    """A user, a service account, the system, or nobody signed in.

    `roles` maps the primary key of a team to the role held in it; `scopes` is None where no token limits
    the actor. Build one with `teams.queries.actor_of_user` or `actor_of_token`.
    """

    kind: ActorKind
    public_id: str
    label: str
    roles: Mapping[int, str] = field(default_factory=dict)
    platform_roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    user: User | None = None
    service_account: ServiceAccount | None = None

    @property
    def is_signed_in(self) -> bool:
        return self.kind in (ActorKind.USER, ActorKind.SERVICE)

    @property
    def is_system(self) -> bool:
        return self.kind == ActorKind.SYSTEM

    def within_scope(self, verb: Verb) -> bool:
        """Whether the token in use covers `verb`; always so without a token."""
        return self.scopes is None or SCOPE_OF[verb] in self.scopes

    def everywhere(self, verb: Verb) -> bool:
        """Whether a platform role allows `verb` on every team's objects."""
        if self.is_system:
            return True
        return self.within_scope(verb) and bool(PLATFORM_TABLE[verb] & self.platform_roles)

    def team_ids(self, verb: Verb) -> set[int]:
        """Primary keys of the teams in which a team role allows `verb`."""
        if not self.within_scope(verb):
            return set()
        return {team for team, role in self.roles.items() if role in TEAM_TABLE[verb]}

    def may(self, verb: Verb, team: Team | int | None = None) -> bool:
        """Whether `verb` is allowed on the objects of `team`; without a team: by platform role, or in any team."""
        if self.everywhere(verb):
            return True
        allowed = self.team_ids(verb)
        if team is None:
            return bool(allowed)
        return (team if isinstance(team, int) else team.pk) in allowed

    def require(self, verb: Verb, team: Team | int | None = None) -> None:
        """Raise PermissionDenied, naming who may, unless `may(verb, team)`."""
        if self.may(verb, team):
            return
        if not self.within_scope(verb):
            raise PermissionDenied(
                _("This token has no scope for this. Create one with the scope %(scope)s.")
                % {"scope": SCOPE_OF[verb]}
            )
        holders = sorted(TEAM_TABLE[verb] | PLATFORM_TABLE[verb])
        raise PermissionDenied(
            _("Your role does not allow this (%(verb)s). Ask one of: %(roles)s.")
            % {"verb": verb, "roles": ", ".join(holders)}
        )


SYSTEM = Actor(ActorKind.SYSTEM, "", "Gatehouse")
ANONYMOUS = Actor(ActorKind.ANONYMOUS, "", "signed out")
