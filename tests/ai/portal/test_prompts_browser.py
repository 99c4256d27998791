"""The editor of a prompt in Chromium: variables and what is sent follow the typing, models answer side by side."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.test import Client
from playwright.sync_api import Browser, Page, Route, expect

from ai.models import Prompt, PromptLabel, PromptVersion, TestCase
from ai.tickets import read_ticket, ticket_key
from gateways.models import Gateway
from gateways.tokens import open_token
from teams.models import User
from tests import factories
from tests.ai import factories as ai
from tests.portal.test_browser import AXE, SERIOUS, WATCH, _files_as_they_lie, chromium

__all__ = ["_files_as_they_lie", "chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("GATEHOUSE_SHOTS", "")
"""A directory to leave pictures in, for whoever works on the look."""
RUNTIME = "http://models.example.test:8080"
"""What it answers here is written down; that it does is held by tests/gateways/test_ai_runtime.py."""
expect.set_options(timeout=20_000)  # two cores that others use too


@pytest.fixture
def prompt(shop: Any) -> Prompt:
    """A prompt of Shop whose route has two models, one without a price."""
    route = ai.make_route(ai.make_model("small"), ai.make_model("large", price=False), alias="fast")
    assert route.targets.count() == 2
    return ai.make_prompt(shop, "Summary")


@pytest.fixture
def page(live_server: Any, chromium: Browser, alice: User) -> Any:
    """A page on which Alice is signed in; what the browser complains about fails the test."""
    client = Client()
    client.force_login(alice)
    session = client.cookies[live_settings.SESSION_COOKIE_NAME]
    context = chromium.new_context(base_url=live_server.url, viewport={"width": 1320, "height": 900})
    context.set_default_timeout(15_000)
    context.add_cookies([{"name": session.key, "value": session.value, "url": live_server.url}])
    found = context.new_page()
    found.add_init_script(WATCH)
    complaints: list[str] = []
    found.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    context.close()
    assert [text for text in complaints if "422" not in text] == []  # a refusal is said in the page


def look(page: Page, name: str) -> None:
    """Hold a page to the standing checks in both themes and on a phone."""
    page.evaluate(AXE)
    for scheme, width in (("light", 1320), ("dark", 1320), ("light", 390)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}-{width}.png", full_page=True)
        assert page.evaluate("reports") == [], name
        assert page.evaluate(SERIOUS) == [], f"{name}, {scheme}, {width}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1320, "height": 900})


def test_from_typing_to_a_label(page: Page, prompt: Prompt) -> None:
    page.goto(f"/ai/prompts/shop/{prompt.slug}/edit/")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("The museum opens at nine")
    expect(preview).to_contain_text("ready to freeze")
    expect(preview).to_contain_text("price not known")

    message = page.get_by_label("Text of message 2")
    message.press("End")
    message.press_sequentially(" For {{audience}}.")
    expect(page.locator("#variables")).to_contain_text("audience")
    expect(message).to_be_focused()
    page.get_by_label("audience", exact=False).last.fill("children")
    expect(preview).to_contain_text("For children.")

    page.locator("#variable-audience summary").click()
    kind = page.locator("#variable-audience-type")
    kind.select_option("object")
    expect(page.locator("#variable-audience-schema")).to_be_visible()
    expect(preview).to_contain_text("is an object")
    kind.select_option("string")
    expect(page.locator("#variable-audience-max_length")).to_be_visible()
    page.locator("#variable-audience-example").fill("children")
    expect(preview).to_contain_text("ready to freeze")

    page.locator("#output_schema").fill('{"type": "strin"}')
    expect(preview).to_contain_text("Output schema")
    look(page, "editor-problems")
    page.locator("#output_schema").fill("")
    page.get_by_role("button", name="Add a message").click()
    expect(page.get_by_label("Text of message 3")).to_be_visible()
    page.get_by_role("button", name="Move message 3 up").click()
    expect(page.get_by_label("Text of message 2")).to_have_value("")
    page.get_by_role("button", name="Remove message 2").click()
    expect(page.get_by_label("Text of message 2")).to_have_value("{{text}} For {{audience}}.")

    page.get_by_role("button", name="Save draft").last.click()
    expect(page.locator("main")).to_contain_text("The draft is saved")
    assert Prompt.objects.get().draft["messages"][1]["content"] == "{{text}} For {{audience}}."
    look(page, "editor")
    page.get_by_role("button", name="Save and freeze").click()
    page.get_by_label("What changed").fill("For an audience")
    look(page, "freeze")
    page.get_by_role("button", name="Freeze version 1").click()
    page.wait_for_url("**/v1/")
    assert PromptVersion.objects.get().note == "For an audience"

    page.get_by_role("link", name="See the test cases").click()
    page.get_by_role("link", name="New test case").first.click()
    page.get_by_label("Name", exact=True).fill("It names the museum")
    page.get_by_label("Expected").fill("museum")
    look(page, "case")
    page.get_by_role("button", name="Save").click()
    assert TestCase.objects.get().values["audience"] == "children"
    look(page, "tests")

    page.goto(f"/ai/prompts/shop/{prompt.slug}/v1/")
    page.get_by_label("Label").fill("production")
    page.get_by_role("button", name="Let it name version 1").click()
    expect(page.locator("#labels")).to_contain_text("Run its tests first")
    run = ai.make_test_run(PromptVersion.objects.get())
    ai.make_result(run, TestCase.objects.get(), output="A museum that opens at nine.")
    page.get_by_label("Label").fill("production")
    page.get_by_role("button", name="Let it name version 1").click()
    expect(page.locator("main")).to_contain_text("production stands for version 1 now")
    assert PromptLabel.objects.get().version.number == 1
    look(page, "version")
    page.goto("/ai/prompts/")
    look(page, "list")


def test_every_other_page_holds_to_the_checks(page: Page, prompt: Prompt) -> None:
    first = ai.make_prompt_version(prompt, note="First")
    ai.make_label(first)
    messages = [{"role": "user", "content": "Shorter, please:\n{{text}}"}]
    second = ai.make_prompt_version(
        prompt, messages=messages, variables=prompt.draft["variables"][1:], parameters={"temperature": 0}
    )
    case, other = ai.make_test_case(prompt), ai.make_test_case(prompt, "It is short", is_required=False)
    run = ai.make_test_run(second, "failed")
    ai.make_result(run, case, output="The museum opens at nine. " * 20)
    ai.make_result(run, other, passed=False, problem="Nothing in it matches.", cost_nano=None, currency="")
    waiting = ai.make_test_run(first, "queued", finished_at=None)
    base = f"/ai/prompts/shop/{prompt.slug}"
    for name, url in (
        ("create", "/ai/prompts/new/"),
        ("detail", f"{base}/"),
        ("diff", f"{base}/v2/"),
        ("history", f"{base}/tests/"),
        ("run", f"{base}/runs/{run.public_id}/"),
        ("run-waiting", f"{base}/runs/{waiting.public_id}/"),
        ("retire", f"{base}/retire/"),
    ):
        page.goto(url)
        look(page, name)


def test_without_scripts_the_buttons_do_it(
    live_server: Any, chromium: Browser, alice: User, prompt: Prompt
) -> None:
    client = Client()
    client.force_login(alice)
    session = client.cookies[live_settings.SESSION_COOKIE_NAME]
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    context.add_cookies([{"name": session.key, "value": session.value, "url": live_server.url}])
    page = context.new_page()
    page.goto(f"/ai/prompts/shop/{prompt.slug}/edit/")
    page.locator("#message-1-content").fill("{{text}} in {{tone}}")
    page.locator("#preview button").click()
    expect(page.locator("#variables")).to_contain_text("tone")
    page.locator("#value-tone").fill("a calm tone")
    page.locator("#preview button").click()
    expect(page.locator("#preview")).to_contain_text("in a calm tone")
    page.locator(".editor-submit button[value=save]").click()
    expect(page.locator("main")).to_contain_text("The draft is saved")
    context.close()


def test_models_answer_side_by_side(page: Page, prompt: Prompt) -> None:
    gateway = factories.make_gateway("models", Gateway.Kind.AI_RUNTIME)
    asked: list[dict[str, Any]] = []
    headers = {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}

    def answer(route: Route) -> None:
        if route.request.method == "OPTIONS":
            return route.fulfill(status=204, headers=headers)
        body = route.request.post_data_json
        asked.append({**body, "authorization": route.request.headers["authorization"]})
        if len(asked) == 2:
            text = 'event: delta\ndata: {"text":"Half"}\n\n'
        else:
            done = {
                "usage": {"total_tokens": 42},
                "cost": {"amount": "0.0001", "currency": "USD"},
                "model": {"served": "demo/small"},
            }
            text = (
                'event: delta\r\ndata: {"text":"It opens "}\r\n\r\n: ping\n\n'
                'event: delta\ndata: {"text":"at nine."}\n\n'
                f"event: done\ndata: {json.dumps(done)}\n\n"
            )
        return route.fulfill(status=200, headers={**headers, "content-type": "text/event-stream"}, body=text)

    page.route(f"{RUNTIME}/**", answer)
    page.goto(f"/ai/prompts/shop/{prompt.slug}/edit/")
    panel = page.locator("[data-run]")
    assert panel.locator(":checked").count() == 2
    page.locator("#value-text").fill("It opens at nine on weekdays.")
    panel.get_by_role("button", name="Run", exact=True).click()
    expect(panel.locator("[data-said]")).to_have_text("Done")
    expect(panel).to_contain_text("It opens at nine.")
    expect(panel).to_contain_text("42 tokens · 0.0001 USD · demo/small")
    expect(panel).to_contain_text("The stream ended before the answer did")
    holds = read_ticket(
        ticket_key(open_token(gateway)), asked[0]["authorization"].removeprefix("Bearer "), now=time.time()
    )
    assert (holds["team"], len(holds["models"]), holds["inline"]) == (prompt.team.public_id, 2, False)
    assert asked[0]["values"] == {"text": "It opens at nine on weekdays.", "sentences": 3}
    assert set(asked[0]["prompt"]) == {"messages", "variables", "output_schema", "parameters", "guard"}
    assert {body["model"][:4] for body in asked} == {"mdl_"}
    look(page, "run-panel")
