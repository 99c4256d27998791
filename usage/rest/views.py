"""Usage over REST: the figures of the pages, and the calls themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from gateways.models import Gateway
from subscriptions.models import Credential, Subscription
from teams.access import ResourceViewSet
from teams.models import Verb
from usage.ai_queries import ai_overview, ai_summary
from usage.aws_queries import differences_on
from usage.models import UsageRecord
from usage.queries import (
    UsageScope,
    apis_of,
    applications_of,
    breakdown,
    completeness,
    credentials_of,
    gateways_of_api,
    gateways_of_application,
    subscriptions_of,
    summary,
    timeseries,
    use_of,
)
from usage.quotas import quotas_of
from usage.ranges import Window, window
from usage.rest.ai_serializers import PointWithAiSerializer, SummaryWithAiSerializer, with_ai
from usage.rest.serializers import (
    BreakdownQuerySerializer,
    BreakdownSerializer,
    CompletenessSerializer,
    FiguresSerializer,
    GatewayCallsSerializer,
    KeyUseSerializer,
    QuotaSerializer,
    RecordQuerySerializer,
    UsageQuerySerializer,
    UsageRecordSerializer,
)

NARROWING = ("environment", "api_version", "subscription", "key_id")
EXACT = ("operation", "plan", "gateway", "method", "status", "request_id")


class ScopedViewSet(ResourceViewSet[UsageRecord]):
    """Reads what an API received or an application called, in a range."""

    queryset = UsageRecord.objects.none()
    serializer_class = UsageRecordSerializer
    pagination_class = None

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


@extend_schema(tags=["usage"])
class UsageViewSet(ScopedViewSet):
    """Sums of what an API received or an application called."""

    rules: ClassVar = {
        "summary": Verb.USAGE_VIEW,
        "timeseries": Verb.USAGE_VIEW,
        "breakdown": Verb.USAGE_VIEW,
    }

    @extend_schema(parameters=[UsageQuerySerializer], responses=SummaryWithAiSerializer)
    def summary(self, request: Request) -> Response:
        """All calls of a range in one."""
        asked = self._asked(UsageQuerySerializer)
        scope, gateways = self._scope(asked)
        shown = self._window(asked)
        more = {"start": shown.start, "end": shown.end}
        whole = CompletenessSerializer(completeness(gateways, shown, scope)).data
        figures = with_ai(summary(scope, shown), ai_summary(scope, shown))
        return Response(figures | more | whole)

    @extend_schema(parameters=[UsageQuerySerializer], responses=PointWithAiSerializer(many=True))
    def timeseries(self, request: Request) -> Response:
        """A point per slot of the range, oldest first, empty slots included."""
        asked = self._asked(UsageQuerySerializer)
        scope, _gateways = self._scope(asked)
        shown = self._window(asked)
        consumed, points = ai_overview(scope, shown), timeseries(scope, shown)
        ai = [figures for _at, figures in consumed.points] if consumed else [None] * len(points)
        return Response(
            [{"at": at, **with_ai(figures, beside)} for (at, figures), beside in zip(points, ai, strict=True)]
        )

    @extend_schema(parameters=[BreakdownQuerySerializer], responses=BreakdownSerializer)
    def breakdown(self, request: Request) -> Response:
        """Figures per plan, operation, application, environment, gateway, status, key or API, most calls first.

        At most `limit` values are listed; `left_out` says how many more there are.
        """
        asked = self._asked(BreakdownQuerySerializer)
        scope, _gateways = self._scope(asked)
        rows = breakdown(scope, self._window(asked), asked["by"], most=asked["limit"])
        listed = rows[: asked["limit"]]
        slices = [{"value": value, **FiguresSerializer(figures).data} for value, figures in listed]
        return Response({"results": slices, "left_out": len(rows) - len(listed)})


class RecordPages(CursorPagination):
    """Newest first."""

    ordering = ("-at", "-feed", "-offset")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


@extend_schema(tags=["usage"])
class UsageRecordViewSet(ScopedViewSet):
    """The calls themselves."""

    rules: ClassVar = {"list": Verb.USAGE_VIEW}
    pagination_class = RecordPages  # type: ignore[assignment]

    @extend_schema(
        operation_id="usage_records_list",
        parameters=[RecordQuerySerializer],
        responses=UsageRecordSerializer(many=True),
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The calls of the range, newest first, as long as calls are kept one by one."""
        asked = self._asked(RecordQuerySerializer)
        scope, _gateways = self._scope(asked)
        shown = self._window(asked)
        equal = {name: asked[name] for name in EXACT if name in asked}
        found = UsageRecord.objects.filter(at__gte=shown.start, at__lt=shown.end, **scope.equal, **equal)
        if "status_class" in asked:
            first = asked["status_class"] * 100
            found = found.filter(status__gte=first, status__lt=first + 100)
        return self.answer_page(found)


@extend_schema(tags=["usage"])
class GatewayCallsView(ResourceViewSet[Gateway]):
    """How whole the counted calls of a gateway are."""

    model = Gateway
    queryset = Gateway.objects.none()
    serializer_class = GatewayCallsSerializer
    pagination_class = None
    rules: ClassVar = {"show": Verb.GATEWAY_VIEW}

    @extend_schema(operation_id="gateways_calls_retrieve", responses=GatewayCallsSerializer)
    def show(self, request: Request, slug: str) -> Response:
        """Up to when its calls are counted, what holds that up, and what was lost in the last day. Days of which AWS
        counted otherwise are told to who runs gateways alone: the last 20 of the last month."""
        gateway = get_object_or_404(Gateway.objects.visible_to(self.actor), slug=slug)
        whole = completeness([gateway.pk], window("24h", timezone.now()))
        trouble = ""
        if self.actor.everywhere(Verb.GATEWAY_MANAGE):
            whole = replace(whole, differences=differences_on(gateway))
            trouble = "".join(one.trouble for one in whole.at_aws)
        return Response(CompletenessSerializer(whole).data | {"trouble": trouble})


@extend_schema(tags=["usage"])
class SubscriptionQuotaView(ResourceViewSet[Subscription]):
    """What is left of the quotas of a subscription."""

    model = Subscription
    queryset = Subscription.objects.none()
    serializer_class = QuotaSerializer
    pagination_class = None
    rules: ClassVar = {"show": Verb.USAGE_VIEW}

    @extend_schema(operation_id="subscriptions_quota_retrieve", responses=QuotaSerializer(many=True))
    def show(self, request: Request, public_id: str) -> Response:
        """One entry per quota of the plan, none where it has none. For both sides."""
        found = subscriptions_of(self.actor).select_related("plan_revision")
        subscription = get_object_or_404(found, public_id=public_id)
        return Response(QuotaSerializer(quotas_of(subscription), many=True).data)


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
