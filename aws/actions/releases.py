"""Versions and aliases of a function: published, pointed at, weighted, taken back, kept warm, pruned."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.actions import record_event
from audit.models import ActionRefused
from aws.actions.function_cleaning import wrong
from aws.actions.function_locks import locked_function
from aws.actions.functions import uses_of
from aws.actions.pushing import decided
from aws.models import FunctionAlias, FunctionVersion, LambdaFunction
from teams.models import Actor

_State = FunctionVersion.State


@transaction.atomic
def publish_version(function: LambdaFunction, *, actor: Actor, note: str = "") -> FunctionVersion:
    """Freeze what was handed in and configured as a version; AWS gives the number.

    Raises PermissionDenied, ValidationError, and ActionRefused while another one is being published.
    """
    function = locked_function(function, actor)
    if function.versions.filter(state=_State.WANTED).exists():
        words = _("A version is being published already. Wait until it has its number.")
        raise ActionRefused(words, code="version_pending")
    version = FunctionVersion(function=function, note=note.strip(), author=actor.label[:200])
    version.full_clean(exclude=["number", "published_at", "same_as"])
    version.save()
    decided(function, actor=actor, what="publish")
    record_event(
        "function.version_asked", function, actor=actor, after={"version": version.public_id}, note=note
    )
    return version


@transaction.atomic
def set_alias(
    function: LambdaFunction,
    *,
    actor: Actor,
    name: str,
    version: FunctionVersion,
    second: FunctionVersion | None = None,
    weight: int | None = None,
) -> FunctionAlias:
    """Let an alias stand for `version`, `weight` of a hundred calls for `second`; made where there is none.

    Raises PermissionDenied, ValidationError, ActionRefused.
    """
    function = locked_function(function, actor)
    alias = _alias_named(function, name)
    before = _summary(alias) if alias.pk else {}
    if alias.pk and alias.version_id != version.pk:
        alias.previous_id = alias.version_id
    alias.version, alias.second, alias.weight = version, second, weight if second else None
    _check_versions(function, alias)
    alias.full_clean(exclude=["previous"])
    alias.save()
    decided(function, actor=actor, what="alias")
    record_event("function.alias_set", function, actor=actor, before=before, after=_summary(alias))
    return alias


@transaction.atomic
def roll_back_alias(alias: FunctionAlias, *, actor: Actor) -> FunctionAlias:
    """Back: all calls to the first version where two share them, else to what the alias stood for before.

    Raises PermissionDenied, and ActionRefused where there is nothing to go back to.
    """
    function, alias = _locked(alias, actor)
    before = _summary(alias)
    if alias.second is not None:
        alias.second, alias.weight = None, None
    elif alias.previous is not None and alias.previous.state == _State.PUBLISHED:
        alias.version, alias.previous = alias.previous, alias.version
    else:
        words = _("%(alias)s has stood for nothing else that is still there. Choose a version.")
        raise ActionRefused(words % {"alias": alias}, code="nothing_before")
    alias.save()
    decided(function, actor=actor, what="roll_back")
    record_event("function.alias_rolled_back", function, actor=actor, before=before, after=_summary(alias))
    return alias


@transaction.atomic
def remove_alias(alias: FunctionAlias, *, actor: Actor) -> FunctionAlias:
    """Take an alias away. Raises PermissionDenied, and ActionRefused while something relies on the function."""
    function, alias = _locked(alias, actor)
    uses = uses_of(function)
    if uses:
        words = _("%(function)s is used by %(uses)s. Take it out there first.")
        raise ActionRefused(
            words % {"function": function, "uses": ", ".join(uses[:5])}, code="function_in_use"
        )
    before, alias.removed_at = _summary(alias), timezone.now()
    alias.save()
    decided(function, actor=actor, what="alias")
    record_event("function.alias_removed", function, actor=actor, before=before)
    return alias


@transaction.atomic
def set_provisioned(alias: FunctionAlias, *, actor: Actor, provisioned: int | None) -> FunctionAlias:
    """Keep so many environments of an alias warm, which costs by the hour; None keeps none.

    Raises PermissionDenied, ValidationError, ActionRefused.
    """
    function, alias = _locked(alias, actor)
    before, alias.provisioned = _summary(alias), provisioned
    _check_room(function, alias)
    alias.full_clean(exclude=["previous"])
    alias.save()
    decided(function, actor=actor, what="warm")
    record_event("function.alias_warmed", function, actor=actor, before=before, after=_summary(alias))
    return alias


@transaction.atomic
def prune_versions(function: LambdaFunction, *, actor: Actor) -> list[FunctionVersion]:
    """Delete old versions that no alias needs, all but the newest `keeps_versions`; those that were chosen.

    Raises PermissionDenied, ActionRefused.
    """
    function = locked_function(function, actor)
    chosen = prunable(function)
    for version in chosen:
        version.move_to(_State.PRUNING)
        version.save()
    if chosen:
        decided(function, actor=actor, what="prune")
        after = {"versions": [version.number for version in chosen]}
        record_event("function.versions_pruned", function, actor=actor, after=after)
    return chosen


def prunable(function: LambdaFunction) -> list[FunctionVersion]:
    """Published versions beyond those to keep; what an alias stands for, or could go back to, is none of them."""
    needed = {
        pk
        for alias in function.aliases.filter(is_gone=False)
        for pk in (alias.version_id, alias.second_id, alias.previous_id)
    }
    versions = list(function.versions.published().order_by("-number"))
    return [version for version in versions[function.keeps_versions :] if version.pk not in needed]


def _locked(alias: FunctionAlias, actor: Actor) -> tuple[LambdaFunction, FunctionAlias]:
    function = locked_function(alias.function, actor)
    rows = FunctionAlias.objects.select_for_update(of=("self",)).select_related(
        "version", "second", "previous"
    )
    found = rows.current().filter(pk=alias.pk).first()
    if found is None:
        words = _("%(alias)s was taken away. Make it anew.") % {"alias": alias}
        raise ActionRefused(words, code="alias_gone")
    found.function = function
    return function, found


def _alias_named(function: LambdaFunction, name: str) -> FunctionAlias:
    rows = function.aliases.current().select_for_update(of=("self",))
    return rows.filter(name=name).first() or FunctionAlias(function=function, name=name)


def _check_versions(function: LambdaFunction, alias: FunctionAlias) -> None:
    for field in ("version", "second"):
        version = getattr(alias, field)
        if version is not None and (version.function_id != function.pk or version.state != _State.PUBLISHED):
            raise wrong(
                field, _("Choose a published version of this function. Publish one where there is none.")
            )
    if alias.second is not None and alias.weight is None:
        raise wrong("weight", _("Say which share the second version takes: 1 to 99 of a hundred."))


def _check_room(function: LambdaFunction, alias: FunctionAlias) -> None:
    if alias.provisioned is None or function.reserved is None:
        return
    others = function.aliases.current().exclude(pk=alias.pk)
    total = alias.provisioned + sum(other.provisioned or 0 for other in others)
    if total > function.reserved:
        words = _(
            "Only %(reserved)s calls at once are reserved for the function. Keep fewer warm, or reserve more."
        )
        raise wrong("provisioned", words, reserved=function.reserved)


def _summary(alias: FunctionAlias) -> dict[str, Any]:
    return {
        "alias": alias.name,
        "version": alias.version.number,
        "second": alias.second.number if alias.second else None,
        "weight": alias.weight,
        "provisioned": alias.provisioned,
    }
