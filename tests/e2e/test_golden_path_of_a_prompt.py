"""The golden path of a prompt in a browser, against the really running system, with the toy model as the vendor."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, expect

from embedded import toy_server
from tests.ai.clients.made import made_clients
from tests.e2e.conftest import Person, System
from tests.e2e.test_golden_path import PATIENCE_S, _calls_shown, press, until
from tests.embedded.conftest import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.live,
    pytest.mark.xdist_group("live"),
    pytest.mark.skipif(not toy_server.is_there(), reason="xllamacpp has no wheel for this platform"),
]

NAME, SLUG = "Message sorting", "message-sorting"
PROMPT = f"/ai/prompts/shop/{SLUG}"
SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "delivery", "technical", "account", "other"]},
        "priority": {"enum": ["low", "normal", "high"]},
    },
    "required": ["category", "priority"],
    "additionalProperties": False,
}
LATE = "My parcel has not arrived. This is urgent!"
LATE_IS = {"category": "delivery", "priority": "high"}
OPENAI = """
import json, sys
import openai
client = openai.OpenAI(base_url=sys.argv[1], api_key=sys.argv[2])
answer = client.chat.completions.create(
    model=sys.argv[4], messages=[], extra_body={"variables": json.loads(sys.argv[3])}
)
print(json.dumps([json.loads(answer.choices[0].message.content), answer.usage.total_tokens]))
"""
"""Unmodified: what a prompt takes beside messages goes where openai's client puts what it does not know."""

LEDGER = """
import json
from usage.models import LedgerEntry
rows = LedgerEntry.objects.filter(api=%r).order_by("at")
print(json.dumps([[r.surface, r.input_tokens, r.output_tokens, r.cost_nano, r.currency] for r in rows]))
"""


def test_from_a_prompt_to_tokens_and_cost_of_ones_own_calls(
    system: System, chromium: Browser, pictures: Path
) -> None:
    alice, dana = Person(chromium, system, "alice"), Person(chromium, system, "dana")

    write(alice, pictures)
    test(alice, pictures)
    publish(alice, pictures)
    request_id = ask(dana, pictures)
    approve(alice, request_id)
    address, key = issue_key(dana, system)
    tokens = call(address, key)
    see(alice, dana, system, tokens, pictures)

    for person in (alice, dana):
        # A refusal that is said in the page comes with 422, which the browser calls an error.
        assert [text for text in person.complaints if "422" not in text] == []


def write(alice: Person, pictures: Path) -> None:
    """Two variables and an output schema, tried on the toy model and frozen."""
    page = alice.page
    page.goto("/ai/prompts/new/")
    page.locator("select[name=team]").select_option(label="Shop")
    page.locator("input[name=name]").fill(NAME)
    press(page, "Make it and open the editor")
    page.wait_for_url(f"**{PROMPT}/edit/")
    route = page.locator("#route option").filter(has_text=re.compile("^demo"))
    page.locator("#route").select_option(route.get_attribute("value"))
    page.get_by_label("Text of message 1").fill("Sort the message of a customer. Channel: {{channel}}.")
    expect(page.locator("#variables")).to_contain_text("channel")
    remove(alice, "sentences")
    opened(alice, "channel").locator("#variable-channel-example").fill("chat")
    page.locator("#output_schema").fill(json.dumps(SCHEMA))
    page.locator("#value-channel").fill("chat")
    page.locator("#value-text").fill(LATE)
    expect(page.locator("#preview")).to_contain_text("ready to freeze")
    panel = page.locator("[data-run]")
    expect(panel.locator(":checked").first).to_be_attached()
    expect(panel.locator(".model-choice"), "models that are toys say so").to_contain_text("toy")
    panel.get_by_role("button", name="Run", exact=True).click()
    expect(panel.locator("[data-said]")).to_have_text("Done", timeout=PATIENCE_S * 1000)
    expect(panel).to_contain_text('"delivery"')
    expect(panel).to_contain_text(re.compile(r"\d+ tokens · 0\.0000\d+ USD"))
    alice.look("prompt-editor-of-a-toy", pictures=pictures)
    page.get_by_role("button", name="Save and freeze").click()
    page.get_by_label("What changed").fill("First version")
    page.get_by_role("button", name="Freeze version 1").click()
    page.wait_for_url("**/v1/")
    alice.look("prompt-version-of-a-toy", pictures=pictures)


def opened(alice: Person, variable: str) -> Locator:
    """The row of a variable; one with something to correct is open already."""
    row = alice.page.locator(f"#variable-{variable}")
    if row.get_attribute("open") is None:
        row.locator("summary").click()
    return row


def remove(alice: Person, variable: str) -> None:
    """Take a declared variable out of the draft."""
    row = opened(alice, variable)
    row.get_by_role("button", name=re.compile("Remove")).click()
    expect(row).to_have_count(0)


def test(alice: Person, pictures: Path) -> None:
    """A case that has to hold, run by a worker; only then may the version go into production."""
    page = alice.page
    page.goto(f"{PROMPT}/cases/new/")
    page.get_by_label("Name", exact=True).fill("A late parcel")
    page.get_by_label("text", exact=False).first.fill(LATE)
    page.get_by_label("channel", exact=False).first.fill("e-mail")
    page.get_by_label("Expected").fill("delivery")
    press(page, "Save")
    page.wait_for_url(f"**{PROMPT}/tests/")
    page.goto(f"{PROMPT}/v1/")
    label_production(alice)
    expect(page.locator("#labels")).to_contain_text("Run its tests first")
    page.goto(f"{PROMPT}/tests/")
    press(page, "Run all test cases")
    page.wait_for_url("**/runs/**")
    expect(page.locator("main")).to_contain_text("1 of 1 run, 1 passed", timeout=PATIENCE_S * 1000)
    alice.look("prompt-test-run", pictures=pictures)
    page.goto(f"{PROMPT}/v1/")
    label_production(alice)
    expect(page.locator("main")).to_contain_text("production stands for version 1 now")


test.__test__ = False  # type: ignore[attr-defined]  # a step, not a test


def label_production(alice: Person) -> None:
    alice.page.get_by_label("Label").fill("production")
    alice.page.get_by_role("button", name="Let it name version 1").click()


def publish(alice: Person, pictures: Path) -> None:
    """As an API of the catalogue, with a plan that somebody decides, on Envoy."""
    page = alice.page
    page.goto(f"/offer/prompts/shop/{SLUG}/")
    for field in page.locator("select[name^=label]").all():
        field.select_option("production")
    alice.look("prompt-offer", pictures=pictures)
    press(page, "Make the API")
    page.wait_for_url(f"**/publish/shop/{SLUG}/v1/")
    page.goto(f"/publish/shop/{SLUG}/edit/")
    page.get_by_label(re.compile("Internal")).check()
    page.locator("main form button[type=submit], main form button:not([type])").first.click()
    page.goto(f"/publish/shop/{SLUG}/new-plan/")
    page.locator("input[name=name]").fill("Desk")
    page.locator("input[name=rate_calls]").fill("5")
    page.locator("input[name=burst]").fill("10")
    page.locator("input[name=approval][value=manual]").check()
    press(page, "Save and offer")
    page.goto(f"/publish/shop/{SLUG}/v1/gateways/")
    for box in page.locator("input[name=places]").all():
        words = box.locator("xpath=ancestor::label[1]").inner_text()
        box.set_checked("Production" in words and "nginx" not in words)
    press(page, "Publish")
    page.wait_for_url("**/deployments/**")
    expect(page.locator("main")).to_contain_text("succeeded", timeout=PATIENCE_S * 1000)


def ask(dana: Person, pictures: Path) -> str:
    """Find it in the catalogue, read what it takes and gives, ask for it."""
    page = dana.page
    page.goto(f"/catalogue/?q={NAME.split()[0]}")
    press(page, NAME)
    page.wait_for_url(f"**/apis/shop/{SLUG}/**")
    page.goto(f"/apis/shop/{SLUG}/v1/reference/")
    reference = page.locator("#reference")
    expect(reference).to_contain_text(f"Call {NAME}", timeout=PATIENCE_S * 1000)
    dana.look("prompt-reference", pictures=pictures)
    page.goto(f"/apis/shop/{SLUG}/v1/request/")
    mine = page.locator("select[name=application] option").filter(has_text="Route planner").first
    page.locator("select[name=application]").select_option(mine.get_attribute("value"))
    page.locator("select[name=environment]").select_option(label="Production")
    page.locator("input[name=plan]").first.check()
    page.locator("textarea[name=reason]").fill("Drivers write to us when a delivery goes wrong.")
    press(page, "Request access")
    page.wait_for_url("**/requests/**")
    return page.url.rstrip("/").rsplit("/", 1)[1]


def approve(alice: Person, request_id: str) -> None:
    page = alice.page
    page.goto(f"/approvals/{request_id}/")
    press(page, "Approve")
    page.wait_for_load_state("networkidle")
    page.goto(f"/approvals/{request_id}/")
    expect(page.locator("main")).to_contain_text("approved")


def issue_key(dana: Person, system: System) -> tuple[str, str]:
    """The address of the API at Envoy, and a key that is live there."""
    page = dana.page
    page.goto("/applications/")
    press(page, "Route planner")
    page.locator("main").get_by_role("link", name=re.compile(NAME)).first.click()
    page.wait_for_url("**/subscriptions/**")
    page.locator("main").get_by_role("link", name=re.compile("New key|first key")).first.click()
    page.locator("dialog[open]").get_by_role("button", name="Create key").click()
    key = page.locator("code#new-key, pre#new-key, .code #new-key").first.inner_text().strip()
    expect(page.locator("main")).to_contain_text("live", timeout=PATIENCE_S * 1000)
    address = f"{system.gateway}/shop/{SLUG}/v1"
    until(lambda: httpx.post(f"{address}/", headers={"X-API-Key": key}).status_code != 401, "the key works")
    return address, key


def call(address: str, key: str) -> list[int]:
    """By curl and by openai's client as it comes: the same answer; the tokens of each call."""
    body = json.dumps({"text": LATE, "channel": "chat"})
    line = f"curl --fail-with-body --silent {address}/ -H 'X-API-Key: {key}' --json {shlex.quote(body)}"
    whole = json.loads(said(["sh", "-c", line]))
    assert whole["output"] == LATE_IS
    assert whole["model"]["served"] == "toy/toy"
    assert float(whole["cost"]["amount"]) > 0
    python = str(made_clients() / "openai-3" / "bin" / "python")
    output, tokens = json.loads(said([python, "-c", OPENAI, address, key, body, f"prompt/{SLUG}"]))
    assert output == LATE_IS
    refused = httpx.post(f"{address}/", headers={"X-API-Key": key}, json={"text": LATE})
    assert (refused.status_code, refused.json()["code"]) == (400, "variable_invalid")
    assert "channel" in refused.text
    return [whole["usage"]["total_tokens"], tokens]


def said(command: list[str]) -> str:
    clean = {"PATH": os.environ["PATH"], "NO_PROXY": "*"}
    ran = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def see(alice: Person, dana: Person, system: System, tokens: list[int], pictures: Path) -> None:
    """The calls on both sides' pages, their tokens and cost in the ledger."""
    for person, path in ((alice, f"/usage/apis/shop/{SLUG}/"), (dana, "/usage/")):
        person.page.goto(path)
        until(lambda page=person.page: _calls_shown(page), f"{path} shows the calls")  # type: ignore[misc]
    bearer = {"Authorization": f"Bearer {system.tokens['alice']}"}
    public_id = httpx.get(f"{system.portal}/api/v1/apis/shop/{SLUG}", headers=bearer).json()["id"]
    until(lambda: len(ledger(system, public_id)) == len(tokens), "the ledger has both calls")
    rows = ledger(system, public_id)
    assert [row[0] for row in rows] == ["prompt", "chat"]
    assert [row[1] + row[2] for row in rows] == tokens
    for _, read, wrote, cost, currency in rows:
        assert (cost, currency) == ((read * 200 + wrote * 600), "USD"), "0.20 and 0.60 a million tokens"
    read, wrote = (sum(row[place] for row in rows) for place in (1, 2))
    whole = re.compile(rf"toy/toy\s+{len(rows)}\s+{read}\s+{wrote}\s+\$ 0\.0000\d+")
    until(lambda: shows(alice, whole), "the page shows tokens and cost")
    alice.look("usage-of-a-prompt", pictures=pictures)


def shows(person: Person, words: re.Pattern[str]) -> bool:
    person.page.reload()
    person.page.wait_for_load_state("networkidle")
    return bool(words.search(person.page.locator("main").inner_text()))


def ledger(system: System, api: str) -> list[list[Any]]:
    command = [
        sys.executable,
        "-m",
        "embedded",
        "exec",
        "--",
        sys.executable,
        "manage.py",
        "shell",
        "-v0",
        "-c",
    ]
    ran = subprocess.run(
        [*command, LEDGER % api],
        cwd=ROOT,
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return list(json.loads(ran.stdout.splitlines()[-1]))
