"""The charts of tokens and cost, in Chromium: what little was spent is drawn and told, and never as nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from ai.models import PromptVersion
from ai.pricing import Usage
from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from tests.ai import factories as ai_factories
from tests.usage.ai_feeds import ai_line, attempt, take_in
from tests.usage.feeds import line
from usage.actions import ingest_batch

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_tokens_and_cost_are_drawn_and_follow_calls_as_they_arrive(
    live_server: Any, page: Page, edge: Gateway, runtime: Gateway, translate: Publication, ai_key: Credential
) -> None:
    model, prompt = ai_factories.make_model().public_id, PromptVersion.objects.get().public_id
    one = attempt(model, usage=Usage(input=900, output=300, cached_input=200, reasoning=100))
    take_in(runtime, 0, ai_line(translate, ai_key, attempts=[one], prompt=prompt))
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=line(translate, ai_key))
    api = translate.api_version.api
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(live_server.url + reverse("usage-api", args=[api.team.slug, api.slug]))
    for chart in ("tokens", "cost-USD"):
        page.locator(f"#{chart}-plot svg path").first.wait_for(state="attached")
    axis = page.locator("#cost-USD-plot svg text").all_text_contents()
    assert "0.00002" in axis
    page.locator("#cost-USD-show").press("Enter")
    assert page.locator("#cost-USD-table").get_by_text("$ 0.000020").is_visible()
    page.get_by_text("Newest AI calls").wait_for()
    page.locator("a[href*='/usage/runs/run_1/']").first.wait_for()
    two = ai_line(translate, ai_key, attempts=[one], run="run_2", prompt=prompt)
    take_in(runtime, 0, two, segment="s2")
    page.locator("#figures .value", has_text="1,800").first.wait_for()
    page.locator("a[href*='/usage/runs/run_2/']").first.click()
    page.get_by_role("heading", name="One AI call").wait_for()
    assert errors == []
