"""Publishing a version, and what becomes of its publications."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from apis.models import ApiVersion
from audit.models import ActionRefused
from gateways import enforcement
from gateways.actions import preview_publishing, publish_to, roll_back, withdraw
from gateways.actions.publications import default_base_path
from gateways.forms import PublishForm, RollBackForm, WithdrawForm
from gateways.going_back import kept_at_aws
from gateways.models import Deployment, Publication
from gateways.queries.addresses import addresses_of, with_places
from gateways.queries.places import chosen_at_first, place_options
from gateways.views.lookup import own_publication, own_version, publishable_version
from subscriptions.models import Subscription
from teams.access import SIGNED_IN, HtmxHttpRequest, htmx_partial, page
from teams.models import Verb


@page(Verb.API_PUBLISH, methods=("GET", "POST"))
def publication_create(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """Choose where, see what changes, publish; the push can be watched on the next page.

    By htmx, and with `?preview`, the answer shows what the chosen places would be given.
    """
    version = publishable_version(request, team, slug, major)
    options = place_options(version, request.actor)
    form = _publish_form(request, options)
    error = ""
    if request.method == "POST" and form.is_valid():
        try:
            made = publish_to(
                version,
                form.chosen(),
                actor=request.actor,
                note=form.cleaned_data["note"],
                base_path=form.cleaned_data["base_path"],
                seen=request.POST.get("draft", ""),
            )
            return redirect(_progress_url(made))
        except ActionRefused as refused:
            error = refused.message
    return _publish_page(request, version, options, form, error)


def _publish_form(request: HtmxHttpRequest, options: list[Any]) -> PublishForm:
    if request.method == "POST":
        return PublishForm(request.POST, options=options)
    if "preview" in request.GET:
        return PublishForm(request.GET, options=options)
    return PublishForm(initial={"places": chosen_at_first(options)}, options=options)


def _publish_page(
    request: HtmxHttpRequest, version: ApiVersion, options: list[Any], form: PublishForm, error: str
) -> HttpResponse:
    claims = (o.publication.claim for o in options if o.publication is not None and not o.gateway.is_at_aws)
    held = next((claim.path for claim in claims), "")
    context = {
        "version": version,
        "api": version.api,
        "options": options,
        "form": form,
        "chosen": form.data.getlist("places") if form.is_bound else form.initial["places"],  # type: ignore[attr-defined]
        "error": error,
        "held_path": held,
        "chooses_path": form.errors or not all(option.gateway.is_at_aws for option in options),
        "default_path": held or default_base_path(version),
        "ready": version.spec_id is not None and version.upstream_id is not None,
    }
    previewing = form.is_bound and "preview" in request.GET and form.is_valid()
    if previewing:
        context["previews"] = preview_publishing(
            version, form.chosen(), actor=request.actor, base_path=form.cleaned_data["base_path"]
        )
    invalid = request.method == "POST"  # a valid one has been redirected
    partial = htmx_partial(request) and "preview" in request.GET
    template = "gateways/publication_create.html" + ("#preview" if partial else "")
    return render(request, template, context, status=422 if invalid else 200)


def _progress_url(publications: list[Publication]) -> str:
    """The page on which the pushes of `publications` are watched."""
    latest = (
        Deployment.objects.filter(gateway__in=[p.gateway_id for p in publications])
        .order_by("gateway_id", "-id")
        .distinct("gateway_id")
    )
    first, *more = [deployment.public_id for deployment in latest]
    url = reverse("deployment-detail", args=[first])
    return f"{url}?{urlencode({'with': ','.join(more)})}" if more else url


@page(SIGNED_IN)
def publications_of_version(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """Where a version is published, which revision, and what the gateways do: a part of its page."""
    version = own_version(request, team, slug, major)
    found = list(with_places(Publication.objects.filter(api_version=version)))
    urls = {address.publication.pk: address.url for address in addresses_of(found)}
    enforced = enforcement.of_publications(found, actor=request.actor)
    order = {Publication.State.PUBLISHED: 0, Publication.State.WITHDRAWN: 1}
    found.sort(key=lambda p: (order[p.state], p.environment.position, p.gateway.name))
    rows = [{"publication": p, "url": urls.get(p.pk, ""), "enforcement": enforced[p.pk]} for p in found]
    context = {
        "version": version,
        "api": version.api,
        "rows": rows,
        "moving": any(row["enforcement"].moving for row in rows),
        "may_publish": request.actor.may(Verb.API_PUBLISH, version.api.team),
        "sees_gateways": request.actor.may(Verb.GATEWAY_VIEW),
    }
    return _part(request, "gateways/version_publications.html", "publications", context)


@page(SIGNED_IN, methods=("GET", "POST"))
def publication_roll_back(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Choose an earlier revision and serve it again."""
    publication = own_publication(request, public_id)
    form = RollBackForm(request.POST or None, publication=publication)
    error = ""
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            roll_back(publication, values["revision"], actor=request.actor, note=values["note"])
            return redirect(_progress_url([publication]))
        except ActionRefused as refused:
            error = refused.message
    context = _about(publication) | {"form": form, "error": error, "kept": _kept(publication, form)}
    status = 422 if request.method == "POST" else 200
    return render(request, "gateways/publication_roll_back.html", context, status=status)


def _kept(publication: Publication, form: RollBackForm) -> frozenset[int]:
    """The revisions of the form to which a gateway at AWS goes back by one call."""
    revisions = form.fields["revision"].queryset.select_related("upstream")  # type: ignore[attr-defined]
    return kept_at_aws(publication, revisions) if publication.gateway.is_at_aws else frozenset()


@page(SIGNED_IN, methods=("GET", "POST"))
def publication_withdraw(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Stop serving it there; says who is affected before asking for the reason."""
    publication = own_publication(request, public_id)
    form = WithdrawForm(request.POST or None)
    error = ""
    if request.method == "POST" and form.is_valid():
        try:
            withdraw(publication, actor=request.actor, reason=form.cleaned_data["reason"])
            return redirect(_progress_url([publication]))
        except ActionRefused as refused:
            error = refused.message
    context = _about(publication) | {"form": form, "error": error, **_affected(publication)}
    status = 422 if request.method == "POST" else 200
    return render(request, "gateways/publication_withdraw.html", context, status=status)


def _about(publication: Publication) -> dict[str, Any]:
    addresses = addresses_of([publication])
    version = publication.api_version
    unknown = _("address not known yet") if publication.gateway.is_at_aws else publication.claim.path
    return {
        "publication": publication,
        "version": version,
        "api": version.api,
        "url": next((address.url for address in addresses if address.url), unknown),
    }


def _affected(publication: Publication) -> dict[str, Any]:
    """Who calls through this publication."""
    subscriptions = Subscription.objects.filter(
        api_version=publication.api_version_id,
        environment=publication.environment_id,
        state=Subscription.State.ACTIVE,
    )
    others = Publication.objects.current().filter(
        api_version=publication.api_version_id, environment=publication.environment_id
    )
    return {
        "subscriptions": subscriptions.count(),
        "applications": subscriptions.select_related("application__team").order_by("application__name")[:8],
        "elsewhere": others.exclude(pk=publication.pk).exists(),
    }


def _part(request: HtmxHttpRequest, template: str, name: str, context: dict[str, Any]) -> HttpResponse:
    """A part of somebody else's page by htmx, a page of its own as a plain link."""
    return render(request, template + (f"#{name}" if htmx_partial(request) else ""), context)
