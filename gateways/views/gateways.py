"""Gateways: the list, one of them, and its pushes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from audit.models import ActionRefused, AuditEvent
from gateways.actions import (
    change_gateway,
    create_gateway,
    request_comparison,
    retire_gateway,
    retire_node,
    set_token,
)
from gateways.actions.previews import preview_gateway
from gateways.forms import AnyGatewayForm, AwsGatewayForm, GatewayForm, WithdrawForm
from gateways.models import AppliedObject, Deployment, Gateway, GatewayNode, Publication
from gateways.queries.addresses import addresses_of, with_places
from gateways.queries.aws_held import held_there
from gateways.queries.aws_places import free_aws_places
from gateways.queries.capabilities import features_of
from gateways.queries.drift import drift_waiting, looks
from gateways.queries.history import elapsed, proven_of, shown_steps
from gateways.queries.overview import Sync, newest_deployments, overviews, visible_part
from gateways.views.lookup import find_gateway, managed_gateway
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.models import Verb

State = Deployment.State
MOVING = (Sync.PUSHING, Sync.WAITING)
MOST_TOGETHER = 8
PER_PAGE = 15
PUBLISHED_PER_PAGE = 50
BY_ADDRESS = (
    "environment__position",
    "environment__slug",
    "api_version__api__name",
    "-api_version__major",
    "pk",
)


@page(Verb.GATEWAY_VIEW)
def gateway_list(request: HtmxHttpRequest) -> HttpResponseBase:
    """Every gateway with its state."""
    gateways = Gateway.objects.visible_to(request.actor)
    shown = overviews(gateways.active().order_by("name"), request.actor)
    context = {
        "overviews": shown,
        "retired": gateways.filter(retired_at__isnull=False).count(),
        "moving": any(one.sync in MOVING for one in shown),
        "findings": drift_waiting(request.actor),
        "may_manage": request.actor.everywhere(Verb.GATEWAY_MANAGE),
    }
    template = "gateways/gateway_list.html" + ("#list" if htmx_partial(request) else "")
    return render(request, template, context)


@page(Verb.GATEWAY_VIEW)
def gateway_detail(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """One gateway: nodes, listeners, what is published, what was pushed."""
    gateway = find_gateway(request, slug)
    [overview] = overviews(Gateway.objects.filter(pk=gateway.pk), request.actor)
    everything = Publication.objects.current().filter(gateway=gateway)
    visible = everything.filter(api_version__api__team__in=request.actor.team_ids(Verb.API_VIEW))
    if request.actor.everywhere(Verb.API_VIEW):
        visible = everything
    published = Paginator(with_places(visible).order_by(*BY_ADDRESS), PUBLISHED_PER_PAGE)
    page_of_published = published.get_page(request.GET.get("published"))
    context = {
        "gateway": gateway,
        "overview": overview,
        "published": page_of_published,
        "addresses": addresses_of(page_of_published.object_list),
        "others": everything.count() - published.count,
        "deployments": Paginator(newest_deployments(gateway), PER_PAGE).get_page(request.GET.get("page")),
        "held": _held_back(gateway, request),
        "features": sorted(features_of(gateway)),
        "at_aws": held_there(gateway) if gateway.is_at_aws else [],
        "moving": overview.sync in MOVING,
        "look": looks([gateway])[0],
        "may_manage": request.actor.everywhere(Verb.GATEWAY_MANAGE),
        "may_compare": request.actor.may(Verb.GATEWAY_COMPARE),
    }
    template = "gateways/gateway_detail.html" + ("#state" if htmx_partial(request) else "")
    return render(request, template, context)


def _held_back(gateway: Gateway, request: HtmxHttpRequest) -> Any:
    rows = AppliedObject.objects.filter(gateway=gateway).exclude(held_back_reason="")
    notes = [
        {"kind": row.kind, "id": row.object_id, "text": row.held_back_reason, "held": True}
        for row in rows.order_by("kind", "object_id")[:200]
    ]
    return visible_part([], notes, 0, request.actor).notes


@page(Verb.GATEWAY_VIEW)
def gateway_pending(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """What a push would change now; looks at the gateway."""
    gateway = find_gateway(request, slug)
    preview = preview_gateway(gateway, actor=request.actor)
    kinds = Counter(change["kind"] for change in preview.part.changes) if preview.part else Counter()
    context = {"gateway": gateway, "preview": preview, "kinds": sorted(kinds.items())}
    template = "gateways/gateway_pending.html" + ("#pending" if htmx_partial(request) else "")
    return render(request, template, context)


@page(Verb.GATEWAY_COMPARE, methods=("POST",))
def gateway_compare(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """Compare now, and push what differs; leads to the page that shows it."""
    deployment = request_comparison(find_gateway(request, slug), actor=request.actor)
    return redirect("deployment-detail", deployment.public_id)


@page(Verb.GATEWAY_VIEW)
def deployment_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """One push, or several that began together (`?with=`), live while they run."""
    visible = Deployment.objects.visible_to(request.actor).select_related("gateway")
    deployment = get_object_or_404(visible, public_id=public_id)
    named = [name for name in request.GET.get("with", "").split(",") if name][:MOST_TOGETHER]
    together = [deployment, *visible.filter(public_id__in=named).exclude(pk=deployment.pk)]
    cards = [_card(one, request) for one in together]
    context = {
        "deployment": deployment,
        "cards": cards,
        "moving": any(card["moving"] for card in cards),
        "query": request.GET.urlencode(),
        "publication": _caused_by(deployment, request),
        "may_force": request.actor.everywhere(Verb.GATEWAY_MANAGE),
    }
    template = "gateways/deployment_detail.html" + ("#live" if htmx_partial(request) else "")
    return render(request, template, context)


def _card(deployment: Deployment, request: HtmxHttpRequest) -> dict[str, Any]:
    total = deployment.created_count + deployment.updated_count + deployment.deleted_count
    part = visible_part(deployment.changes, deployment.notes, total, request.actor)
    whole = part.whole or request.actor.everywhere(Verb.GATEWAY_VIEW)
    later = deployment.later if deployment.is_over and deployment.state != State.SUCCEEDED else None
    return {
        "deployment": deployment,
        "later": later,
        "moving": _moves(deployment, later),
        "steps": shown_steps(deployment, list(deployment.steps.all()), details=whole),
        "part": part,
        "total": total,
        "proven": proven_of(deployment) if deployment.runs > 1 or deployment.is_waiting else None,
        "whole": whole,
        "took": elapsed(deployment),
    }


def _moves(deployment: Deployment, later: Deployment | None) -> bool:
    """Whether the page has something to wait for: the run itself, or the attempt after one that broke off."""
    if not deployment.is_over:
        return True
    if later is not None:
        return not later.is_over
    gateway = deployment.gateway
    return (
        deployment.state == State.FAILED and gateway.retired_at is None and gateway.behind_since is not None
    )


def _caused_by(deployment: Deployment, request: HtmxHttpRequest) -> Publication | None:
    """The publication whose event led to it, if it is one of the reader's own."""
    event = AuditEvent.objects.filter(public_id=deployment.cause, target_kind="publication").first()
    if event is None:
        return None
    found: Publication | None = (
        with_places(Publication.objects.visible_to(request.actor)).filter(public_id=event.target_id).first()
    )
    own = found is not None and request.actor.may(Verb.API_VIEW, found.api_version.api.team)
    return found if own else None


@page(Verb.GATEWAY_VIEW, methods=("POST",))
def deployment_force(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Confirm deletions that were held back: push everything."""
    visible = Deployment.objects.visible_to(request.actor).select_related("gateway")
    deployment = get_object_or_404(visible, public_id=public_id)
    forced = request_comparison(deployment.gateway, actor=request.actor, forced=True)
    return redirect("deployment-detail", forced.public_id)


@page(Verb.GATEWAY_MANAGE, methods=("GET", "POST"))
@sensitive_variables("token")
def gateway_create(request: HtmxHttpRequest) -> HttpResponseBase:
    """Register a gateway; its token is shown once, on the answer itself. `?kind=aws` is for one without agents."""
    if request.GET.get("kind") == Gateway.Kind.AWS:
        return _register_at_aws(request)
    form = GatewayForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            gateway, token = create_gateway(
                actor=request.actor,
                slug=values["slug"],
                name=values["name"],
                kind=values["kind"],
                listeners=form.listeners(),
            )
            return _show_token(request, gateway, token)
        except ValidationError as error:
            _add_errors(form, error)
    return _form_page(request, "gateways/gateway_form.html", {"form": form})


def _register_at_aws(request: HtmxHttpRequest) -> HttpResponseBase:
    places = free_aws_places(request.actor)
    form = AwsGatewayForm(request.POST or None, places=places)
    if request.method == "POST" and form.is_valid():
        place, values = form.place_of(), form.cleaned_data
        try:
            gateway, _no_token = create_gateway(
                actor=request.actor,
                slug=values["slug"],
                name=values["name"],
                kind=Gateway.Kind.AWS,
                listeners=form.listeners(),
                aws_account=place.account,
                aws_region=place.region,
            )
            messages.success(request, _("Registered. APIs can be published on it now."))
            return redirect("gateway-detail", gateway.slug)
        except ValidationError as error:
            _add_errors(form, error)
    return _form_page(request, "gateways/gateway_form.html", {"form": form, "at_aws": True, "places": places})


@page(Verb.GATEWAY_VIEW, methods=("GET", "POST"))
def gateway_edit(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """Change name and listeners."""
    gateway = managed_gateway(request, slug)
    form_class = AwsGatewayForm if gateway.is_at_aws else GatewayForm
    form = form_class(request.POST or None, gateway=gateway)
    if request.method == "POST" and form.is_valid():
        try:
            change_gateway(
                gateway,
                actor=request.actor,
                name=form.cleaned_data["name"],
                listeners=form.listeners(),
                drift_policy=form.cleaned_data["drift_policy"],
            )
            messages.success(request, _("Saved. Changed listeners are pushed now."))
            return redirect("gateway-detail", gateway.slug)
        except ValidationError as error:
            _add_errors(form, error)
        except ActionRefused as refused:
            form.add_error(None, refused.message)
    context = {"form": form, "gateway": gateway, "at_aws": gateway.is_at_aws}
    return _form_page(request, "gateways/gateway_form.html", context)


@page(Verb.GATEWAY_VIEW, methods=("GET", "POST"))
@sensitive_variables("token")
def gateway_token(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """Replace the token of the agents."""
    gateway = managed_gateway(request, slug)
    if gateway.is_at_aws:  # there are none
        raise Http404
    if request.method == "POST":
        token = set_token(gateway, actor=request.actor)
        return _show_token(request, gateway, token)
    return render(request, "gateways/gateway_token_confirm.html", {"gateway": gateway})


@page(Verb.GATEWAY_VIEW, methods=("GET", "POST"))
def gateway_retire(request: HtmxHttpRequest, slug: str) -> HttpResponseBase:
    """End a gateway that serves nothing any more."""
    gateway = managed_gateway(request, slug)
    form = WithdrawForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            retire_gateway(gateway, actor=request.actor, note=form.cleaned_data["reason"])
            messages.success(request, _("%(gateway)s is retired.") % {"gateway": gateway})
            return redirect("gateways")
        except ActionRefused as refused:
            form.add_error(None, refused.message)
    return _form_page(request, "gateways/gateway_retire.html", {"form": form, "gateway": gateway})


@page(Verb.GATEWAY_VIEW, methods=("POST",))
def node_retire(request: HtmxHttpRequest, slug: str, public_id: str) -> HttpResponseBase:
    """Stop waiting for a node that is gone."""
    gateway = managed_gateway(request, slug)
    node = get_object_or_404(GatewayNode, gateway=gateway, public_id=public_id, retired_at=None)
    retire_node(node, actor=request.actor)
    messages.success(request, _("%(node)s is not waited for any more.") % {"node": node})
    return redirect("gateway-detail", gateway.slug)


@sensitive_variables("token")
def _show_token(request: HtmxHttpRequest, gateway: Gateway, token: str) -> HttpResponseBase:
    context = {"gateway": gateway, "token": token}
    answer = render(request, "gateways/gateway_token.html", context, status=201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _form_page(request: HtmxHttpRequest, template: str, context: dict[str, Any]) -> HttpResponseBase:
    return render(request, template, context, status=422 if request.method == "POST" else 200)


def _add_errors(form: AnyGatewayForm, error: ValidationError) -> None:
    """Errors of the action where the form has such a field, else above it."""
    fields = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    for name, words in fields.items():
        field = "place" if name in ("aws_account", "aws_region") else name
        form.add_error(field if field in form.fields else None, words)
