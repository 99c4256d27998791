"""`apis`, `apis/{team}/{slug}`, who shares it, and the catalogue."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from apis.actions import change_api, create_api, share_api, unshare_api
from apis.catalogue import CatalogueFilters, catalogue, with_offer
from apis.models import Api
from apis.rest import serializers
from apis.rest.reading import own_api, team_named, values_of, visible_api
from teams.access import OPEN, ResourceViewSet, Rule
from teams.models import Team, Verb


class ApiViewSet(ResourceViewSet[Api]):
    """APIs that the token may see."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": OPEN,
        "retrieve": OPEN,
        "create": Verb.API_EDIT,
        "partial_update": Verb.API_EDIT,
    }
    model = Api
    serializer_class = serializers.ApiOutput

    def get_queryset(self) -> QuerySet[Api]:
        return super().get_queryset().select_related("team")

    def get_object(self) -> Api:
        api = visible_api(self.actor, self.kwargs["team"], self.kwargs["slug"])
        self.kwargs = {**self.kwargs, "public_id": api.public_id}
        return super().get_object()

    @extend_schema(
        parameters=[OpenApiParameter("team", str, description="Only those of this team (short name).")]
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        apis = self.get_queryset()
        team = request.query_params.get("team")
        return self.answer_page(apis.filter(team__slug=team) if team else apis)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.answer(self.get_object())

    @extend_schema(request=serializers.ApiInput, responses={201: serializers.ApiOutput})
    def create(self, request: Request) -> Response:
        values = values_of(serializers.ApiInput, request)
        team = team_named(self.actor, values.pop("team"))
        return self.answer(create_api(actor=self.actor, team=team, **values), status=201)

    @extend_schema(request=serializers.ApiChange)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        api = self.get_object()
        return self.answer(change_api(api, actor=self.actor, **values_of(serializers.ApiChange, request)))


class ShareViewSet(ResourceViewSet[Team]):
    """Teams that a private API is shared with; told to its own team."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.API_VIEW,
        "create": Verb.API_EDIT,
        "destroy": Verb.API_EDIT,
    }
    model = Team
    serializer_class = serializers.ShareOutput

    @property
    def api(self) -> Api:
        return own_api(self.actor, self.kwargs["team"], self.kwargs["slug"])

    def get_queryset(self) -> QuerySet[Team]:
        if getattr(self, "swagger_fake_view", False):
            return Team.objects.none()
        return Team.objects.filter(shared_apis__api=self.api)

    @extend_schema(request=serializers.ShareInput, responses={201: serializers.ShareOutput})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        api = self.api
        self.actor.require(Verb.API_EDIT, api.team)
        other = get_object_or_404(Team, slug=values_of(serializers.ShareInput, request)["team"])
        share_api(api, actor=self.actor, team=other)
        return self.answer(other, status=201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        api = self.api
        self.actor.require(Verb.API_EDIT, api.team)
        other = self.get_queryset().filter(slug=self.kwargs["other"]).first()
        if other is None:
            raise Http404
        unshare_api(api, actor=self.actor, team=other)
        return Response(status=204)


class CataloguePages(CursorPagination):
    """The best match first, else by name. Many matches are equally good: the cursor counts within them."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    offset_cutoff = 100_000

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> tuple[str, ...]:
        return ("-score", "id") if "score" in queryset.query.annotations else ("name", "id")


class CatalogueViewSet(ResourceViewSet[Api]):
    """What is on offer."""

    rules: ClassVar[dict[str, Rule | Verb]] = {"list": OPEN}
    model = Api
    serializer_class = serializers.CatalogueEntry
    pagination_class = CataloguePages
    filter_backends = ()

    @extend_schema(parameters=[serializers.CatalogueQuery], operation_id="catalogue_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        query = serializers.CatalogueQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        values = query.validated_data
        filters = CatalogueFilters(text=values.pop("q", ""), tags=tuple(values.pop("tag", ())), **values)
        found = catalogue(self.actor, filters)
        return self.answer_page(with_offer(found))
