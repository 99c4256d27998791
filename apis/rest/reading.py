"""Reading requests: values of a body, documents as they are, and what an address names."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from apis.models import Api, ApiVersion, ApiVersionQuerySet
from apis.queries import own_apis, own_versions, sees_drafts, with_newest_revision
from apis.spec.guard import MAX_BYTES
from teams.models import Actor, Team, Verb


def values_of(serializer: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The validated values of a request's body. Raises ValidationError (422)."""
    form = serializer(data=request.data)
    form.is_valid(raise_exception=True)
    values: dict[str, Any] = form.validated_data
    return values


def team_named(actor: Actor, slug: str) -> Team:
    """A team of the actor's own, or 404."""
    return get_object_or_404(Team.objects.visible_to(actor), slug=slug)


def visible_api(actor: Actor, team: str, slug: str) -> Api:
    """An API that the actor may see, or 404."""
    visible = Api.objects.visible_to(actor).select_related("team")
    return get_object_or_404(visible, team__slug=team, slug=slug)


def own_api(actor: Actor, team: str, slug: str) -> Api:
    """An API whose drafts the actor may see, or 404."""
    return get_object_or_404(own_apis(actor), team__slug=team, slug=slug)


def visible_versions(actor: Actor) -> Any:
    """Versions that the actor may see, ready to be shown."""
    versions: ApiVersionQuerySet = ApiVersion.objects.visible_to(actor)
    return with_newest_revision(versions.select_related("api__team", "spec", "upstream"))


def editable_version(actor: Actor, team: str, slug: str, major: int) -> ApiVersion:
    """A version of the actor's own team. Raises Http404, or PermissionDenied for a role that may not edit."""
    version = get_object_or_404(own_versions(actor), api__team__slug=team, api__slug=slug, major=major)
    actor.require(Verb.API_EDIT, version.api.team)
    return version


def require_drafts(actor: Actor, team_id: int) -> None:
    """Raises Http404 for whoever may not see drafts of the team."""
    if not sees_drafts(actor, team_id):
        raise Http404


class RawParser(BaseParser):
    """The body as it is, whatever it says that it is; a byte past the limit is enough to refuse it."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return bytes(stream.read(MAX_BYTES + 1))
