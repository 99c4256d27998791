"""What an actor may set a budget for, and how it is named in forms and over REST."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from ai.models import AiModel
from apis.models import ApiVersion, Environment, Revision
from apis.models.upstream import AI_KINDS
from subscriptions.models import Application, Budget, BudgetTarget, Endpoint, Subscription
from teams.models import Actor, Team, Verb

MOST_CHOICES = 200
"""Of each sort. What is not among them has a link on its own page."""

type Choice = tuple[str, str]


def find_target(actor: Actor, scope: str, name: str, environment: str = "") -> BudgetTarget | None:
    """What `name` (a public id) and, of an endpoint, `environment` (a short name) stand for; None where the actor
    sees no such thing."""
    match scope:
        case Budget.Scope.TEAM:
            return Team.objects.visible_to(actor).filter(public_id=name).first()
        case Budget.Scope.APPLICATION:
            return _applications(actor).filter(public_id=name).first()
        case Budget.Scope.SUBSCRIPTION:
            return _told(Subscription.objects.visible_to(actor)).filter(public_id=name).first()
        case Budget.Scope.MODEL:
            return _models(actor).filter(public_id=name).first()
        case Budget.Scope.ENDPOINT:
            version = ApiVersion.objects.visible_to(actor).select_related("api__team").filter(public_id=name)
            place = Environment.objects.filter(slug=environment).first()
            found = version.first()
            return Endpoint(found, place) if found and place else None
    return None


def uses_ai(target: BudgetTarget) -> bool:
    """Whether calls of `target` can cost tokens at all."""
    match target:
        case Application():
            return _of_ai(target.subscriptions.open()).exists()
        case Subscription():
            return _of_ai(Subscription.objects.filter(pk=target.pk)).exists()
    return True


def read_value(actor: Actor, value: str) -> BudgetTarget | None:
    """What a choice of `choices_for` stands for."""
    scope, _colon, name = value.partition(":")
    name, _at, environment = name.partition("@")
    return find_target(actor, scope, name, environment)


def value_of(target: BudgetTarget) -> str:
    """`target` as a choice."""
    match target:
        case Team():
            return f"team:{target.public_id}"
        case Application():
            return f"application:{target.public_id}"
        case Subscription():
            return f"subscription:{target.public_id}"
        case Endpoint():
            return f"endpoint:{target.version.public_id}@{target.environment.slug}"
        case AiModel():
            return f"model:{target.public_id}"


def words_of(target: BudgetTarget) -> str:
    """`target` for people, within its sort."""
    match target:
        case Application():
            return f"{target.team} / {target.name}"
        case Endpoint():
            return _("%(version)s in %(environment)s") % {
                "version": target.version,
                "environment": target.environment,
            }
        case _:
            return str(target)


def choices_for(actor: Actor, also: BudgetTarget | None = None) -> list[tuple[str, list[Choice]]]:
    """The sorts with what the actor may set a budget for in each; `also` is among them however many there are."""
    own = actor.team_ids(Verb.BUDGET_MANAGE)
    everywhere = actor.everywhere(Verb.BUDGET_MANAGE)
    teams = Team.objects.all() if everywhere else Team.objects.filter(pk__in=own)
    applications = _applications(actor)
    subscriptions = _ai_subscriptions(actor)
    versions = _ai_versions()
    models = _models(actor)
    if not everywhere:
        applications = applications.filter(team__in=own)
        versions = versions.filter(api__team__in=own)
        models = models.filter(provider__team__in=own)
    places = list(Environment.objects.order_by("position"))
    endpoints = [Endpoint(version, place) for version in versions[:MOST_CHOICES] for place in places]
    groups: list[tuple[Any, Iterable[BudgetTarget]]] = [
        (_("All calls of a team"), teams.order_by("name")[:MOST_CHOICES]),
        (_("An application"), applications.order_by("team__name", "name")[:MOST_CHOICES]),
        (_("A subscription"), subscriptions.order_by("-pk")[:MOST_CHOICES]),
        (_("An API version in an environment"), endpoints),
        (_("A model"), models.order_by("provider__slug", "remote")[:MOST_CHOICES]),
    ]
    found = [(str(label), [(value_of(one), words_of(one)) for one in group]) for label, group in groups]
    known = {value for _label, choices in found for value, _words in choices}
    if also is not None and value_of(also) not in known:
        found.insert(0, (_("Chosen"), [(value_of(also), words_of(also))]))
    return [(label, choices) for label, choices in found if choices]


def _applications(actor: Actor) -> QuerySet[Application]:
    active = Application.objects.visible_to(actor).filter(state=Application.State.ACTIVE)
    return active.select_related("team")


def _ai_subscriptions(actor: Actor) -> QuerySet[Subscription]:
    return _of_ai(_told(Subscription.objects.visible_to(actor).open()))


def _of_ai(found: QuerySet[Subscription]) -> QuerySet[Subscription]:
    ai = Revision.objects.filter(api_version=OuterRef("api_version"), upstream__kind__in=AI_KINDS)
    return found.filter(Exists(ai))


def _told(found: QuerySet[Subscription]) -> QuerySet[Subscription]:
    return found.select_related("application__team", "api_version__api__team", "environment")


def _ai_versions() -> QuerySet[ApiVersion]:
    ai = Revision.objects.filter(api_version=OuterRef("pk"), upstream__kind__in=AI_KINDS)
    found = ApiVersion.objects.filter(Exists(ai)).exclude(state=ApiVersion.State.RETIRED)
    return found.select_related("api__team").order_by("api__team__name", "api__name", "-major")


def _models(actor: Actor) -> QuerySet[AiModel]:
    return AiModel.objects.visible_to(actor).usable().select_related("provider__team")
