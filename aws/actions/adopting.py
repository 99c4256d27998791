"""Taking over a function that others made: what AWS tells of it becomes what is decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.actions import record_event
from aws.actions.journal import Journal
from aws.actions.learning import imported
from aws.client.errors import Invalid, Missing
from aws.desired import wanted_of
from aws.environments import put_environment
from aws.models import FunctionAlias, FunctionPushStep, LambdaFunction
from aws.pushes.function_moves import own
from aws.pushes.reality import Reality
from teams.models import SYSTEM

Told = Mapping[str, Any]


def take_over(journal: Journal, function: LambdaFunction, reality: Reality) -> None:
    """Read the function with its versions and aliases, then write them into the rows.

    Raises Missing where there is none of that name, Conflict for one of another portal, and AwsError as calls do.
    """
    step = journal.begin("take_over", "lambda:GetFunction", function.remote_name)
    found = reality.function()
    if found is None:
        place = f"{function.remote_name} in {function.region}"
        raise Missing(f"There is no function {place}. Let it go, and adopt it by its right name.")
    own(wanted_of(function), found)
    versions, aliases = reality.versions(), reality.aliases()
    _check_whole(found["Configuration"])
    _write(journal, function, found, (versions, aliases))
    journal.end(step, FunctionPushStep.State.DONE)


def _check_whole(told: Told) -> None:
    if "Error" in (told.get("Environment") or {}):
        raise Invalid(
            "AWS cannot open the function's environment for the portal: its key does not let the role in."
        )


@transaction.atomic
def _write(
    journal: Journal,
    function: LambdaFunction,
    found: Told,
    others: tuple[Mapping[str, Told], Mapping[str, Told]],
) -> None:
    locked = (
        LambdaFunction.objects.select_for_update(of=("self",))
        .select_related("team", "account")
        .get(pk=function.pk)
    )
    journal.held()
    if locked.state != LambdaFunction.State.NEW:
        return
    _take_configuration(locked, found["Configuration"])
    tags = found.get("Tags", {})
    locked.tags = {name: value for name, value in tags.items() if not name.startswith(("aws:", "portal:"))}
    locked.reserved = (found.get("Concurrency") or {}).get("ReservedConcurrentExecutions")
    locked.state = LambdaFunction.State.ACTIVE
    locked.save()
    versions = {number: imported(locked, int(number), told) for number, told in others[0].items()}
    for name, told in others[1].items():
        _take_alias(locked, name, told, versions)
    after = {"versions": len(versions), "aliases": sorted(others[1])}
    record_event("function.taken_over", locked, actor=SYSTEM, after=after)


def _take_configuration(function: LambdaFunction, told: Told) -> None:
    vpc, dead = told.get("VpcConfig") or {}, told.get("DeadLetterConfig") or {}
    package = told.get("PackageType", "Zip").lower()
    function.package = LambdaFunction.Package(package)
    function.runtime, function.handler = told.get("Runtime", ""), told.get("Handler", "")
    function.architecture = (told.get("Architectures") or ["x86_64"])[0]
    function.memory_mb, function.timeout_s = told["MemorySize"], told["Timeout"]
    function.role_arn = told["Role"]
    function.layers = [layer["Arn"] for layer in told.get("Layers") or ()]
    function.subnets, function.security_groups = vpc.get("SubnetIds", []), vpc.get("SecurityGroupIds", [])
    function.dead_letter_arn = dead.get("TargetArn", "")
    function.tracing = (told.get("TracingConfig") or {}).get("Mode") == "Active"
    put_environment(function, (told.get("Environment") or {}).get("Variables") or {})


def _take_alias(function: LambdaFunction, name: str, told: Told, versions: Mapping[str, Any]) -> None:
    """Those of $LATEST stay as they are: the portal's aliases stand for published versions."""
    version = versions.get(told["FunctionVersion"])
    if version is None:
        return
    weights = (told.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    second, share = next(iter(weights.items()), ("", 0.0))
    weight = round(share * 100) if second in versions else 0
    values: dict[str, Any] = {"version": version}
    if 1 <= weight <= 99:
        values |= {"second": versions[second], "weight": weight}
    FunctionAlias.objects.get_or_create(function=function, name=name, removed_at=None, defaults=values)
