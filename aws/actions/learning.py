"""What a push learns from AWS, written into the rows: numbers of versions, hashes of images, what is gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from aws.actions.journal import Journal
from aws.models import FunctionAlias, FunctionCode, FunctionVersion, LambdaFunction
from aws.pushes.values import Call
from aws.pushes.wanted import MARK

_State, _Version = LambdaFunction.State, FunctionVersion.State


def learn(journal: Journal, function: LambdaFunction, move: Call, answer: Mapping[str, Any]) -> None:
    """Take what the answer to a call tells into the rows."""
    if move.name == "publish":
        wanted = function.versions.wanted().first()
        if wanted is not None:
            version_published(journal, wanted.public_id, answer)
    if move.name in {"make_function", "set_code"} and function.is_image:
        image = (move.params.get("Code") or move.params).get("ImageUri", "")
        code = function.code
        if code is not None and code.image_uri == image:
            FunctionCode.objects.filter(pk=code.pk).update(sha256=answer["CodeSha256"])


@transaction.atomic
def version_published(journal: Journal, version_id: str, told: Mapping[str, Any]) -> None:
    """The wanted version is in AWS; or nothing had changed, and it stands for the one before."""
    journal.held()
    version = FunctionVersion.objects.select_for_update(of=("self",)).get(public_id=version_id)
    if version.state != _Version.WANTED:
        return
    number, is_ours = int(told["Version"]), told.get("Description", "").split(" ")[0] == MARK + version_id
    same = FunctionVersion.objects.filter(function=version.function_id, number=number).first()
    version.sha256, version.size = told["CodeSha256"], told.get("CodeSize", 0)
    version.runtime = told.get("Runtime", "")
    if same is None and is_ours:
        version.move_to(_Version.PUBLISHED)
        version.number, version.published_at = number, timezone.now()
    else:
        version.move_to(_Version.SAME)
        version.same_as = same or imported(version.function, number, told)
    version.save()


def imported(function: LambdaFunction, number: int, told: Mapping[str, Any]) -> FunctionVersion:
    """A row for a version that was published without the portal."""
    found, _is_new = FunctionVersion.objects.get_or_create(
        function=function,
        number=number,
        defaults={
            "state": _Version.PUBLISHED,
            "sha256": told["CodeSha256"],
            "size": told.get("CodeSize", 0),
            "runtime": told.get("Runtime", ""),
            "note": told.get("Description", "")[:200],
        },
    )
    return found


@transaction.atomic
def conclude(
    journal: Journal, function: LambdaFunction, seen: Mapping[str, Any], there: Collection[str]
) -> bool:
    """End the push, and write down what it left; False when something was decided meanwhile, which is to be done yet.

    `there` are the numbers of those versions that were chosen to go and that AWS still has.
    """
    locked = LambdaFunction.objects.select_for_update(of=("self",)).get(pk=function.pk)
    push = journal.held()
    if locked.generation != function.generation:
        return False
    _conclude_function(locked, seen)
    FunctionAlias.objects.filter(function=locked, removed_at__isnull=False).update(is_gone=True)
    for version in locked.versions.filter(state=_Version.PRUNING):
        is_there = str(version.number) in there
        version.move_to(_Version.PUBLISHED if is_there else _Version.PRUNED)
        version.save()
    journal.succeed(push)
    return True


def _conclude_function(function: LambdaFunction, seen: Mapping[str, Any]) -> None:
    if function.state == _State.LEAVING:
        function.move_to(_State.GONE)
        function.environment_sealed, function.environment_names = b"", []
    elif function.state == _State.NEW:
        function.move_to(_State.ACTIVE)
    function.seen, function.seen_at = dict(seen), timezone.now()
    function.dropped_tags = []
    function.events_set = bool(function.on_success_arn or function.on_failure_arn)
    function.save()
    newest = function.code
    kept = [newest.pk] if newest is not None and function.state != _State.GONE else []
    function.codes.exclude(pk__in=kept).exclude(content=b"").update(content=b"")
