"""What is not as it should be: the page, one finding, and the three things to do about it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from audit.models import ActionRefused
from gateways.actions import adopt_drift, ignore_drift, overwrite_drift
from gateways.forms import IgnoreDriftForm
from gateways.models import DriftFinding, Gateway
from gateways.queries.drift import adoptable_by, looks, visible_findings
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.models import Verb

State = DriftFinding.State
SHOWS = {
    "open": (State.OPEN,),
    "ignored": (State.IGNORED,),
    "ended": (State.ADOPTED, State.OVERWRITTEN, State.GONE),
}
PER_PAGE = 25


@page(Verb.GATEWAY_VIEW)
def drift_list(request: HtmxHttpRequest) -> HttpResponse:
    """Everything found on all gateways, or on one of them (`?gateway=`)."""
    gateways = Gateway.objects.visible_to(request.actor).active().order_by("name")
    chosen = gateways.filter(slug=request.GET.get("gateway", "")).first()
    shown = request.GET.get("show", "")
    shown = shown if shown in SHOWS else "open"
    found = _of(request, chosen)
    rows = Paginator(_shown(found, shown), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "rows": rows,
        "items": _items(request, list(rows.object_list)),
        "shown": shown,
        "chosen": chosen,
        "looks": looks(gateways),
        "waiting": found.filter(state=State.OPEN).count(),
        "ignored": found.filter(state=State.IGNORED).count(),
        **_common(request),
    }
    return render(request, "gateways/drift.html", context)


def _of(request: HtmxHttpRequest, gateway: Gateway | None) -> QuerySet[DriftFinding]:
    found = visible_findings(request.actor).filter(gateway__retired_at=None)
    return found.filter(gateway=gateway) if gateway else found


def _shown(found: QuerySet[DriftFinding], shown: str) -> QuerySet[DriftFinding]:
    order = ("-decided_at", "-pk") if shown == "ended" else ("-urgent", "gateway__name", "node", "-pk")
    return found.filter(state__in=SHOWS[shown]).order_by(*order)


def _items(request: HtmxHttpRequest, rows: list[DriftFinding]) -> list[dict[str, Any]]:
    adoptable = adoptable_by(rows, request.actor)
    return [{"finding": row, "adoptable": row.pk in adoptable, "form": _form(row)} for row in rows]


def _form(finding: DriftFinding, data: Any = None) -> IgnoreDriftForm:
    """Several stand on one page, so each has ids of its own."""
    return IgnoreDriftForm(data, auto_id=f"{finding.public_id}-%s")


def _common(request: HtmxHttpRequest) -> dict[str, Any]:
    return {
        "may_manage": request.actor.everywhere(Verb.GATEWAY_MANAGE),
        "sees_all": request.actor.everywhere(Verb.GATEWAY_VIEW),
    }


@page(Verb.GATEWAY_VIEW)
def drift_finding(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """One finding, also when it is over."""
    return _show(request, _found(request, public_id))


@page(Verb.GATEWAY_MANAGE, methods=("POST",))
def drift_overwrite(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Push what was decided over it; leads to the push."""
    finding = _found(request, public_id)
    try:
        deployment = overwrite_drift(finding, actor=request.actor)
    except ActionRefused as refused:
        return _show(request, _found(request, public_id), refused=refused.message, status=refused.status)
    if htmx_partial(request):
        return _show(request, _found(request, public_id))
    return redirect("deployment-detail", deployment.public_id)


@page(Verb.GATEWAY_MANAGE, methods=("POST",))
def drift_adopt(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Make it the decision."""
    finding = _found(request, public_id)
    try:
        adopt_drift(finding, actor=request.actor)
    except ActionRefused as refused:
        return _show(request, _found(request, public_id), refused=refused.message, status=refused.status)
    except ValidationError as invalid:
        return _show(request, _found(request, public_id), refused=" ".join(invalid.messages), status=422)
    except PermissionDenied as denied:
        return _show(request, _found(request, public_id), refused=str(denied), status=403)
    return _done(request, finding, _("Adopted: %(what)s. Other gateways that serve it follow now."))


@page(Verb.GATEWAY_MANAGE, methods=("POST",))
def drift_ignore(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Let it be, with a reason."""
    finding = _found(request, public_id)
    form = _form(finding, request.POST)
    if not form.is_valid():
        return _show(request, finding, form=form, status=422)
    try:
        ignore_drift(finding, actor=request.actor, reason=form.cleaned_data["reason"])
    except ActionRefused as refused:
        return _show(request, _found(request, public_id), refused=refused.message, status=refused.status)
    return _done(request, finding, _("Ignored until something else is there: %(what)s."))


def _found(request: HtmxHttpRequest, public_id: str) -> DriftFinding:
    return get_object_or_404(visible_findings(request.actor), public_id=public_id)


def _done(request: HtmxHttpRequest, finding: DriftFinding, words: str) -> HttpResponse:
    if htmx_partial(request):
        return _show(request, _found(request, finding.public_id))
    messages.success(request, words % {"what": finding.label})
    return redirect("drift")


def _show(
    request: HtmxHttpRequest,
    finding: DriftFinding,
    *,
    form: IgnoreDriftForm | None = None,
    refused: str = "",
    status: int = 200,
) -> HttpResponse:
    [item] = _items(request, [finding])
    item |= {"form": form or item["form"], "ignoring": form is not None, "refused": refused}
    context = {"item": item, **_common(request)}
    if htmx_partial(request):
        # A refusal is shown in its place, with the state as it is by now; htmx swaps 2xx and 422.
        return render(request, "gateways/drift.html#finding", context, status=422 if status > 400 else status)
    return render(request, "gateways/drift_finding.html", context, status=status)
