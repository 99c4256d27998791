"""Holding a function for a change, and saying in whose account it may be."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from audit.models import ActionRefused
from aws.models import AwsAccount, LambdaFunction
from teams.models import Actor, Team, Verb


def locked_function(function: LambdaFunction, actor: Actor, *, leaving: bool = False) -> LambdaFunction:
    """The function under a row lock, for a change. `leaving`: one that is being deleted will do.

    Raises PermissionDenied, and ActionRefused for one that is gone, or whose account may not be used any more.
    """
    rows = LambdaFunction.objects.select_for_update(of=("self",)).select_related("team", "account")
    function = rows.get(pk=function.pk)
    actor.require(Verb.FUNCTION_EDIT, function.team)
    if function.state == LambdaFunction.State.GONE or (function.is_leaving and not leaving):
        words = _("%(function)s is deleted. Make it anew.") % {"function": function}
        raise ActionRefused(words, code="function_gone")
    if not leaving:
        require_use(function.account, function.team)
    return function


def require_use(account: AwsAccount, team: Team) -> None:
    """Raises ActionRefused unless `team` may use `account` now."""
    if account.state != AwsAccount.State.CONNECTED:
        words = _("%(account)s is not connected now. An administrator of the portal has to prove it.")
        raise ActionRefused(words % {"account": account}, code="aws_account_not_connected")
    if not account.admits(team):
        words = _("%(team)s may not use %(account)s. Ask an administrator of the portal.")
        raise ActionRefused(words % {"team": team, "account": account}, code="aws_account_not_admitted")
