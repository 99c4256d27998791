"""Publishing: a version on gateways, its base path, its revisions, and the end of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apis.actions import freeze_revision, publish_version
from apis.models import ApiVersion, Environment, Revision, UpstreamBinding
from audit.actions import record_event
from audit.models import ActionRefused
from gateways.actions.deployments import ask_deployment
from gateways.models import BasePathClaim, Gateway, GatewayListener, Publication
from gateways.queries.aws_capabilities import closed_to
from gateways.queries.capabilities import refusals_of
from gateways.queries.places import with_runtimes
from subscriptions.actions import tell_subscribers
from teams.models import Actor, Team, Verb

PATH_FORM = re.compile(r"(/[a-z0-9]([a-z0-9._-]*[a-z0-9_-])?){1,12}")
"""Whole segments of small letters, digits, dots, hyphens and underscores; none begins or ends with a dot."""
PATH_LENGTH = 300


class PlaceToPublish(NamedTuple):
    """One environment of one gateway."""

    gateway: Gateway
    environment: Environment


def publish(
    version: ApiVersion,
    gateway: Gateway,
    environment: Environment,
    *,
    actor: Actor,
    note: str = "",
    base_path: str = "",
    policies: Mapping[str, Any] | None = None,
) -> Publication:
    """Publish in one place; see `publish_to`."""
    places = [PlaceToPublish(gateway, environment)]
    return publish_to(version, places, actor=actor, note=note, base_path=base_path, policies=policies)[0]


@transaction.atomic
def publish_to(
    version: ApiVersion,
    places: Sequence[PlaceToPublish],
    *,
    actor: Actor,
    note: str = "",
    base_path: str = "",
    policies: Mapping[str, Any] | None = None,
    seen: str = "",
) -> list[Publication]:
    """Freeze what `version` serves now and publish it in `places`; a draft becomes published by it.

    An empty `base_path` is the one the version has on that gateway already, or else
    `/{team}/{api}/v{major}`. `seen` is the draft that the caller looked at, see `freeze_revision`. A queued
    Deployment per gateway stands for the push that follows.
    Raises PermissionDenied, ActionRefused, ValidationError, TransitionNotAllowed.
    """
    if not places:
        raise ValidationError({"places": _("Choose at least one gateway and environment.")})
    revision = freeze_revision(version, actor=actor, note=note, policies=policies, seen=seen)
    version = revision.api_version
    if version.state == ApiVersion.State.DRAFT:
        version = publish_version(version, actor=actor)
    ordered = sorted(set(places), key=lambda place: (place.gateway.pk, place.environment.pk))
    return [
        _publish_one(place, version, revision, actor=actor, note=note, base_path=base_path)
        for place in ordered
    ]


@transaction.atomic
def roll_back(publication: Publication, revision: Revision, *, actor: Actor, note: str = "") -> Publication:
    """Serve an earlier (or any other) frozen revision of the same version again.

    Raises PermissionDenied, ActionRefused.
    """
    gateway = _lock(publication.gateway_id)
    publication = _locked(publication, actor)
    _require_current(publication)
    if revision.api_version_id != publication.api_version_id:
        raise ActionRefused(
            _("This revision belongs to another version. Choose one of %(version)s.")
            % {"version": publication.api_version}
        )
    if revision.pk == publication.revision_id:
        raise ActionRefused(_("Revision %(n)s is served already.") % {"n": revision.number})
    binding = _binding(revision, publication.environment)
    refuse_if_unable(gateway, publication.environment, binding, revision)
    before = {"revision": publication.revision.number}
    publication.revision = revision
    publication.full_clean()
    publication.save()
    after = {"revision": revision.number}
    event = record_event(
        "publication.rolled_back", publication, actor=actor, before=before, after=after, note=note
    )
    ask_deployment(gateway, cause=event, asked_by=actor.label)
    return publication


@transaction.atomic
def withdraw(publication: Publication, *, actor: Actor, reason: str) -> Publication:
    """Stop serving a version in one place. The path stays claimed; publishing again brings it back.

    Raises PermissionDenied, ValidationError without a reason, TransitionNotAllowed.
    """
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: subscribers are told.")})
    gateway = _lock(publication.gateway_id)
    publication = _locked(publication, actor)
    publication.move_to(Publication.State.WITHDRAWN)
    publication.full_clean()
    publication.save()
    words = {"version": publication.api_version, "environment": publication.environment}
    tell_subscribers(
        publication.api_version,
        "publication.withdrawn",
        _("No longer served: %(version)s in %(environment)s") % words,
        reason.strip(),
        environment=publication.environment,
        actor=actor,
    )
    event = record_event(
        "publication.withdrawn",
        publication,
        actor=actor,
        before={"revision": publication.revision.number},
        after={"state": publication.state},
        note=reason.strip(),
    )
    ask_deployment(gateway, cause=event, asked_by=actor.label)
    return publication


# ---- one place ----


def _publish_one(
    place: PlaceToPublish, version: ApiVersion, revision: Revision, *, actor: Actor, note: str, base_path: str
) -> Publication:
    gateway, environment = _lock(place.gateway.pk), place.environment
    actor.require(Verb.API_PUBLISH, version.api.team)
    listener = check_place(gateway, environment, version)
    refuse_if_unable(gateway, environment, _binding(revision, environment), revision)
    found = Publication.objects.select_for_update().filter(
        api_version=version, gateway=gateway, environment=environment
    ).first()  # fmt: skip
    publication = found or Publication(api_version=version, gateway=gateway, environment=environment)
    before = {"state": publication.state, "revision": publication.revision.number} if found else {}
    publication.claim = _claim(publication, listener, base_path)
    publication.revision = revision
    if publication.state == Publication.State.WITHDRAWN:
        publication.move_to(Publication.State.PUBLISHED)
    publication.full_clean()
    publication.save()
    after = {**_summary(publication), "state": publication.state}
    event = record_event(
        "publication.published", publication, actor=actor, before=before, after=after, note=note
    )
    ask_deployment(gateway, cause=event, asked_by=actor.label)
    return publication


def check_place(gateway: Gateway, environment: Environment, version: ApiVersion) -> GatewayListener:
    """The listener that would serve `version`. Raises ActionRefused where it may not be published."""
    if gateway.kind == Gateway.Kind.AI_RUNTIME:
        raise ActionRefused(
            _("%(gateway)s stands behind other gateways. Choose one of those.") % {"gateway": gateway},
            code="gateway_unable",
        )
    if gateway.retired_at is not None:
        raise ActionRefused(
            _("%(gateway)s is retired. Choose another gateway.") % {"gateway": gateway},
            code="gateway_retired",
        )
    listener = gateway.listeners.filter(environment=environment).first()
    if listener is None:
        raise ActionRefused(
            _("%(gateway)s does not serve %(environment)s. Choose another gateway or environment.")
            % {"gateway": gateway, "environment": environment},
            code="no_listener",
        )
    if not environment.admits(version.api.team):
        raise ActionRefused(
            _("%(team)s may not publish to %(environment)s. Ask an administrator to add the team.")
            % {"team": version.api.team, "environment": environment},
            code="environment_closed",
        )
    closed = closed_to(gateway.aws_account, version.api.team)
    if closed:
        raise ActionRefused(closed, code="aws_account_closed")
    return listener


def refuse_if_unable(
    gateway: Gateway, environment: Environment, binding: UpstreamBinding, revision: Revision
) -> None:
    """Raise ActionRefused where the gateway cannot do what no API may go without, or cannot be given `revision`."""
    for refusal in refusals_of(gateway, environment, binding, revision):
        raise ActionRefused(refusal, code="gateway_unable")


def _binding(revision: Revision, environment: Environment) -> UpstreamBinding:
    found = UpstreamBinding.objects.filter(upstream=revision.upstream_id, environment=environment)
    binding = found.select_related("upstream").first()
    if binding is not None and binding.upstream.is_ai:
        _require_runtime(environment)
        return binding
    if binding is None or not binding.targets:
        raise ActionRefused(
            _("The upstream %(upstream)s has no address in %(environment)s. Give it one, then publish.")
            % {"upstream": revision.upstream, "environment": environment},
            code="binding_missing",
        )
    return binding


def _require_runtime(environment: Environment) -> None:
    if not with_runtimes().filter(pk=environment.pk).exists():
        raise ActionRefused(
            _("No AI runtime serves %(environment)s. Ask an administrator to add one.")
            % {"environment": environment},
            code="no_ai_runtime",
        )


# ---- base paths ----


def default_base_path(version: ApiVersion) -> str:
    """The path that a version gets unless somebody asks for another."""
    return f"/{version.api.team.slug}/{version.api.slug}/v{version.major}"


def clean_base_path(path: str) -> str:
    """The canonical form of a path. Raises ValidationError."""
    cleaned = path.strip()
    if len(cleaned) > PATH_LENGTH or not PATH_FORM.fullmatch(cleaned):
        raise ValidationError(
            {
                "base_path": _(
                    "Use whole segments of small letters, digits, dots and hyphens, such as /shop/orders/v1."
                )
            }
        )
    return cleaned


def _claim(publication: Publication, listener: GatewayListener, wanted: str) -> BasePathClaim:
    """The claim of a publication, whose gateway's row is locked. Raises ActionRefused, ValidationError."""
    held = _held_claim(publication, listener)
    if wanted and publication.gateway.is_at_aws:
        raise ActionRefused(
            _(
                "API Gateway gives the publication an address of its own. Leave the base path empty for %(gateway)s."
            )
            % {"gateway": publication.gateway},
            code="no_base_path",
        )
    if held is not None:
        if wanted and clean_base_path(wanted) != held.path:
            raise ActionRefused(
                _("The path %(path)s was fixed when it was first published here. Callers rely on it.")
                % {"path": held.path},
                code="base_path_frozen",
            )
        return held
    version = publication.api_version
    path = clean_base_path(wanted or default_base_path(version))
    _check_free(listener, path, version)
    claim, _made = BasePathClaim.objects.get_or_create(
        gateway_id=listener.gateway_id,
        host=listener.host,
        path=path,
        defaults={"team": version.api.team, "api": version.api},
    )
    return claim


def _held_claim(publication: Publication, listener: GatewayListener) -> BasePathClaim | None:
    """The path that this version has on the gateway already, be it in another environment."""
    if publication.claim_id is not None:
        return publication.claim
    other = Publication.objects.filter(
        api_version=publication.api_version, gateway=listener.gateway_id, claim__host=listener.host
    )
    found = other.select_related("claim").order_by("pk").first()
    return found.claim if found else None


def _check_free(listener: GatewayListener, path: str, version: ApiVersion) -> None:
    """Nobody else has the path, no other team has one above or below it, and it does not begin with another
    team's name, under which that team's own APIs will want to be."""
    taken = BasePathClaim.objects.filter(gateway_id=listener.gateway_id, host=listener.host)
    same = taken.filter(path=path).first()
    if same is not None and (same.api_id != version.api_id or same.publications.exists()):
        raise _path_taken(path)
    segments = path.strip("/").split("/")
    if Team.objects.filter(slug=segments[0]).exclude(pk=version.api.team_id).exists():
        raise ActionRefused(
            _("Paths that begin with /%(name)s are for the team of that name. Choose another beginning.")
            % {"name": segments[0]},
            code="base_path_of_a_team",
        )
    above = ["/" + "/".join(segments[:count]) for count in range(1, len(segments))]
    others = taken.exclude(team=version.api.team)
    if others.filter(path__in=above).exists() or others.filter(path__startswith=f"{path}/").exists():
        raise _path_taken(path)


def _path_taken(path: str) -> ActionRefused:
    return ActionRefused(
        _("The path %(path)s, or one above or below it, belongs to another API. Choose another path.")
        % {"path": path},
        code="base_path_taken",
    )


# ---- rows ----


def _lock(gateway_id: int) -> Gateway:
    """The gateway's row lock orders claims and queued deployments; a push holds a lease and never this lock."""
    return Gateway.objects.select_for_update().get(pk=gateway_id)


def _locked(publication: Publication, actor: Actor) -> Publication:
    publication = (
        Publication.objects.select_for_update(of=("self",))
        .select_related("api_version__api__team", "environment", "revision", "gateway", "claim")
        .get(pk=publication.pk)
    )
    actor.require(Verb.API_PUBLISH, publication.api_version.api.team)
    return publication


def _require_current(publication: Publication) -> None:
    if publication.state != Publication.State.PUBLISHED:
        raise ActionRefused(
            _("It is withdrawn here. Publish it again instead."), code="publication_withdrawn"
        )


def _summary(publication: Publication) -> dict[str, Any]:
    return {
        "gateway": publication.gateway.slug,
        "environment": publication.environment.slug,
        "base_path": publication.claim.path,
        "revision": publication.revision.number,
    }
