"""Environments: made and changed by the platform's administrators."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Max

from apis.actions.records import apply_changes, short_name
from apis.models import Environment
from audit.actions import record_event
from teams.models import Actor, Team, Verb


@transaction.atomic
def create_environment(
    *,
    actor: Actor,
    name: str,
    environment_class: str,
    slug: str = "",
    position: int | None = None,
    publishers: Iterable[Team] = (),
) -> Environment:
    """A new environment; the last in order unless `position` says otherwise. No publishers: every team may."""
    actor.require(Verb.ENVIRONMENT_MANAGE)
    if position is None:
        position = (Environment.objects.aggregate(last=Max("position"))["last"] or 0) + 1
    environment = Environment(
        name=name,
        slug=slug or short_name(name, "environment"),
        environment_class=environment_class,
        position=position,
    )
    environment.full_clean()
    environment.save()
    environment.publishers.set(publishers)
    after = {"slug": environment.slug, "class": environment.environment_class, **_publishers(environment)}
    record_event("environment.created", environment, actor=actor, after=after)
    return environment


@transaction.atomic
def change_environment(
    environment: Environment,
    *,
    actor: Actor,
    name: str | None = None,
    position: int | None = None,
    publishers: Iterable[Team] | None = None,
) -> Environment:
    """Change what is given. Short name and class stay: addresses and keys carry them."""
    actor.require(Verb.ENVIRONMENT_MANAGE)
    environment = Environment.objects.select_for_update().get(pk=environment.pk)
    admitted = _publishers(environment)
    before, after = apply_changes(environment, {"name": name, "position": position})
    if publishers is not None:
        environment.publishers.set(publishers)
    if _publishers(environment) != admitted:
        before, after = before | admitted, after | _publishers(environment)
    if not after:
        return environment
    environment.full_clean()
    environment.save()
    record_event("environment.changed", environment, actor=actor, before=before, after=after)
    return environment


def _publishers(environment: Environment) -> dict[str, list[str]]:
    return {"publishers": sorted(environment.publishers.values_list("slug", flat=True))}
