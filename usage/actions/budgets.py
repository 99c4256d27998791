"""Telling people how far their budgets are used."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from subscriptions.models import Budget
from teams.actions import notify
from teams.models import SYSTEM, Team, User, Verb
from teams.permissions import TEAM_TABLE
from teams.queries import people_of
from usage.budgets import Standing, period_of, standings

SHARES = (100, 80)
"""At so many of a hundred people are told, once in a period."""


def warn_of_budgets() -> int:
    """Tell of each budget that has reached a share it was not told of; the number told of."""
    rows = Budget.objects.standing().told().order_by("pk")
    return sum(_warn(standing) for standing in standings(rows))


@transaction.atomic
def _warn(standing: Standing) -> bool:
    share = next((share for share in SHARES if standing.spent * 100 >= standing.budget.limit * share), 0)
    if not share:
        return False
    budget = Budget.objects.select_for_update(of=("self",), no_key=True).told().get(pk=standing.budget.pk)
    period = period_of(budget, timezone.now())
    if budget.told_period == period and budget.told_share >= share:
        return False
    Budget.objects.filter(pk=budget.pk).update(told_period=period, told_share=share)
    _tell(budget, standing, share)
    after = {"share": share, "spent": standing.spent, "limit": budget.limit, "period": period.isoformat()}
    record_event("budget.reached", budget, actor=SYSTEM, after=after)
    return True


def _tell(budget: Budget, standing: Standing, share: int) -> None:
    words = {"budget": budget.name, "share": share, "end": f"{standing.ends:%Y-%m-%d %H:%M}"}
    if share < 100:
        title = _("%(budget)s is used to %(share)s %%") % words
        body = _("Its next period begins at %(end)s UTC.") % words
    elif budget.hard:
        title = _("%(budget)s is used up") % words
        body = (
            _("Calls that count in it are refused with 402 until %(end)s UTC, or until it is raised.") % words
        )
    else:
        title = _("%(budget)s is used up") % words
        body = _("It is soft: calls go on. Its next period begins at %(end)s UTC.") % words
    people = {person.pk: person for person in _people(budget)}
    notify(list(people.values()), name="budget.reached", title=title[:200], body=body, path=_path(budget))


def _people(budget: Budget) -> Iterable[User]:
    """The owners of the team that set it, and of those whose calls count in it."""
    for team in {team for team in (budget.team, consumer_of(budget)) if team is not None}:
        yield from people_of(team.pk, TEAM_TABLE[Verb.BUDGET_MANAGE])


def consumer_of(budget: Budget) -> Team | None:
    """The team whose calls count in it, where it is one."""
    if budget.of_team is not None:
        return budget.of_team
    if budget.of_application is not None:
        return budget.of_application.team
    return budget.of_subscription.application.team if budget.of_subscription is not None else None


def _path(budget: Budget) -> str:
    return reverse("budget", args=[budget.public_id])
