"""Named people who may decide requests of the plans that name their group."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from audit.actions import record_event
from teams.models import Actor, ApproverGroup, Team, User, Verb
from teams.queries import colleagues_of


@transaction.atomic
def create_approver_group(team: Team, *, actor: Actor, name: str, people: Iterable[User]) -> ApproverGroup:
    """A group of `team`. Its people are colleagues of the actor: members of a team that the actor is in."""
    _check(team, actor)
    group = ApproverGroup(team=team, name=name.strip())
    group.full_clean()
    group.save()
    group.people.set(_known(people, actor))
    record_event("approver_group.created", group, actor=actor, after=_values(group))
    return group


@transaction.atomic
def change_approver_group(
    group: ApproverGroup, *, actor: Actor, name: str | None = None, people: Iterable[User] | None = None
) -> ApproverGroup:
    """Another name or other people. None leaves as is; an empty group leaves its requests to the team."""
    _check(group.team, actor)
    group = ApproverGroup.objects.select_for_update(of=("self",)).get(pk=group.pk)
    before = _values(group)
    group.name = group.name if name is None else name.strip()
    group.full_clean()
    group.save()
    if people is not None:
        stay = set(group.people.values_list("pk", flat=True))
        group.people.set(_known(people, actor, stay))
    record_event("approver_group.changed", group, actor=actor, before=before, after=_values(group))
    return group


def _check(team: Team, actor: Actor) -> None:
    """To decide requests is a right that platform administrators lack, so one who names deciders must hold it."""
    actor.require(Verb.TEAM_MANAGE, team)
    actor.require(Verb.REQUEST_DECIDE, team)


def _known(people: Iterable[User], actor: Actor, stay: Iterable[int] = ()) -> list[User]:
    chosen, allowed = list(people), {*colleagues_of(actor).values_list("pk", flat=True), *stay}
    if any(person.pk not in allowed for person in chosen):
        raise ValidationError({"people": _("Choose people who share a team with you.")})
    return chosen


def _values(group: ApproverGroup) -> dict[str, object]:
    return {"name": group.name, "people": sorted(group.people.values_list("public_id", flat=True))}
