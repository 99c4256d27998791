"""The life of a version: draft, published, deprecated, retired."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apis.actions.search import refresh_search
from apis.models import Api, ApiVersion
from audit.actions import record_event
from audit.models import ActionRefused, TransitionNotAllowed
from teams.models import SYSTEM, Actor, Verb

_NOT_A_DRAFT = _("%(version)s is %(now)s, not a draft. Reinstate it or make a new version instead.")
_NOT_DEPRECATED = _("%(version)s is %(now)s; only a deprecated version can be reinstated.")


@transaction.atomic
def create_version(api: Api, *, actor: Actor, major: int | None = None) -> ApiVersion:
    """A new draft version; without `major` the next one. Its upstream is that of the newest version.

    Raises PermissionDenied, ValidationError.
    """
    api = Api.objects.select_for_update(of=("self",)).select_related("team").get(pk=api.pk)
    actor.require(Verb.API_EDIT, api.team)
    newest = api.versions.order_by("-major").first()
    if major is None:
        major = (newest.major if newest else 0) + 1
    version = ApiVersion(api=api, major=major, upstream=newest.upstream if newest else None)
    version.full_clean()
    version.save()
    record_event("version.created", version, actor=actor, after={"major": version.major})
    return version


@transaction.atomic
def publish_version(version: ApiVersion, *, actor: Actor) -> ApiVersion:
    """Offer a draft to others. A version that is published already stays as it is.

    Called where the first Publication of a version is made. Raises PermissionDenied, ActionRefused without
    a frozen revision, TransitionNotAllowed for a deprecated or retired version.
    """
    version = _locked(version, actor)
    if version.state == ApiVersion.State.PUBLISHED:
        return version
    if version.state != ApiVersion.State.DRAFT:
        raise TransitionNotAllowed(_NOT_A_DRAFT % {"version": version, "now": version.state})
    if not version.revisions.exists():
        raise ActionRefused(
            _("%(version)s has no frozen revision yet. Freeze one, then publish.") % {"version": version},
            code="revision_missing",
        )
    version.move_to(ApiVersion.State.PUBLISHED)
    version.full_clean()
    version.save()
    _note_first_publication(version.api)
    record_event("version.published", version, actor=actor, before={"state": "draft"})
    return version


@transaction.atomic
def deprecate_version(version: ApiVersion, *, actor: Actor, sunset_on: date, note: str = "") -> ApiVersion:
    """Announce the end: no new subscriptions from now on, calls are served until `sunset_on` (UTC).

    A deprecated version may be given another date. Raises PermissionDenied, TransitionNotAllowed,
    ValidationError for a date that is not ahead.
    """
    version = _locked(version, actor)
    if sunset_on <= timezone.now().date():
        raise ValidationError({"sunset_on": _("Choose a day in the future, so that callers can move.")})
    before = {"state": version.state, "sunset_on": version.sunset_on and version.sunset_on.isoformat()}
    if version.state != ApiVersion.State.DEPRECATED:
        version.move_to(ApiVersion.State.DEPRECATED)
    version.sunset_on = sunset_on
    version.full_clean()
    version.save()
    after = {"state": version.state, "sunset_on": sunset_on.isoformat()}
    record_event("version.deprecated", version, actor=actor, before=before, after=after, note=note)
    return version


@transaction.atomic
def reinstate_version(version: ApiVersion, *, actor: Actor, note: str = "") -> ApiVersion:
    """Take a deprecation back: the version is on offer again, without a sunset."""
    version = _locked(version, actor)
    if version.state != ApiVersion.State.DEPRECATED:
        raise TransitionNotAllowed(_NOT_DEPRECATED % {"version": version, "now": version.state})
    version.move_to(ApiVersion.State.PUBLISHED)
    version.sunset_on = None
    version.full_clean()
    version.save()
    record_event("version.published", version, actor=actor, before={"state": "deprecated"}, note=note)
    return version


@transaction.atomic
def retire_version(version: ApiVersion, *, actor: Actor, note: str = "") -> ApiVersion:
    """End a deprecated version for good; the gateways stop serving it. Raises TransitionNotAllowed."""
    version = _locked(version, actor)
    version.move_to(ApiVersion.State.RETIRED)
    version.full_clean()
    version.save()
    refresh_search(version.api)
    record_event("version.retired", version, actor=actor, before={"state": "deprecated"}, note=note)
    return version


def retire_sunset_versions(*, now: datetime, most: int = 200) -> int:
    """Retire up to `most` deprecated versions whose last day (UTC) is over, each in its own transaction; the
    number retired. What was announced is what happens."""
    over = ApiVersion.objects.filter(
        state=ApiVersion.State.DEPRECATED, sunset_on__lt=now.astimezone(UTC).date()
    )
    return sum(_retire_sunset(version, now) for version in over.order_by("sunset_on")[:most])


@transaction.atomic
def _retire_sunset(version: ApiVersion, now: datetime) -> bool:
    version = _locked(version, SYSTEM)
    over = version.sunset_on is not None and version.sunset_on < now.astimezone(UTC).date()
    if not over or not version.may_move_to(ApiVersion.State.RETIRED):
        return False
    retire_version(version, actor=SYSTEM, note=str(_("Its last day is over.")))
    return True


def _locked(version: ApiVersion, actor: Actor) -> ApiVersion:
    """The row, locked, after the right to publish has been checked."""
    version = (
        ApiVersion.objects.select_for_update(of=("self",)).select_related("api__team").get(pk=version.pk)
    )
    actor.require(Verb.API_PUBLISH, version.api.team)
    return version


def _note_first_publication(api: Api) -> None:
    """From the first publication on, others than the own team may find the API."""
    if api.first_published_at is None:
        api.first_published_at = timezone.now()
        api.save(update_fields=["first_published_at"])
    refresh_search(api)
