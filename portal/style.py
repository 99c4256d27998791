"""The living style page: every component on one page, in the embedded default and under DEBUG only."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from portal.style_samples import samples
from teams.access import OPEN, HtmxHttpRequest, page


@page(OPEN)
def style(request: HtmxHttpRequest) -> HttpResponse:
    """Made-up numbers only; nothing of this installation is shown."""
    return render(request, "portal/style.html", samples())
