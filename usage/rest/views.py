"""Usage over REST: the figures of the pages, and the calls themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from subscriptions.models import Credential
from teams.access import ResourceViewSet
from teams.models import Verb
from usage.models import UsageRecord
from usage.queries import (
    UsageScope,
    apis_of,
    applications_of,
    breakdown,
    complete_until,
    credentials_of,
    gateways_of_api,
    gateways_of_application,
    summary,
    timeseries,
    use_of,
)
from usage.ranges import Window, window
from usage.rest.serializers import (
    BreakdownQuerySerializer,
    FiguresSerializer,
    KeyUseSerializer,
    PointSerializer,
    SliceSerializer,
    SummarySerializer,
    UsageQuerySerializer,
    UsageRecordSerializer,
)

NARROWING = ("environment", "api_version", "subscription", "key_id")
MOST_RECORDS = 200


@extend_schema(tags=["usage"])
class UsageViewSet(ResourceViewSet[UsageRecord]):
    """What an API received or an application called."""

    rules: ClassVar = {
        "summary": Verb.USAGE_VIEW,
        "timeseries": Verb.USAGE_VIEW,
        "breakdown": Verb.USAGE_VIEW,
        "records": Verb.USAGE_VIEW,
    }
    queryset = UsageRecord.objects.none()
    serializer_class = UsageRecordSerializer

    @extend_schema(parameters=[UsageQuerySerializer], responses=SummarySerializer)
    def summary(self, request: Request) -> Response:
        """All calls of a range in one."""
        asked = self._asked(UsageQuerySerializer)
        scope, gateways = self._scope(asked)
        shown = self._window(asked)
        more = {"start": shown.start, "end": shown.end, "complete_until": complete_until(gateways)}
        return Response(FiguresSerializer(summary(scope, shown)).data | more)

    @extend_schema(parameters=[UsageQuerySerializer], responses=PointSerializer(many=True))
    def timeseries(self, request: Request) -> Response:
        """A point per slot of the range, oldest first, empty slots included."""
        asked = self._asked(UsageQuerySerializer)
        scope, _gateways = self._scope(asked)
        points = timeseries(scope, self._window(asked))
        return Response([{"at": at, **FiguresSerializer(figures).data} for at, figures in points])

    @extend_schema(parameters=[BreakdownQuerySerializer], responses=SliceSerializer(many=True))
    def breakdown(self, request: Request) -> Response:
        """Figures per plan, operation, application, environment, gateway, status, key or API, most calls first."""
        asked = self._asked(BreakdownQuerySerializer)
        scope, _gateways = self._scope(asked)
        rows = breakdown(scope, self._window(asked), asked["by"])
        return Response([{"value": value, **FiguresSerializer(figures).data} for value, figures in rows])

    @extend_schema(parameters=[UsageQuerySerializer], responses=UsageRecordSerializer(many=True))
    def records(self, request: Request) -> Response:
        """The newest 200 calls of the range."""
        asked = self._asked(UsageQuerySerializer)
        scope, _gateways = self._scope(asked)
        shown = self._window(asked)
        found = UsageRecord.objects.filter(at__gte=shown.start, at__lt=shown.end, **scope.equal)
        return Response(UsageRecordSerializer(found.order_by("-at")[:MOST_RECORDS], many=True).data)

    def _asked(self, form: type[UsageQuerySerializer]) -> dict[str, Any]:
        query = form(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)

    def _scope(self, asked: dict[str, Any]) -> tuple[UsageScope, list[int]]:
        """The scope asked for, if the token may see it, and the gateways it lives on."""
        narrowing = {name: asked.get(name, "") for name in NARROWING}
        if public_id := asked.get("api"):
            api = apis_of(self.actor).filter(public_id=public_id).first()
            if api is None:
                raise Http404
            return UsageScope({"api": api.public_id}).narrowed(**narrowing), gateways_of_api(api.pk)
        if public_id := asked.get("application"):
            application = applications_of(self.actor).filter(public_id=public_id).first()
            if application is None:
                raise Http404
            scope = UsageScope({"application": application.public_id}).narrowed(**narrowing)
            return scope, gateways_of_application(application.pk)
        raise ValidationError({"api": ["Name an API or an application."]})

    def _window(self, asked: dict[str, Any]) -> Window:
        now: datetime = timezone.now()
        return window(asked["range"], now)


@extend_schema(tags=["credentials"])
class CredentialUsageView(ResourceViewSet[Credential]):
    """Whether a key is used."""

    model = Credential
    queryset = Credential.objects.none()
    serializer_class = KeyUseSerializer
    rules: ClassVar = {"show": Verb.USAGE_VIEW}

    def get_queryset(self) -> QuerySet[Credential]:
        return credentials_of(self.actor)

    @extend_schema(operation_id="credentials_usage_retrieve", responses=KeyUseSerializer)
    def show(self, request: Request, public_id: str) -> Response:
        """When a key was last used, and its calls today: what to look at before a rotation is finished."""
        return Response(KeyUseSerializer(use_of(self.get_object().key_id)).data)
