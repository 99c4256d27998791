"""The audit trail: a page, a page after it, and the same as CSV."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from audit.models import AuditEvent
from audit.queries import Filters, export_lines, find_events
from teams.access import HtmxHttpRequest, page
from teams.forms import TrailForm
from teams.models import Team, Verb
from teams.queries import team_id_called, visible_events

EVENTS_A_PAGE = 50


@page(Verb.AUDIT_VIEW)
def trail(request: HtmxHttpRequest) -> HttpResponse:
    """Events that the actor may see, newest first; `before` is the id of the last one of the page before."""
    form = TrailForm(request.GET)
    events = _found(request, form)
    cursor = visible_events(request.actor).filter(public_id=request.GET.get("before", "")).first()
    if cursor is not None:
        events = events.filter(id__lt=cursor.pk)
    listed = list(events[: EVENTS_A_PAGE + 1])
    shown, more = listed[:EVENTS_A_PAGE], len(listed) > EVENTS_A_PAGE
    asked = {key: value for key, value in request.GET.items() if value and key != "before"}
    context = {
        "form": form,
        "events": shown,
        "filtered": bool(asked),
        "query": urlencode(asked),
        "older": urlencode({**asked, "before": shown[-1].public_id}) if more else "",
        "later": cursor is not None,
        "teams": _names_of_teams(shown),
    }
    return render(request, "audit/event_list.html", context, status=422 if form.errors else 200)


@page(Verb.AUDIT_VIEW)
def trail_export(request: HtmxHttpRequest) -> StreamingHttpResponse:
    """Everything that the filters find, as CSV."""
    lines = export_lines(_found(request, TrailForm(request.GET)))
    name = f"gatehouse-audit-{datetime.now(UTC):%Y%m%d-%H%M}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _found(request: HtmxHttpRequest, form: TrailForm) -> QuerySet[AuditEvent]:
    events = visible_events(request.actor)
    if not form.is_valid():
        return events.none()
    values: dict[str, Any] = {key: value for key, value in form.cleaned_data.items() if value}
    team = values.pop("team", "")
    return find_events(events, Filters(team_id=team_id_called(team) if team else "", **values))


def _names_of_teams(events: list[AuditEvent]) -> dict[str, Team]:
    ids = {event.team_id for event in events if event.team_id}
    return {team.public_id: team for team in Team.objects.filter(public_id__in=ids)}
