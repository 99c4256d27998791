"""The catalogue: what can be found and asked for."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render

from apis.forms import CatalogueForm
from apis.queries import catalogue_facets, catalogue_hits, offers_of
from teams.access import OPEN, HtmxHttpRequest, htmx_partial, page

PAGE_SIZE = 24
VIEWS = ("cards", "table")


@page(OPEN)
def catalogue_page(request: HtmxHttpRequest) -> HttpResponseBase:
    """Search, filters and what they find; htmx gets the results alone."""
    form = CatalogueForm(request.GET)
    filters = form.filters
    hits = catalogue_hits(request.actor, filters)
    found = Paginator(hits, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "filters": filters,
        "page": found,
        "apis": offers_of([hit.pk for hit in found.object_list]),
        "facets": catalogue_facets(request.actor, filters, found=hits),
        "view": request.GET.get("view") if request.GET.get("view") in VIEWS else VIEWS[0],
        **_links(request, form.tags),
    }
    partial = htmx_partial(request)
    answer: HttpResponse = render(
        request, "apis/catalogue_list.html" + ("#results" if partial else ""), context
    )
    if partial:
        answer.headers["HX-Push-Url"] = _address(request)
    return answer


def _address(request: HtmxHttpRequest) -> str:
    """The address of this search without the fields that were left empty."""
    asked = QueryDict(mutable=True)
    for name, values in request.GET.lists():
        asked.setlist(name, [value for value in values if value])
    return f"{request.path}?{asked.urlencode()}".removesuffix("?")


def _links(request: HtmxHttpRequest, tags: tuple[str, ...]) -> dict[str, Any]:
    """Query strings that keep everything but one choice, for links that change that one."""
    kept = request.GET.copy()
    kept.pop("page", None)
    without = {name: kept.copy() for name in ("view", "tag", "team")}
    for name, query in without.items():
        query.pop(name, None)
    return {
        "page_query": kept.urlencode(),
        "view_query": without["view"].urlencode(),
        "tag_query": without["tag"].urlencode(),
        "team_query": without["team"].urlencode(),
        "chosen_tags": tags,
    }
