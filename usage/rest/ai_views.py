"""AI calls over REST: what they consumed by model, prompt and caller, and each of them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from apis.models import Api
from teams.models import Verb
from usage.ai_queries import ai_overview, body_of, run_named, runs_in
from usage.models import AiRun
from usage.queries import UsageScope
from usage.rest.ai_serializers import (
    AiBreakdownQuerySerializer,
    AiBreakdownSerializer,
    AiFiguresSerializer,
    AiRecordQuerySerializer,
    AiRecordSerializer,
    LoggedBodySerializer,
)
from usage.rest.serializers import UsageQuerySerializer
from usage.rest.views import ScopedViewSet
from usage.run_words import told

EXACT = ("plan", "prompt", "request_id", "run", "cache", "status")


class AiPages(CursorPagination):
    """Newest first."""

    ordering = ("-at", "-pk")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


@extend_schema(tags=["usage"])
class AiUsageViewSet(ScopedViewSet):
    """What AI calls to an API, or of an application, consumed, and the calls themselves."""

    rules: ClassVar = {
        "breakdown": Verb.USAGE_VIEW,
        "list": Verb.USAGE_VIEW,
        "retrieve": Verb.USAGE_VIEW,
        "body": Verb.USAGE_VIEW,
    }
    serializer_class = AiRecordSerializer  # type: ignore[assignment]
    pagination_class = AiPages  # type: ignore[assignment]

    def _asked_of_ai(self, form: type[UsageQuerySerializer]) -> tuple[dict[str, Any], UsageScope]:
        asked = self._asked(form)
        if asked.get("key_id"):
            raise ValidationError({"key_id": ["AI calls are told apart by subscription, not by key."]})
        return asked, self._scope(asked)[0]

    @extend_schema(
        operation_id="usage_ai_breakdown_retrieve",
        parameters=[AiBreakdownQuerySerializer],
        responses=AiBreakdownSerializer,
    )
    def breakdown(self, request: Request) -> Response:
        """What was consumed per model, prompt version, application, subscription, plan, environment or API, most tokens
        first.

        At most `limit` values are listed; `left_out` says how many more there are.
        """
        asked, scope = self._asked_of_ai(AiBreakdownQuerySerializer)
        found = ai_overview(scope, self._window(asked), [asked["by"]])
        rows = found.breakdowns[asked["by"]] if found else []
        listed = rows[: asked["limit"]]
        slices = [{"value": value, **AiFiguresSerializer(figures).data} for value, figures in listed]
        return Response({"results": slices, "left_out": len(rows) - len(listed)})

    @extend_schema(
        operation_id="usage_ai_records_list",
        parameters=[AiRecordQuerySerializer],
        responses=AiRecordSerializer(many=True),
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The AI calls of the range with their attempts, newest first, as long as calls are kept one by one."""
        asked, scope = self._asked_of_ai(AiRecordQuerySerializer)
        equal = {name: asked[name] for name in EXACT if name in asked}
        found = runs_in(scope, self._window(asked), model=asked.get("model", ""), **equal)
        page: list[AiRun] = self.paginate_queryset(found) or []  # type: ignore[arg-type]
        shown = [AiRecordSerializer(one).data for one in told(page)]
        return self.get_paginated_response(shown)

    @extend_schema(operation_id="usage_ai_records_retrieve", responses=AiRecordSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One AI call with its attempts, for the team of the API and that of the application."""
        return Response(AiRecordSerializer(told([self._run()])[0]).data)

    @extend_schema(operation_id="usage_ai_records_body_retrieve", responses=LoggedBodySerializer)
    def body(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What was asked and answered, redacted, where the team of the API keeps that: for its own members.

        404 where nothing is kept, or not any more.
        """
        run = self._run()
        owner = Api.objects.filter(public_id=run.api).values_list("team_id", flat=True).first()
        self.actor.require(Verb.BODY_VIEW, owner or 0)
        found = body_of(run)
        if found is None:
            raise Http404
        return Response(LoggedBodySerializer(found).data)

    def _run(self) -> AiRun:
        run = run_named(self.actor, self.kwargs["run"])
        if run is None:
            raise Http404
        return run
