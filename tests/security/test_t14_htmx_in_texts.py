"""T14: attributes of htmx in a text of a stranger never reach a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories

type Enter = Callable[[Any], Client]

TEXTS = [
    '<div hx-get="/admin/approve" hx-trigger="load">x</div>',
    '<div data-hx-get="/admin/approve" data-hx-trigger="load">x</div>',
    '<a href="/x" HX-POST="/admin/approve" hx-swap-oob="true">x</a>',
    '<form action="/admin/approve" hx-boost="true"><button autofocus>x</button></form>',
    '<p id="results" class="btn" hx-vals="js:{a:1}">x</p>',
    '<template hx-get="/admin/approve"></template><input type="submit" formaction="/admin/approve">',
]


@pytest.mark.parametrize("text", TEXTS)
def test_markdown_of_strangers_asks_for_nothing(text: str, shop: Any, alice: Any, client_of: Enter) -> None:
    version = factories.make_version(factories.make_api(shop, "Orders", description=text))
    factories.make_plan(version.api, terms=text)
    factories.make_revision(version)
    client = client_of(alice)
    for name in ("api-version", "api-plans"):
        page = client.get(reverse(name, args=["shop", "orders", 1])).content.decode()
        prose = "".join(re.findall(r'<div class="prose">(.*?)</div>', page, re.DOTALL))
        assert "x" in prose or "template" in text
        assert "hx-" not in prose.lower()
        assert "/admin/approve" not in prose
        assert not re.search(r"<(form|input|button|template|div)\b|\b(id|class|style)=", prose)


def test_htmx_only_asks_our_own_site_and_evaluates_nothing(shop: Any, client_of: Enter) -> None:
    page = client_of(None).get(reverse("catalogue")).content.decode()
    assert '"selfRequestsOnly":true' in page
    assert '"allowEval":false' in page
