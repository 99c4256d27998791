"""Every write of this app, split by noun."""

from teams.actions.approver_groups import change_approver_group, create_approver_group
from teams.actions.members import (
    accept_invitation,
    change_role,
    invite_member,
    may_give,
    remove_member,
    revoke_invitation,
)
from teams.actions.notices import mark_notices_read, notify
from teams.actions.people import (
    anonymise_user,
    change_platform_roles,
    change_profile,
    disable_user,
    enable_user,
    install_administrator,
    sign_up,
)
from teams.actions.service_accounts import (
    change_service_account,
    create_service_account,
    disable_service_account,
)
from teams.actions.teams import change_team, create_personal_team, create_team
from teams.actions.tokens import create_token, revoke_token

__all__ = [
    "accept_invitation",
    "anonymise_user",
    "change_approver_group",
    "change_platform_roles",
    "change_profile",
    "change_role",
    "change_service_account",
    "change_team",
    "create_approver_group",
    "create_personal_team",
    "create_service_account",
    "create_team",
    "create_token",
    "disable_service_account",
    "disable_user",
    "enable_user",
    "install_administrator",
    "invite_member",
    "mark_notices_read",
    "may_give",
    "notify",
    "remove_member",
    "revoke_invitation",
    "revoke_token",
    "sign_up",
]
