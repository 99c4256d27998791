"""Every write of this app, split by noun."""

from teams.actions.notices import mark_notices_read, notify
from teams.actions.people import (
    anonymise_user,
    change_platform_roles,
    change_profile,
    disable_user,
    enable_user,
    sign_up,
)
from teams.actions.teams import change_team, create_personal_team, create_team
from teams.actions.tokens import create_token, revoke_token

__all__ = [
    "anonymise_user",
    "change_platform_roles",
    "change_profile",
    "change_team",
    "create_personal_team",
    "create_team",
    "create_token",
    "disable_user",
    "enable_user",
    "mark_notices_read",
    "notify",
    "revoke_token",
    "sign_up",
]
