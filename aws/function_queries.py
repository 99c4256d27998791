"""Reads about functions: what lists and pages show of them, and what one has to be warned of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from audit.sealing import SealBroken
from aws.environments import open_environment
from aws.models import AwsAccount, FunctionAlias, FunctionPush, FunctionVersion, LambdaFunction
from aws.pushes.runtimes import RUNTIMES
from teams.models import Team, Verb

if TYPE_CHECKING:
    from teams.models import Actor

LAST_PUSHES = 8
OPEN_POLICIES = {
    "anybody": _lazy("lets anybody call the function"),
    "service": _lazy("lets a service call it for whoever uses that service, in any account"),
    "actions": _lazy("allows every action on it"),
}


@dataclass(frozen=True, slots=True)
class Warned:
    """Something to look at: tone of the note, and a sentence that says what to do."""

    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Share:
    """A version that an alias stands for, and its part of a hundred calls."""

    version: FunctionVersion
    percent: int


def with_pushes(functions: QuerySet[LambdaFunction]) -> QuerySet[LambdaFunction]:
    """With team and account, the newest push for `last_push`, and the number of versions in AWS as `published`."""
    newest = FunctionPush.objects.order_by("function_id", "-id").distinct("function_id")
    published = Count("versions", filter=Q(versions__state=FunctionVersion.State.PUBLISHED))
    return (
        functions.select_related("team", "account")
        .annotate(published=published)
        .prefetch_related(Prefetch[Any]("pushes", newest, to_attr="newest_pushes"))
    )


def last_push(function: LambdaFunction) -> FunctionPush | None:
    """The newest push of a function from `with_pushes`."""
    found: list[FunctionPush] = function.newest_pushes  # type: ignore[attr-defined]
    return found[0] if found else None


def editing_teams(actor: Actor) -> QuerySet[Team]:
    """Teams in which the actor may make functions."""
    teams = Team.objects.order_by("name")
    return (
        teams
        if actor.everywhere(Verb.FUNCTION_EDIT)
        else teams.filter(pk__in=actor.team_ids(Verb.FUNCTION_EDIT))
    )


def usable_accounts(teams: QuerySet[Team]) -> QuerySet[AwsAccount]:
    """Accounts that one of `teams` may make functions in now."""
    found = AwsAccount.objects.filter(state=AwsAccount.State.CONNECTED, features__contains=["functions"])
    return found.filter(Q(is_for_all=True) | Q(teams__in=teams)).distinct().order_by("name")


def may_edit(actor: Actor, function: LambdaFunction) -> bool:
    """Whether the actor may change the function as it stands."""
    return actor.may(Verb.FUNCTION_EDIT, function.team) and not function.is_leaving


def shown_versions(function: LambdaFunction) -> QuerySet[FunctionVersion]:
    """The newest first."""
    return function.versions.select_related("same_as").order_by("-pk")


def shown_aliases(function: LambdaFunction) -> list[FunctionAlias]:
    """Those that shall be there, with their versions."""
    rows = function.aliases.current().select_related("version", "second", "previous")
    return list(rows.order_by("name"))


def shares_of(alias: FunctionAlias) -> list[Share]:
    """One or two versions, whose parts make a hundred."""
    if alias.second is None or alias.weight is None:
        return [Share(alias.version, 100)]
    return [Share(alias.version, 100 - alias.weight), Share(alias.second, alias.weight)]


def warnings_of(function: LambdaFunction, today: date | None = None) -> list[Warned]:
    """What somebody should look at, the worst first."""
    found = [
        *_of_runtime(function, today or timezone.now().date()),
        *_of_policies(function),
        *_of_rights(function),
    ]
    return sorted(found, key=lambda one: one.tone != "fail")


def _of_runtime(function: LambdaFunction, today: date) -> Iterator[Warned]:
    runtime = RUNTIMES.get(function.runtime)
    if runtime is None or not (runtime.has_ended(today) or runtime.ends_soon(today)):
        return
    names = {"runtime": runtime.label, "date": runtime.ends.isoformat()}
    if runtime.has_ended(today):
        words = _(
            "AWS gives %(runtime)s no security updates since %(date)s, and stops taking changes of such functions. Move"
            " to a newer runtime."
        )
        yield Warned("fail", words % names)
    else:
        words = _("AWS ends its support of %(runtime)s on %(date)s. Plan for a newer runtime.")
        yield Warned("hold", words % names)


def _of_policies(function: LambdaFunction) -> Iterator[Warned]:
    for one in function.seen.get("open_policies", ()):
        where = one["qualifier"] or _("the function itself")
        words = _(
            "The permission “%(sid)s” of %(where)s %(why)s. Name the caller in its condition, or remove it."
        )
        names = {"sid": one["sid"] or _("without a name"), "where": where, "why": OPEN_POLICIES[one["why"]]}
        yield Warned("fail" if one["why"] == "anybody" else "hold", words % names)


def _of_rights(function: LambdaFunction) -> Iterator[Warned]:
    for words in function.seen.get("unread", ()):
        yield Warned("hold", words)


def broken_environments() -> Iterator[str]:
    """A sentence for each function whose sealed environment does not open."""
    for function in LambdaFunction.objects.exclude(environment_sealed=b"").order_by("pk"):
        try:
            open_environment(function)
        except SealBroken as error:
            yield f"Lambda function {function.slug}: {error}"
