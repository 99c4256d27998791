"""APIs: made, changed, shared."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apis.actions.records import apply_changes, clean_tags, short_name
from apis.actions.search import refresh_search
from apis.actions.specs import plain_text, read_document, store_spec
from apis.actions.versions import create_version
from apis.models import Api, ApiShare, ApiVersion, Visibility
from apis.spec.document import ReadSpec
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor, Team, Verb


@transaction.atomic
def create_api(
    *,
    actor: Actor,
    team: Team,
    name: str,
    slug: str = "",
    summary: str = "",
    description: str = "",
    visibility: str = Visibility.PRIVATE,
    tags: Iterable[str] = (),
    support_contact: str = "",
) -> Api:
    """A new API of `team`, without versions. An empty `slug` is made from the name.

    Raises PermissionDenied, ValidationError.
    """
    actor.require(Verb.API_EDIT, team)
    api = Api(
        team=team,
        name=name,
        slug=slug or short_name(name, "api"),
        summary=summary,
        description=description,
        visibility=visibility,
        tags=clean_tags(tags),
        support_contact=support_contact,
    )
    api.full_clean()
    api.save()
    refresh_search(api)
    record_event("api.created", api, actor=actor, after={"slug": api.slug, "visibility": api.visibility})
    return api


def begin_api(
    *,
    actor: Actor,
    team: Team,
    name: str = "",
    slug: str = "",
    summary: str = "",
    description: str = "",
    document: bytes | None = None,
    filename: str = "",
) -> ApiVersion:
    """A new API with its first version and, where given, its OpenAPI `document`: all of it or nothing.

    Name, summary and description that are empty are taken from the document. Raises PermissionDenied,
    ValidationError and SpecNotAccepted. The document is read before the transaction starts: that may take
    seconds.
    """
    actor.require(Verb.API_EDIT, team)
    read = read_document(document, filename) if document is not None else None
    given = {"name": name, "summary": summary, "description": description}
    facts = facts_of(read) if read else {}
    with transaction.atomic():
        api = create_api(
            actor=actor,
            team=team,
            slug=slug,
            **{key: text or facts.get(key, "") for key, text in given.items()},
        )
        version = create_version(api, actor=actor)
        if read is not None:
            version.spec = store_spec(version, actor=actor, read=read, filename=filename)
    return version


def facts_of(read: ReadSpec) -> dict[str, str]:
    """Name, summary and description as the document gives them, cut to what an API may have."""
    info = read.document()["info"]
    summary = info.get("summary") or ""
    return {
        "name": plain_text(info["title"], 120).strip(),
        "summary": plain_text(summary, 200),
        "description": plain_text(info.get("description") or "", 20_000),
    }


@transaction.atomic
def change_api(
    api: Api,
    *,
    actor: Actor,
    name: str | None = None,
    summary: str | None = None,
    description: str | None = None,
    visibility: str | None = None,
    tags: Iterable[str] | None = None,
    support_contact: str | None = None,
) -> Api:
    """Change what is given. The short name stays for good, since addresses carry it.

    Raises PermissionDenied, ValidationError.
    """
    api = Api.objects.select_for_update(of=("self",)).select_related("team").get(pk=api.pk)
    actor.require(Verb.API_EDIT, api.team)
    changes = {
        "name": name,
        "summary": summary,
        "description": description,
        "visibility": visibility,
        "tags": None if tags is None else clean_tags(tags),
        "support_contact": support_contact,
    }
    before, after = apply_changes(api, changes)
    if not after:
        return api
    api.full_clean()
    api.save()
    refresh_search(api)
    record_event("api.changed", api, actor=actor, before=before, after=after)
    return api


@transaction.atomic
def share_api(api: Api, *, actor: Actor, team: Team) -> ApiShare:
    """Let `team` see `api` also while it is private. Sharing twice is sharing once."""
    actor.require(Verb.API_EDIT, api.team)
    if team.pk == api.team_id:
        raise ActionRefused(_("This team owns the API and sees it already. Choose another team."))
    share, made = ApiShare.objects.get_or_create(api=api, team=team)
    if made:
        record_event("api.shared", api, actor=actor, after={"team": team.slug})
    return share


@transaction.atomic
def unshare_api(api: Api, *, actor: Actor, team: Team) -> None:
    """Take the sight of `api` from `team`; its subscriptions stay until somebody closes them."""
    actor.require(Verb.API_EDIT, api.team)
    gone, _rows = ApiShare.objects.filter(api=api, team=team).delete()
    if gone:
        record_event("api.unshared", api, actor=actor, before={"team": team.slug})
