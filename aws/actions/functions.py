"""Lambda functions: made, adopted, changed, deleted. Each decision is carried out by a push."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from audit.actions import record_event
from audit.models import ActionRefused
from aws.actions.cleaning import clean_role
from aws.actions.function_cleaning import (
    DEAD_LETTERS,
    DESTINATIONS,
    clean_environment,
    clean_image,
    clean_layers,
    clean_network,
    clean_remote_name,
    clean_runtime,
    clean_tags,
    clean_target,
    require_feature,
    wrong,
)
from aws.actions.function_locks import locked_function, require_use
from aws.actions.pushing import decided
from aws.environments import open_environment, put_environment
from aws.models import AwsAccount, Feature, FunctionCode, LambdaFunction
from aws.policies.names import function_name
from aws.pushes.zips import BadZip, read_zip
from aws.signals import function_uses_asked
from teams.models import Actor, Team, Verb

SEALED = ["environment_sealed"]
MOST_RESERVED = 100_000
_FIELDS = (
    "runtime", "handler", "architecture", "memory_mb", "timeout_s", "role_arn", "layers", "subnets", "security_groups",
    "dead_letter_arn", "on_success_arn", "on_failure_arn", "tracing", "tags", "keeps_versions",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FunctionValues:
    """How a function is configured; None leaves what is there, or the usual. `role_arn` empty: the portal makes one.

    `environment` sets values by name, None takes one away; those that are not named stay.
    """

    runtime: str | None = None
    handler: str | None = None
    architecture: str | None = None
    memory_mb: int | None = None
    timeout_s: int | None = None
    role_arn: str | None = None
    layers: Sequence[str] | None = None
    subnets: Sequence[str] | None = None
    security_groups: Sequence[str] | None = None
    dead_letter_arn: str | None = None
    on_success_arn: str | None = None
    on_failure_arn: str | None = None
    tracing: bool | None = None
    tags: Mapping[str, str] | None = None
    keeps_versions: int | None = None
    environment: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Whose function, in which account and Region."""

    team: Team
    account: AwsAccount
    region: str


@sensitive_variables("content", "values")
@transaction.atomic
def create_function(
    *,
    actor: Actor,
    place: Place,
    name: str,
    slug: str = "",
    content: bytes = b"",
    image_uri: str = "",
    values: FunctionValues | None = None,
) -> LambdaFunction:
    """A new function from a zip (`content`) or an image, and the push that makes it.

    Raises PermissionDenied, ValidationError, and ActionRefused where the team may not use the account.
    """
    function = _placed(actor, place, name, slug)
    function.package = LambdaFunction.Package.IMAGE if image_uri else LambdaFunction.Package.ZIP
    function.remote_name = _remote_name(function)
    _configure(function, values or FunctionValues())
    code = _new_code(function, content, image_uri, actor)
    function.full_clean(exclude=SEALED)
    function.save()
    code.function = function
    code.save()
    decided(function, actor=actor, what="create")
    record_event("function.created", function, actor=actor, after={**summary(function), "code": str(code)})
    return function


@transaction.atomic
def adopt_function(
    *, actor: Actor, place: Place, remote_name: str, name: str = "", slug: str = ""
) -> LambdaFunction:
    """Take over a function that is in the account already; the push reads what it is.

    Raises PermissionDenied, ValidationError, and ActionRefused where the team may not use the account.
    """
    remote_name = clean_remote_name(remote_name)
    function = _placed(actor, place, name or remote_name, slug)
    require_feature(place.account, Feature.ADOPTED, "account")
    function.origin, function.remote_name = LambdaFunction.Origin.ADOPTED, remote_name
    function.full_clean(exclude=SEALED)
    function.save()
    decided(function, actor=actor, what="adopt")
    record_event("function.adopted", function, actor=actor, after=summary(function))
    return function


@sensitive_variables("values")
@transaction.atomic
def change_function(
    function: LambdaFunction, *, actor: Actor, name: str | None = None, values: FunctionValues
) -> LambdaFunction:
    """Change what is given, in AWS by a push. Raises PermissionDenied, ValidationError, ActionRefused."""
    function = locked_function(function, actor)
    _require_taken_over(function)
    before, environment = summary(function), open_environment(function)
    function.name = function.name if name is None else name
    _configure(function, values)
    function.full_clean(exclude=SEALED)
    after = summary(function)
    if after != before or environment != open_environment(function):
        decided(function, actor=actor, what="configure")
        after["environment_changed"] = environment != open_environment(function)
        record_event("function.changed", function, actor=actor, before=before, after=after)
    return function


@sensitive_variables("content")
@transaction.atomic
def upload_code(
    function: LambdaFunction, *, actor: Actor, content: bytes = b"", image_uri: str = ""
) -> FunctionCode:
    """Other code; nothing is published by it. Raises PermissionDenied, ValidationError, ActionRefused."""
    function = locked_function(function, actor)
    _require_taken_over(function)
    if bool(image_uri) != function.is_image:
        words = (
            _("It is made from a container image: name one.")
            if function.is_image
            else _("It is made from a zip.")
        )
        raise wrong("image_uri" if function.is_image else "file", words)
    code = _new_code(function, content, image_uri, actor)
    code.save()
    decided(function, actor=actor, what="code")
    record_event("function.code_changed", function, actor=actor, after={"code": str(code), "size": code.size})
    return code


@transaction.atomic
def set_reserved(function: LambdaFunction, *, actor: Actor, reserved: int | None) -> LambdaFunction:
    """So many calls at once are kept for it, and no more; 0 stops it, None takes part in what is left of the account.

    Raises PermissionDenied, ValidationError, ActionRefused. Whether the account has room, the push finds out.
    """
    function = locked_function(function, actor)
    _require_taken_over(function)
    if reserved is not None and not 0 <= reserved <= MOST_RESERVED:
        raise wrong("reserved", _("Write a number of calls at once, or leave it empty."))
    warm = sum(alias.provisioned or 0 for alias in function.aliases.current())
    if reserved is not None and reserved < warm:
        words = _("%(warm)s environments are kept warm. Reserve at least as many, or keep fewer warm.")
        raise wrong("reserved", words, warm=warm)
    if reserved != function.reserved:
        before = {"reserved": function.reserved}
        function.reserved = reserved
        decided(function, actor=actor, what="reserve")
        record_event("function.reserved", function, actor=actor, before=before, after={"reserved": reserved})
    return function


@transaction.atomic
def delete_function(function: LambdaFunction, *, actor: Actor, note: str = "") -> LambdaFunction:
    """Delete it in AWS with all versions; an adopted one is let go, and stays there as it is.

    Raises PermissionDenied, and ActionRefused while something relies on it.
    """
    function = locked_function(function, actor, leaving=True)
    if function.is_leaving:
        return function
    uses = uses_of(function)
    if uses:
        words = _("%(function)s is used by %(uses)s. Take it out there first.")
        raise ActionRefused(
            words % {"function": function, "uses": ", ".join(uses[:5])}, code="function_in_use"
        )
    before = {"state": str(function.state)}
    if function.is_adopted:
        _let_go(function)
    else:
        function.move_to(LambdaFunction.State.LEAVING)
        decided(function, actor=actor, what="delete")
    after = {"state": str(function.state)}
    record_event("function.deleted", function, actor=actor, before=before, after=after, note=note)
    return function


def uses_of(function: LambdaFunction) -> list[str]:
    """The names of what relies on it, as other apps tell."""
    answers = function_uses_asked.send(sender=LambdaFunction, function=function)
    return [name for _receiver, names in answers for name in names or ()]


def summary(function: LambdaFunction) -> dict[str, Any]:
    """What the audit trail keeps: names of the environment, never its values."""
    names = ("name", "remote_name", "region", "package", "reserved", *_FIELDS)
    plain = {name: getattr(function, name) for name in names}
    lists = {name: list(plain[name]) for name in ("layers", "subnets", "security_groups")}
    account = {"account": function.account.slug, "environment": list(function.environment_names)}
    return {**plain, **lists, **account, "tags": dict(function.tags)}


def _placed(actor: Actor, place: Place, name: str, slug: str) -> LambdaFunction:
    """A row that is not saved yet. Raises PermissionDenied, ValidationError, ActionRefused."""
    actor.require(Verb.FUNCTION_EDIT, place.team)
    require_use(place.account, place.team)
    require_feature(place.account, Feature.FUNCTIONS, "account")
    if place.region not in place.account.regions:
        words = _("%(account)s is not connected in %(region)s. Choose one of: %(all)s.")
        names = {
            "account": place.account,
            "region": place.region[:40],
            "all": ", ".join(place.account.regions),
        }
        raise wrong("region", words, **names)
    slug = slug or slugify(name)[:48].strip("-_").replace("_", "-") or "function"
    return LambdaFunction(team=place.team, account=place.account, region=place.region, name=name, slug=slug)


def _remote_name(function: LambdaFunction) -> str:
    """Raises ValidationError for one that AWS would find too long."""
    wanted = f"{function.team.slug}-{function.slug}"
    name = function_name(function.account.prefix, wanted)
    if not name.endswith(wanted):
        room = 64 - len(function.account.prefix) - len(function.team.slug) - 2
        words = _(
            "With the team's short name it is too long for AWS. Choose one of at most %(room)s characters."
        )
        raise wrong("slug", words, room=room)
    return name


@sensitive_variables("content")
def _new_code(function: LambdaFunction, content: bytes, image_uri: str, actor: Actor) -> FunctionCode:
    """Checked, not saved. Raises ValidationError."""
    code = FunctionCode(function=function, handed_in_by=actor.label[:200])
    if image_uri:
        require_feature(function.account, Feature.IMAGES, "image_uri")
        code.image_uri = clean_image(image_uri, function.region)
        return code
    try:
        facts = read_zip(content)
    except BadZip as error:
        raise wrong("file", str(error).replace("%", "%%")) from error
    code.content, code.sha256, code.size, code.files = content, facts.sha256, facts.size, facts.files
    return code


def _require_taken_over(function: LambdaFunction) -> None:
    if function.is_adopted and function.state == LambdaFunction.State.NEW:
        words = _("The portal has not read this function yet. Wait until its first push is through.")
        raise ActionRefused(words, code="function_not_read")


def _let_go(function: LambdaFunction) -> None:
    """Forget an adopted one. A push that is under way finds it gone, and stops."""
    function.move_to(LambdaFunction.State.GONE)
    put_environment(function, {})
    function.save()
    for push in function.pushes.unfinished():
        push.state, push.message = push.State.FAILED, str(_("The function was let go."))
        push.save()


@sensitive_variables("values", "environment")
def _configure(function: LambdaFunction, values: FunctionValues) -> None:
    """Set what is given on `function` (not saved). Raises ValidationError."""
    before = set(function.tags)
    for field in fields(values):
        value = getattr(values, field.name)
        if value is not None and field.name in _FIELDS:
            setattr(function, field.name, value.strip() if isinstance(value, str) else value)
    _clean(function)
    function.dropped_tags = sorted(({*function.dropped_tags} | before) - set(function.tags))
    if values.environment:
        environment: dict[str, str | None] = {**open_environment(function), **values.environment}
        kept = {name: value for name, value in environment.items() if value is not None}
        put_environment(function, clean_environment(kept))


def _clean(function: LambdaFunction) -> None:
    account = function.account
    if function.is_image:
        function.runtime = function.handler = ""
        function.layers = []
    else:
        function.runtime = clean_runtime(function.runtime)
        if not function.handler or " " in function.handler:
            raise wrong(
                "handler", _("Write which function is called, such as app.handler (file and function).")
            )
        function.layers = clean_layers(function.layers, function.region)
    if function.role_arn:
        function.role_arn = clean_role(function.role_arn, account.number)
    elif function.is_adopted:
        raise wrong("role_arn", _("An adopted function keeps a role of yours. Name it."))
    else:
        require_feature(account, Feature.ROLES, "role_arn")
    function.subnets, function.security_groups = clean_network(function.subnets, function.security_groups)
    if function.subnets:
        require_feature(account, Feature.VPC, "subnets")
    if function.tracing and not function.role_arn:
        require_feature(account, Feature.TRACING, "tracing")
    function.dead_letter_arn = clean_target(function.dead_letter_arn, "dead_letter_arn", DEAD_LETTERS)
    for name in ("on_success_arn", "on_failure_arn"):
        setattr(function, name, clean_target(getattr(function, name), name, DESTINATIONS))
    function.tags = clean_tags(function.tags)
