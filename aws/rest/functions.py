"""Lambda functions over REST. Each write calls one action; what it decides is carried out by a push."""

from __future__ import annotations

import base64
import binascii
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from aws import actions
from aws import function_queries as queries
from aws.models import AwsAccount, FunctionAlias, FunctionPush, FunctionVersion, LambdaFunction
from aws.pushes.zips import MOST_BYTES
from aws.rest import function_serializers as shapes
from teams.access import ResourceViewSet, Rule
from teams.models import Actor, Team, Verb


class ZipParser(BaseParser):
    """A zip as the body itself; a byte past the limit is enough to refuse it."""

    media_type = "application/zip"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return bytes(stream.read(MOST_BYTES + 1))


class LambdaFunctionFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package is untyped
    """Narrow by state, team and account."""

    state = django_filters.ChoiceFilter(choices=LambdaFunction.State.choices)
    team = django_filters.CharFilter(field_name="team__slug")
    account = django_filters.CharFilter(field_name="account__slug")

    class Meta:
        model = LambdaFunction
        fields: tuple[str, ...] = ()


class LambdaFunctionViewSet(ResourceViewSet[LambdaFunction]):
    """Lambda functions of the token's teams."""

    model = LambdaFunction
    queryset = LambdaFunction.objects.none()
    serializer_class = shapes.LambdaFunctionOut
    filterset_class = LambdaFunctionFilter
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.FUNCTION_VIEW,
        "retrieve": Verb.FUNCTION_VIEW,
        "create": Verb.FUNCTION_EDIT,
        "adopt": Verb.FUNCTION_EDIT,
        "partial_update": Verb.FUNCTION_EDIT,
        "code": Verb.FUNCTION_EDIT,
        "reserved": Verb.FUNCTION_EDIT,
        "versions": Verb.FUNCTION_VIEW,
        "publish": Verb.FUNCTION_EDIT,
        "prune": Verb.FUNCTION_EDIT,
        "aliases": Verb.FUNCTION_VIEW,
        "pushes": Verb.FUNCTION_VIEW,
        "push": Verb.FUNCTION_EDIT,
        "remove": Verb.FUNCTION_EDIT,
    }

    def get_queryset(self) -> QuerySet[LambdaFunction]:
        return queries.with_pushes(super().get_queryset())

    def _shown(self, function: LambdaFunction, status: int = 200) -> Response:
        return self.answer(self.get_queryset().get(pk=function.pk), status=status)

    @extend_schema(request=shapes.FunctionIn, responses={201: shapes.LambdaFunctionOut})
    @sensitive_variables("values")
    def create(self, request: Request) -> Response:
        """Make a function. Follow its push at `pushes/{last_push.id}`."""
        values = read(request, shapes.FunctionIn)
        place = _place(self.actor, values)
        content = _decoded(values.pop("zip", ""))
        given = {name: values.pop(name, "") for name in ("name", "slug", "image_uri")}
        made = actions.create_function(
            actor=self.actor, place=place, content=content, values=actions.FunctionValues(**values), **given
        )
        return self._shown(made, 201)

    @extend_schema(request=shapes.FunctionAdoptIn, responses={201: shapes.LambdaFunctionOut})
    @action(detail=False, methods=["post"])
    def adopt(self, request: Request) -> Response:
        """Take over a function that is in an account already. Its push reads it, and changes nothing."""
        values = read(request, shapes.FunctionAdoptIn)
        place = _place(self.actor, values)
        return self._shown(actions.adopt_function(actor=self.actor, place=place, **values), 201)

    @extend_schema(request=shapes.FunctionChange)
    @sensitive_variables("values")
    def partial_update(self, request: Request, public_id: str) -> Response:
        """Change what is given; a push brings AWS to it."""
        function, values = self.get_object(), read(request, shapes.FunctionChange)
        name = values.pop("name", None)
        given = actions.FunctionValues(**values)
        return self._shown(actions.change_function(function, actor=self.actor, name=name, values=given))

    @extend_schema(
        request={"application/zip": OpenApiTypes.BINARY, "application/json": shapes.ImageIn},
        responses=shapes.CodeOut,
    )
    @action(detail=True, methods=["put"], parser_classes=[ZipParser, JSONParser])
    def code(self, request: Request, public_id: str) -> Response:
        """Hand in other code: the zip as the body itself (at most 50 MB), or JSON that names an image."""
        function = self.get_object()
        if isinstance(request.data, bytes):
            code = actions.upload_code(function, actor=self.actor, content=request.data)
        else:
            code = actions.upload_code(function, actor=self.actor, **read(request, shapes.ImageIn))
        return Response(shapes.CodeOut(code).data)

    @extend_schema(request=shapes.ReservedIn)
    @action(detail=True, methods=["put"])
    def reserved(self, request: Request, public_id: str) -> Response:
        """Keep so many calls at once for it, and no more."""
        function, values = self.get_object(), read(request, shapes.ReservedIn)
        return self._shown(actions.set_reserved(function, actor=self.actor, **values))

    @extend_schema(responses=shapes.FunctionVersionOut(many=True), filters=False)
    @action(detail=True)
    def versions(self, request: Request, public_id: str) -> Response:
        """Its versions, the newest first."""
        page: Any = self.paginate_queryset(queries.shown_versions(self.get_object()))  # type: ignore[arg-type]
        return self.get_paginated_response(shapes.FunctionVersionOut(page, many=True).data)

    @extend_schema(request=shapes.VersionIn, responses={202: shapes.FunctionVersionOut})
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, public_id: str) -> Response:
        """Freeze code and configuration as a version. AWS gives the number during the push."""
        function, values = self.get_object(), read(request, shapes.VersionIn)
        version = actions.publish_version(function, actor=self.actor, **values)
        return Response(shapes.FunctionVersionOut(version).data, status=202)

    @extend_schema(request=None, responses=shapes.FunctionVersionOut(many=True), filters=False)
    @action(detail=True, methods=["post"], pagination_class=None)
    def prune(self, request: Request, public_id: str) -> Response:
        """Delete old versions that no alias needs; those that were chosen."""
        chosen = actions.prune_versions(self.get_object(), actor=self.actor)
        return Response(shapes.FunctionVersionOut(chosen, many=True).data)

    @extend_schema(responses=shapes.FunctionAliasOut(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def aliases(self, request: Request, public_id: str) -> Response:
        """Its aliases, by name."""
        return Response(shapes.FunctionAliasOut(queries.shown_aliases(self.get_object()), many=True).data)

    @extend_schema(responses=shapes.FunctionPushOut(many=True), filters=False)
    @action(detail=True)
    def pushes(self, request: Request, public_id: str) -> Response:
        """Its pushes, the newest first."""
        found = (
            FunctionPush.objects.filter(function=self.get_object()).select_related("function").order_by("-id")
        )
        page: Any = self.paginate_queryset(found)  # type: ignore[arg-type]
        return self.get_paginated_response(shapes.FunctionPushOut(page, many=True).data)

    @extend_schema(request=None, responses={202: shapes.FunctionPushOut})
    @action(detail=True, methods=["post"])
    def push(self, request: Request, public_id: str) -> Response:
        """Take up what failed, or compare with AWS."""
        push = actions.push_again(self.get_object(), actor=self.actor)
        where = f"/api/v1/aws-functions/{public_id}/pushes/{push.public_id}"
        return Response(shapes.FunctionPushOut(push).data, status=202, headers={"Location": where})

    @extend_schema(request=shapes.FunctionNoteIn)
    @action(detail=True, methods=["post"], url_path="delete")
    def remove(self, request: Request, public_id: str) -> Response:
        """Delete it in AWS with all versions; an adopted one is let go. Refused while an API uses it."""
        function, values = self.get_object(), read(request, shapes.FunctionNoteIn)
        return self._shown(actions.delete_function(function, actor=self.actor, **values))


class FunctionPushViewSet(ResourceViewSet[FunctionPush]):
    """Pushes of one function."""

    model = FunctionPush
    queryset = FunctionPush.objects.none()
    serializer_class = shapes.FunctionPushWhole
    lookup_url_kwarg = "push"
    rules: ClassVar[dict[str, Rule | Verb]] = {"retrieve": Verb.FUNCTION_VIEW}

    def get_queryset(self) -> QuerySet[FunctionPush]:
        found = super().get_queryset().filter(function__public_id=self.kwargs.get("public_id", ""))
        return found.select_related("function").prefetch_related("steps")


class FunctionAliasViewSet(ResourceViewSet[FunctionAlias]):
    """One alias of a function."""

    model = FunctionAlias
    queryset = FunctionAlias.objects.none()
    serializer_class = shapes.FunctionAliasOut
    lookup_field = "name"
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "retrieve": Verb.FUNCTION_VIEW,
        "replace": Verb.FUNCTION_EDIT,
        "roll_back": Verb.FUNCTION_EDIT,
        "provisioned": Verb.FUNCTION_EDIT,
        "remove": Verb.FUNCTION_EDIT,
    }

    def get_queryset(self) -> QuerySet[FunctionAlias]:
        found = FunctionAlias.objects.visible_to(self.actor).current()
        found = found.filter(function__public_id=self.kwargs.get("public_id", ""))
        return found.select_related("function__team", "version", "second", "previous")

    @extend_schema(request=shapes.AliasIn)
    def replace(self, request: Request, public_id: str, name: str) -> Response:
        """Let an alias stand for a version, or for two; it is made where there is none."""
        function = get_object_or_404(LambdaFunction.objects.visible_to(self.actor), public_id=public_id)
        if self.get_queryset().filter(name=name).exists():
            self.get_object()  # checks If-Match
        values = read(request, shapes.AliasIn)
        versions = {field: _version(function, field, values[field]) for field in ("version", "second")}
        alias = actions.set_alias(
            function,
            actor=self.actor,
            name=name,
            weight=values["weight"],
            **versions,  # type: ignore[arg-type]
        )
        return self.answer(self.get_queryset().get(pk=alias.pk))

    @extend_schema(request=None)
    def roll_back(self, request: Request, public_id: str, name: str) -> Response:
        """Back: all calls to the first of two versions, else to what it stood for before."""
        return self.answer(actions.roll_back_alias(self.get_object(), actor=self.actor))

    @extend_schema(request=shapes.ProvisionedIn)
    def provisioned(self, request: Request, public_id: str, name: str) -> Response:
        """Keep so many environments warm."""
        alias, values = self.get_object(), read(request, shapes.ProvisionedIn)
        return self.answer(actions.set_provisioned(alias, actor=self.actor, **values))

    @extend_schema(responses={204: None})
    def remove(self, request: Request, public_id: str, name: str) -> Response:
        """Take it away."""
        actions.remove_alias(self.get_object(), actor=self.actor)
        return Response(status=204)


def read(request: Request, shape: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The body as values of `shape`. Raises ValidationError."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _place(actor: Actor, values: dict[str, Any]) -> actions.Place:
    """Team and account that the actor sees, or 404; their names are taken out of `values`."""
    team = get_object_or_404(Team.objects.visible_to(actor), slug=values.pop("team"))
    account = get_object_or_404(AwsAccount.objects.visible_to(actor), slug=values.pop("account"))
    return actions.Place(team, account, values.pop("region"))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError(
            {"zip": ["This is no base64. Encode the zip with `base64 -w0 function.zip`."]}
        ) from error


def _version(function: LambdaFunction, field: str, number: int | None) -> FunctionVersion | None:
    if number is None:
        return None
    found = FunctionVersion.objects.filter(function=function, number=number).first()
    if found is None:
        raise ValidationError({field: [f"There is no version {number}. Publish one, or name another."]})
    return found
