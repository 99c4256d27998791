"""People, teams, and how they act."""

from teams.models.actor import ANONYMOUS, SYSTEM, Actor
from teams.models.idempotency import IdempotentAnswer
from teams.models.notice import Notice
from teams.models.team import (
    ApproverGroup,
    Invitation,
    Membership,
    ServiceAccount,
    Team,
    TeamQuerySet,
    TeamRole,
)
from teams.models.token import ApiToken
from teams.models.user import PlatformRole, User, fold
from teams.permissions import Scope, Verb

__all__ = [
    "ANONYMOUS",
    "SYSTEM",
    "Actor",
    "ApiToken",
    "ApproverGroup",
    "IdempotentAnswer",
    "Invitation",
    "Membership",
    "Notice",
    "PlatformRole",
    "Scope",
    "ServiceAccount",
    "Team",
    "TeamQuerySet",
    "TeamRole",
    "User",
    "Verb",
    "fold",
]
