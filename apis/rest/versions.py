"""Versions of an API: their document, upstream, revisions and end."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apis.actions import (
    choose_upstream,
    create_version,
    deprecate_version,
    freeze_revision,
    import_spec,
    read_document,
    reinstate_version,
    retire_version,
)
from apis.models import ApiVersion, Revision, SpecDocument, Upstream
from apis.queries import SpecChange, compare_documents, own_versions, shown_spec, text_without_addresses
from apis.rest import serializers
from apis.rest.reading import (
    RawParser,
    editable_version,
    own_api,
    require_drafts,
    values_of,
    visible_api,
    visible_versions,
)
from apis.spec.guard import MAX_BYTES
from teams.access import OPEN, ResourceViewSet, Rule
from teams.models import Verb

NO_DOCUMENT = '{"paths": {}}'
DRAFT = OpenApiParameter("draft", bool, description="The working draft; for the own team only.")
DRY_RUN = OpenApiParameter("dry_run", bool, description="Read and compare, save nothing.")
DOCUMENT: dict[tuple[str, str] | str, Any] = {
    "application/json": OpenApiTypes.OBJECT,
    "application/yaml": OpenApiTypes.STR,
    "multipart/form-data": {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}},
        "required": ["file"],
    },
}


class VersionViewSet(ResourceViewSet[ApiVersion]):
    """Major versions of one API."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": OPEN,
        "retrieve": OPEN,
        "create": Verb.API_EDIT,
        "upstream": Verb.API_EDIT,
        "deprecate": Verb.API_PUBLISH,
        "reinstate": Verb.API_PUBLISH,
        "retire": Verb.API_PUBLISH,
    }
    model = ApiVersion
    serializer_class = serializers.VersionOutput

    def get_queryset(self) -> QuerySet[ApiVersion]:
        if getattr(self, "swagger_fake_view", False):
            return ApiVersion.objects.none()
        api = visible_api(self.actor, self.kwargs["team"], self.kwargs["slug"])
        versions: QuerySet[ApiVersion] = visible_versions(self.actor).filter(api=api)
        return versions

    def get_object(self) -> ApiVersion:
        version = get_object_or_404(self.get_queryset(), major=self.kwargs["major"])
        self.kwargs = {**self.kwargs, "public_id": version.public_id}
        return super().get_object()

    def own_object(self) -> ApiVersion:
        """The version, for a write by its own team; outsiders get 404 also where they may read it."""
        version = self.get_object()
        require_drafts(self.actor, version.api.team_id)
        return version

    @extend_schema(request=serializers.VersionInput, responses={201: serializers.VersionOutput})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        api = own_api(self.actor, self.kwargs["team"], self.kwargs["slug"])
        values = values_of(serializers.VersionInput, request)
        return self.answer(create_version(api, actor=self.actor, **values), status=201)

    @extend_schema(request=serializers.ChosenUpstreamInput)
    def upstream(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        version = self.own_object()
        wanted = values_of(serializers.ChosenUpstreamInput, request)["upstream"]
        upstream = get_object_or_404(Upstream.objects.visible_to(self.actor), public_id=wanted)
        return self.answer(choose_upstream(version, actor=self.actor, upstream=upstream))

    @extend_schema(request=serializers.DeprecateInput)
    def deprecate(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        version, values = self.own_object(), values_of(serializers.DeprecateInput, request)
        return self.answer(deprecate_version(version, actor=self.actor, **values))

    @extend_schema(request=serializers.NoteInput)
    def reinstate(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        version, values = self.own_object(), values_of(serializers.NoteInput, request)
        return self.answer(reinstate_version(version, actor=self.actor, **values))

    @extend_schema(request=serializers.NoteInput)
    def retire(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        version, values = self.own_object(), values_of(serializers.NoteInput, request)
        return self.answer(retire_version(version, actor=self.actor, **values))


class SpecView(ResourceViewSet[SpecDocument]):
    """The OpenAPI document of a version: read as it is, replaced by sending another."""

    rules: ClassVar[dict[str, Rule | Verb]] = {"show": OPEN, "replace": Verb.API_EDIT}
    model = SpecDocument
    parser_classes = (MultiPartParser, RawParser)
    serializer_class = serializers.SpecReadOutput

    @extend_schema(
        operation_id="apis_versions_spec_retrieve", parameters=[DRAFT], responses=OpenApiTypes.OBJECT
    )
    def show(self, request: Request, team: str, slug: str, major: int) -> HttpResponse:
        version = get_object_or_404(
            visible_versions(self.actor), api__team__slug=team, api__slug=slug, major=major
        )
        draft = request.query_params.get("draft", "").lower() in ("1", "true")
        if draft:
            require_drafts(self.actor, version.api.team_id)
        spec = version.spec if draft else shown_spec(version, self.actor)
        if spec is None:
            raise Http404
        text = spec.text if draft else text_without_addresses(spec)
        headers = {"ETag": f'"{spec.digest}"'}
        return HttpResponse(text, content_type="application/json", headers=headers)

    @extend_schema(
        operation_id="apis_versions_spec_update",
        request=DOCUMENT,
        parameters=[DRY_RUN],
        responses=serializers.SpecReadOutput,
    )
    def replace(self, request: Request, team: str, slug: str, major: int) -> Response:
        version = editable_version(self.actor, team, slug, major)
        data, filename = _sent(request)
        before = version.spec.text if version.spec else NO_DOCUMENT
        if request.query_params.get("dry_run", "").lower() in ("1", "true"):
            read = read_document(data, filename)
            shown: dict[str, Any] = {"id": None, "operations": len(read.operations)}
            return self._told(read, compare_documents(before, read.text), shown)
        spec = import_spec(version, actor=self.actor, data=data, filename=filename)
        shown = {"id": spec.public_id, "operations": spec.operations.count()}
        return self._told(spec, compare_documents(before, spec.text), shown)

    def _told(self, document: Any, change: SpecChange, shown: dict[str, Any]) -> Response:
        fields = ("title", "version", "openapi", "digest", "size")
        values = {name: getattr(document, name) for name in fields} | shown | {"changes": change}
        return Response(serializers.SpecReadOutput(values).data)


def _sent(request: Request) -> tuple[bytes, str]:
    """The document and its file name. Raises ValidationError when there is none."""
    if isinstance(request.data, bytes):
        return request.data, ""
    upload = request.FILES.get("file")
    if upload is None:
        raise ValidationError({"file": "Send the document as the field file, or as the body itself."})
    return upload.read(MAX_BYTES + 1), upload.name or ""


class RevisionViewSet(ResourceViewSet[Revision]):
    """Frozen revisions of a version; told to its own team."""

    rules: ClassVar[dict[str, Rule | Verb]] = {"list": Verb.API_VIEW, "create": Verb.API_PUBLISH}
    model = Revision
    serializer_class = serializers.RevisionOutput

    @property
    def version(self) -> ApiVersion:
        return get_object_or_404(
            own_versions(self.actor),
            api__team__slug=self.kwargs["team"],
            api__slug=self.kwargs["slug"],
            major=self.kwargs["major"],
        )

    def get_queryset(self) -> QuerySet[Revision]:
        if getattr(self, "swagger_fake_view", False):
            return Revision.objects.none()
        return Revision.objects.filter(api_version=self.version).select_related("spec", "upstream")

    @extend_schema(request=serializers.RevisionInput, responses={201: serializers.RevisionOutput})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        values = values_of(serializers.RevisionInput, request)
        origins = values.get("cors_origins")
        revision = freeze_revision(
            self.version,
            actor=self.actor,
            note=values.get("note", ""),
            policies=None if origins is None else {"cors_origins": origins},
        )
        return self.answer(revision, status=201)
