"""Where traffic goes: upstreams and their addresses in each environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from ai.models import ModelRoute, Prompt
from apis.models import ApiVersion, Environment, Upstream, UpstreamBinding
from audit.actions import record_event
from audit.models import ActionRefused
from teams.egress import EgressRefused, check_target_url
from teams.models import Actor, Team, Verb

MOST_TARGETS = 20
MOST_WEIGHT = 1000


@transaction.atomic
def create_ai_upstream(
    *,
    actor: Actor,
    team: Team,
    name: str,
    prompt: Prompt | None = None,
    labels: Mapping[Environment, str],
    model_routes: Sequence[ModelRoute] = (),
) -> Upstream:
    """A new upstream of `team` whose calls go to AI runtimes: to `prompt`, to the aliases `model_routes`, or both.

    `labels` say by environment which version of the prompt answers; without a prompt they are empty, and name where
    the aliases are offered. Raises PermissionDenied, ValidationError.
    """
    actor.require(Verb.API_EDIT, team)
    if prompt is None and not model_routes:
        raise ValidationError({"model_routes": _("Choose a prompt, or at least one model route.")})
    _require_own(actor, team, prompt, model_routes)
    kind = Upstream.Kind.PROMPT if prompt else Upstream.Kind.MODEL
    upstream = Upstream(team=team, name=name, kind=kind, prompt=prompt)
    upstream.full_clean()
    upstream.save()
    upstream.model_routes.set(model_routes)
    after = {
        "name": name,
        "kind": upstream.kind,
        "prompt": prompt.slug if prompt else "",
        "model_routes": sorted(route.alias for route in model_routes),
    }
    record_event("upstream.created", upstream, actor=actor, after=after)
    for environment, label in labels.items():
        set_prompt_label(upstream, actor=actor, environment=environment, label=label)
    return upstream


@transaction.atomic
def set_prompt_label(
    upstream: Upstream, *, actor: Actor, environment: Environment, label: str
) -> UpstreamBinding:
    """Say which version of its prompt `upstream` answers with in `environment`.

    Raises PermissionDenied, and ValidationError where the prompt has no such label, or where the label names a version
    that takes or gives something else than those that answer already: the document promises what these do.
    """
    upstream = Upstream.objects.select_for_update(of=("self",)).select_related("team").get(pk=upstream.pk)
    actor.require(Verb.API_EDIT, upstream.team)
    prompt = upstream.prompt
    if prompt is not None and not prompt.labels.filter(name=label).exists():
        text = _("%(prompt)s has no label %(label)s. Give it to a version, then choose it here.")
        raise ValidationError({"label": text % {"prompt": prompt, "label": label}})
    if prompt is not None:
        _require_same_interface(upstream, prompt, label)
    binding = upstream.bindings.filter(environment=environment).first()
    before = {"environment": environment.slug, "label": binding.prompt_label} if binding else {}
    binding = binding or UpstreamBinding(upstream=upstream, environment=environment)
    binding.prompt_label = label if prompt is not None else ""
    binding.full_clean(exclude=["targets"])
    after = {"environment": environment.slug, "label": binding.prompt_label}
    if before == after:
        return binding
    binding.save()
    record_event("binding.set", binding, actor=actor, before=before, after=after)
    return binding


@transaction.atomic
def set_body_logging(
    upstream: Upstream, *, actor: Actor, environment: Environment, log_bodies: bool
) -> UpstreamBinding:
    """Say whether usage keeps what calls of AI ask and answer in `environment`, redacted and for some days.

    Raises PermissionDenied, ActionRefused where `upstream` is no AI or is not offered there.
    """
    upstream = Upstream.objects.select_for_update(of=("self",)).select_related("team").get(pk=upstream.pk)
    actor.require(Verb.API_EDIT, upstream.team)
    if not upstream.is_ai:
        raise ActionRefused(_("Only calls of prompts and AI models can be kept. This is an HTTP service."))
    binding = upstream.bindings.filter(environment=environment).first()
    if binding is None:
        text = _("It is not offered in %(environment)s yet. Offer it there first.")
        raise ActionRefused(text % {"environment": environment})
    if binding.log_bodies == log_bodies:
        return binding
    before = {"environment": environment.slug, "log_bodies": binding.log_bodies}
    binding.log_bodies = log_bodies
    binding.full_clean(exclude=["targets"])
    binding.save()
    record_event(
        "binding.set", binding, actor=actor, before=before, after={**before, "log_bodies": log_bodies}
    )
    return binding


def _require_same_interface(upstream: Upstream, prompt: Prompt, label: str) -> None:
    """Raises ValidationError unless the version of `label` can take the place of those that answer now."""
    # Under the prompt's lock, as labels are moved: what is compared here stays until the binding is saved.
    Prompt.objects.select_for_update(of=("self",)).get(pk=prompt.pk)
    versions = {one.name: one.version for one in prompt.labels.select_related("version")}
    bound = {binding.prompt_label for binding in upstream.bindings.all()} - {label}
    other = next((one for one in sorted(bound) if versions[one].interface != versions[label].interface), None)
    if other is None:
        return
    text = _(
        "%(label)s names version %(new)s, which takes other variables, or answers by another schema, than version "
        "%(old)s that callers of this API get now. Offer the prompt as another API by this label, and let callers move."
    )
    words = {"label": label, "new": versions[label].number, "old": versions[other].number}
    raise ValidationError({"label": text % words})


def _require_own(actor: Actor, team: Team, prompt: Prompt | None, model_routes: Sequence[ModelRoute]) -> None:
    """A team offers its own prompts, and aliases that are its own or shared."""
    if prompt is not None and prompt.team_id != team.pk:
        raise ActionRefused(_("This prompt belongs to another team. Choose one of your own."))
    foreign = [route for route in model_routes if route.team_id not in {None, team.pk}]
    if foreign:
        raise ActionRefused(_("%(route)s belongs to another team.") % {"route": foreign[0]})
    if model_routes:
        actor.require(Verb.AI_VIEW, team)


@dataclass(frozen=True, slots=True)
class BindingValues:
    """The addresses of an upstream in one environment; times in milliseconds."""

    environment: Environment
    targets: Sequence[Mapping[str, Any]]
    health_path: str = ""
    timeout_ms: int = 15_000
    connect_timeout_ms: int = 2_000


@transaction.atomic
def create_upstream(*, actor: Actor, team: Team, name: str, kind: str = Upstream.Kind.HTTP) -> Upstream:
    """A new upstream of `team`, without addresses. Raises PermissionDenied, ValidationError."""
    actor.require(Verb.API_EDIT, team)
    upstream = Upstream(team=team, name=name, kind=kind)
    upstream.full_clean()
    upstream.save()
    record_event("upstream.created", upstream, actor=actor, after={"name": name, "kind": upstream.kind})
    return upstream


@transaction.atomic
def set_binding(
    upstream: Upstream,
    *,
    actor: Actor,
    environment: Environment,
    targets: Sequence[Mapping[str, Any]],
    health_path: str = "",
    timeout_ms: int = 15_000,
    connect_timeout_ms: int = 2_000,
) -> UpstreamBinding:
    """Set the addresses of `upstream` in `environment`; gateways take them up without a new revision.

    Raises PermissionDenied, and ValidationError for an address that calls must not go to
    (see teams.egress), with the position of the target.
    """
    actor.require(Verb.API_EDIT, upstream.team)
    cleaned = clean_targets(targets)  # looks names up, so before any row is locked
    upstream = Upstream.objects.select_for_update(of=("self",)).select_related("team").get(pk=upstream.pk)
    binding = upstream.bindings.filter(environment=environment).first()
    before = _summary(binding) if binding else {}
    binding = binding or UpstreamBinding(upstream=upstream, environment=environment)
    binding.targets = cleaned
    binding.health_path = clean_health_path(health_path)
    binding.timeout_ms, binding.connect_timeout_ms = timeout_ms, connect_timeout_ms
    binding.full_clean()
    if _summary(binding) == before:
        return binding
    binding.save()
    record_event("binding.set", binding, actor=actor, before=before, after=_summary(binding))
    return binding


@transaction.atomic
def choose_upstream(version: ApiVersion, *, actor: Actor, upstream: Upstream) -> ApiVersion:
    """Make `upstream` the one of the working draft of `version`. It must belong to the API's team."""
    version = (
        ApiVersion.objects.select_for_update(of=("self",))
        .select_related("api__team", "upstream")
        .get(pk=version.pk)
    )
    actor.require(Verb.API_EDIT, version.api.team)
    if upstream.team_id != version.api.team_id:
        raise ActionRefused(_("This upstream belongs to another team. Choose one of your own."))
    if version.upstream_id == upstream.pk:
        return version
    before = {"upstream": version.upstream.name if version.upstream else ""}
    version.upstream = upstream
    version.full_clean()
    version.save()
    record_event(
        "version.upstream_chosen", version, actor=actor, before=before, after={"upstream": upstream.name}
    )
    return version


@transaction.atomic
def give_upstream(
    version: ApiVersion,
    *,
    actor: Actor,
    upstream: Upstream | None = None,
    name: str = "",
    bindings: Sequence[BindingValues] = (),
) -> Upstream:
    """Give `version` an existing `upstream` or a new one called `name`, with its addresses: all or nothing."""
    upstream = upstream or create_upstream(actor=actor, team=version.api.team, name=name)
    for values in bindings:
        set_binding(
            upstream,
            actor=actor,
            environment=values.environment,
            targets=values.targets,
            health_path=values.health_path,
            timeout_ms=values.timeout_ms,
            connect_timeout_ms=values.connect_timeout_ms,
        )
    choose_upstream(version, actor=actor, upstream=upstream)
    return upstream


def clean_targets(targets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Targets as stored: `{"url", "weight"}`. Raises ValidationError naming each that is not acceptable."""
    if not targets:
        raise ValidationError(
            {"targets": _("Give at least one address, such as https://orders.example.com.")}
        )
    if len(targets) > MOST_TARGETS:
        raise ValidationError({"targets": _("At most %(most)s addresses.") % {"most": MOST_TARGETS}})
    problems: list[ValidationError] = []
    cleaned = []
    for position, target in enumerate(targets, 1):
        try:
            cleaned.append(clean_target(target))
        except ValidationError as error:
            problems += [
                ValidationError(_("Target %(n)s: %(why)s"), params={"n": position, "why": message})
                for message in error.messages
            ]
    if problems:
        raise ValidationError({"targets": problems})
    return cleaned


def clean_target(target: Mapping[str, Any]) -> dict[str, Any]:
    """One target with its address checked; a weight that is missing is 100."""
    weight = target.get("weight", 100)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= MOST_WEIGHT:
        raise ValidationError(_("The weight is a whole number from 1 to 1000."))
    return {"url": _checked(target.get("url")), "weight": weight}


def _checked(url: Any) -> str:
    if not isinstance(url, str) or not url.strip():
        raise ValidationError(_("Give an address, such as https://orders.example.com."))
    try:
        check_target_url(url.strip(), [ip_network(block) for block in settings.UPSTREAM_NETWORKS])
    except EgressRefused as refusal:
        raise ValidationError(refusal.reason, code=refusal.code) from refusal
    return url.strip().rstrip("/")


def clean_health_path(path: str) -> str:
    """A path for the health check; empty means none. Raises ValidationError."""
    path = path.strip()
    printable = path.isascii() and path.isprintable() and " " not in path
    if path and not (path.startswith("/") and printable and "#" not in path):
        raise ValidationError({"health_path": _("Start with a slash, such as /healthz, without spaces.")})
    return path


def _summary(binding: UpstreamBinding) -> dict[str, Any]:
    """What the audit trail keeps; addresses carry no secrets, since user names in them are refused."""
    return {
        "environment": binding.environment.slug,
        "targets": binding.targets,
        "health_path": binding.health_path,
        "timeout_ms": binding.timeout_ms,
        "connect_timeout_ms": binding.connect_timeout_ms,
    }
