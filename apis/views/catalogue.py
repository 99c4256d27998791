"""The catalogue: what can be found and asked for."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render

from apis.catalogue import CatalogueFilters, Found, look, offers_of
from apis.forms import CatalogueForm
from teams.access import OPEN, HtmxHttpRequest, htmx_partial, page
from teams.models import Actor

PAGE_SIZE = 24
MOST_DIGITS = 9
VIEWS = ("cards", "table")


@page(OPEN)
def catalogue_page(request: HtmxHttpRequest) -> HttpResponseBase:
    """Search, filters and what they find; htmx gets the results alone."""
    form = CatalogueForm(request.GET)
    filters = form.filters
    found, shown = _found(request.actor, filters, request.GET.get("page", ""))
    context = {
        "form": form,
        "filters": filters,
        "page": shown,
        "apis": offers_of(found.ids),
        "facets": found.facets,
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


def _found(actor: Actor, filters: CatalogueFilters, number: str) -> tuple[Found, Page[int]]:
    """What is found, and the page of it that is shown: the nearest one where there is none of that `number`."""
    wanted = max(int(number[:MOST_DIGITS]), 1) if number.isdecimal() else 1
    found = look(actor, filters, start=(wanted - 1) * PAGE_SIZE, most=PAGE_SIZE)
    shown = Paginator(range(found.count), PAGE_SIZE).get_page(wanted)
    if shown.number != wanted:
        found = look(actor, filters, start=(shown.number - 1) * PAGE_SIZE, most=PAGE_SIZE)
    return found, shown


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
