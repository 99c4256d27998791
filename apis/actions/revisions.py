"""Freezing what a version serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apis.actions.search import refresh_search
from apis.models import ApiVersion, Revision
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor, Verb


@transaction.atomic
def freeze_revision(
    version: ApiVersion,
    *,
    actor: Actor,
    note: str = "",
    policies: Mapping[str, Any] | None = None,
    seen: str = "",
) -> Revision:
    """An immutable snapshot of spec, upstream and `policies` (None: those of the newest revision).

    The newest revision is answered when nothing differs from it, so that publishing twice makes one. `seen` is
    `version.draft` as the caller looked at it. Raises PermissionDenied, and ActionRefused while spec or upstream is
    missing or when the draft has changed since it was `seen`.
    """
    version = (
        ApiVersion.objects.select_for_update(of=("self",))
        .select_related("api__team", "spec", "upstream")
        .get(pk=version.pk)
    )
    actor.require(Verb.API_PUBLISH, version.api.team)
    _require_complete(version)
    if seen and seen != version.draft:
        raise ActionRefused(
            _("The draft of %(version)s has changed since you looked at it. Look again, then publish.")
            % {"version": version},
            code="draft_changed",
        )
    newest = version.revisions.order_by("-number").first()
    frozen = dict(policies) if policies is not None else (newest.policies if newest else {})
    if newest and _content(newest) == (version.spec_id, version.upstream_id, frozen):
        return newest
    revision = Revision(
        api_version=version,
        number=newest.number + 1 if newest else 1,
        spec=version.spec,
        upstream=version.upstream,
        policies=frozen,
        note=note,
        frozen_by=actor.label[:200],
    )
    revision.full_clean()
    revision.save()
    refresh_search(version.api)
    record_event("revision.frozen", revision, actor=actor, after=_summary(revision), note=note)
    return revision


def _content(revision: Revision) -> tuple[int, int, dict[str, Any]]:
    return revision.spec_id, revision.upstream_id, revision.policies


def _require_complete(version: ApiVersion) -> None:
    if version.state == ApiVersion.State.RETIRED:
        raise ActionRefused(_("This version is retired. Make a new version instead."), code="version_retired")
    if version.spec is None:
        raise ActionRefused(
            _("This version has no OpenAPI document yet. Upload one, then publish."), code="spec_missing"
        )
    if version.upstream is None:
        raise ActionRefused(
            _("This version has no upstream yet. Say where its calls go, then publish."),
            code="upstream_missing",
        )


def _summary(revision: Revision) -> dict[str, Any]:
    return {
        "number": revision.number,
        "spec": revision.spec.public_id,
        "upstream": revision.upstream.name,
        "policies": revision.policies,
    }
