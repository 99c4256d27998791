"""The golden path in a browser, against the really running system: pages, Celery, Envoy, PostgreSQL, Redis."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as BrowserError

from tests.e2e.conftest import Person, System
from tests.embedded.conftest import ROOT
from tests.factories import SPEC

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.xdist_group("live")]

PATIENCE_S = 60
NAME, SLUG = "Tea ledger", "tea-ledger"
LANGUAGES = {
    "curl": ["sh", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}
"""The samples of a first call, and what runs one."""


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S} s"
        time.sleep(0.1)


def press(page: Page, name: str) -> None:
    """Press a button or follow a link of the main part, whichever has this name."""
    wanted = re.compile(rf"^\s*{re.escape(name)}")
    page.wait_for_load_state("networkidle")
    buttons = page.locator("main button:visible").filter(has_text=wanted)
    (buttons if buttons.count() else page.locator("main a:visible").filter(has_text=wanted)).first.click()


def test_from_a_document_to_a_chart_of_ones_own_calls(
    system: System, chromium: Browser, pictures: Path, tmp_path: Path
) -> None:
    alice, dana = Person(chromium, system, "alice"), Person(chromium, system, "dana")

    publish(alice, system, pictures, tmp_path)
    request_id = ask(dana, pictures)
    approve(alice, request_id, pictures)
    key, samples = issue_key(dana, pictures)
    address = call(samples, key, system, tmp_path)
    other = address.replace(system.gateway, system.second_gateway)
    assert other != address
    until(lambda: status_of(other, key) == 200, "the key works on the other gateway too")
    see(alice, dana, pictures)
    revoke(dana, address, key, pictures)
    assert status_of(other, key) == 401

    for person in (alice, dana):
        assert person.complaints == []


def publish(alice: Person, system: System, pictures: Path, tmp_path: Path) -> None:
    """Document, visibility, upstream, plan, publication; the push is followed to its end."""
    page = alice.page
    document = tmp_path / "ledger.json"
    document.write_text(json.dumps({**SPEC, "info": {**SPEC["info"], "title": NAME}}))
    page.goto("/publish/new/")
    alice.look("publish-new", pictures=pictures)
    page.locator("input[name=file]").set_input_files(document)
    page.locator("select[name=team]").select_option(label="Shop")
    press(page, "Create API")
    page.wait_for_url(f"**/publish/shop/{SLUG}/v1/")
    alice.look("version-draft", pictures=pictures)

    page.goto(f"/publish/shop/{SLUG}/edit/")
    page.get_by_label(re.compile("Internal")).or_(page.locator("select[name=visibility]")).first.wait_for()
    if page.locator("select[name=visibility]").count():
        page.locator("select[name=visibility]").select_option("internal")
    else:
        page.get_by_label(re.compile("Internal")).check()
    page.locator("main form button[type=submit], main form button:not([type])").first.click()

    page.goto(f"/publish/shop/{SLUG}/v1/upstream/")
    page.locator("input[name=name]").fill(f"{SLUG}-backend")
    page.locator("input[name=url_production]").fill(system.orders)
    press(page, "Save upstream")
    page.wait_for_url(f"**/publish/shop/{SLUG}/v1/")

    page.goto(f"/publish/shop/{SLUG}/new-plan/")
    page.locator("input[name=name]").fill("Silver")
    page.locator("input[name=rate_calls]").fill("5")
    page.locator("input[name=burst]").fill("10")
    page.locator("input[name=quota_day]").fill("1000")
    page.locator("input[name=approval][value=manual]").check()
    alice.look("plan-new", pictures=pictures)
    press(page, "Save and offer")

    page.goto(f"/publish/shop/{SLUG}/v1/gateways/")
    for box in page.locator("input[name=places]").all():
        box.set_checked("Production" in box.locator("xpath=ancestor::label[1]").inner_text())
    alice.look("publication-new", pictures=pictures)
    press(page, "Publish")
    page.wait_for_url("**/deployments/**")
    expect(page.locator("main")).to_contain_text("succeeded", timeout=PATIENCE_S * 1000)
    alice.look("deployment", pictures=pictures)


def ask(dana: Person, pictures: Path) -> str:
    """Find it, read it, ask for it with a reason."""
    page = dana.page
    page.goto(f"/catalogue/?q={NAME.split()[-1][:4]}")
    dana.look("catalogue", pictures=pictures)
    press(page, NAME)
    page.wait_for_url(f"**/apis/shop/{SLUG}/**")
    dana.look("api", pictures=pictures)
    page.goto(f"/apis/shop/{SLUG}/v1/reference/")
    expect(page.locator("#reference")).to_contain_text("List orders", timeout=PATIENCE_S * 1000)
    dana.look("reference", pictures=pictures)
    page.goto(f"/apis/shop/{SLUG}/v1/plans/")
    dana.look("plans", pictures=pictures)
    page.goto(f"/apis/shop/{SLUG}/v1/request/")
    mine = page.locator("select[name=application] option").filter(has_text="Route planner").first
    page.locator("select[name=application]").select_option(mine.get_attribute("value"))
    page.locator("select[name=environment]").select_option(label="Production")
    page.locator("input[name=plan]").first.check()
    page.locator("textarea[name=reason]").fill(
        "We plan delivery tours and need to know what is in the ledger."
    )
    dana.look("request-new", pictures=pictures)
    press(page, "Request access")
    page.wait_for_url("**/requests/**")
    expect(page.locator("main")).to_contain_text("waiting")
    dana.look("request-waiting", pictures=pictures)
    return page.url.rstrip("/").rsplit("/", 1)[1]


def approve(alice: Person, request_id: str, pictures: Path) -> None:
    """The queue, the card, the decision."""
    page = alice.page
    page.goto("/approvals/")
    alice.look("approvals", pictures=pictures)
    page.goto(f"/approvals/{request_id}/")
    alice.look("approval", pictures=pictures)
    press(page, "Approve")
    page.wait_for_load_state("networkidle")
    page.goto(f"/approvals/{request_id}/")
    expect(page.locator("main")).to_contain_text("approved")


def issue_key(dana: Person, pictures: Path) -> tuple[str, dict[str, str]]:
    """A key, shown once, and the ready samples that carry it."""
    page = dana.page
    page.goto("/notices/")
    dana.look("notices", pictures=pictures)
    page.goto("/applications/")
    press(page, "Route planner")
    dana.look("application", pictures=pictures)
    page.locator("main").get_by_role("link", name=re.compile(NAME)).first.click()
    page.wait_for_url("**/subscriptions/**")
    page.locator("main").get_by_role("link", name=re.compile("New key|first key")).first.click()
    page.locator("dialog[open]").get_by_role("button", name="Create key").click()
    key = page.locator("code#new-key, pre#new-key, .code #new-key").first.inner_text().strip()
    assert re.fullmatch(r"ghp[0-9a-z]{16}[0-9A-Za-z]{49}", key)
    samples = {}
    for language in LANGUAGES:
        sample = page.locator(f"main [data-samples] [data-lang={language}] pre")
        expect(sample).to_contain_text(key)
        samples[language] = sample.text_content() or ""
    expect(page.locator("main")).to_contain_text("live", timeout=PATIENCE_S * 1000)
    page.screenshot(path=pictures / "key-issued-light-1320.png", full_page=True)
    press(page, "I have stored it")
    page.wait_for_url("**/subscriptions/**")
    assert key not in page.content(), "a key is shown once"
    # The answer to a POST that nobody may store: Chromium has nothing to go back to, and says so in a page of its own.
    with suppress(BrowserError):
        page.go_back()
    page.wait_for_load_state()
    expect(page.locator("html"), "and not again by the browser's history").not_to_contain_text(key)
    page.goto("/applications/")
    press(page, "Route planner")
    page.locator("main").get_by_role("link", name=re.compile(NAME)).first.click()
    return key, samples


def call(samples: dict[str, str], key: str, system: System, tmp_path: Path) -> str:
    """Each copied text is run as it stands and gets what the upstream says; the address of the API it called."""
    found = re.search(r"https?://[^\s'\"\\]+", samples["curl"])
    assert found
    address = found[0]
    until(lambda: httpx.get(address, headers={"X-API-Key": key}).status_code == 200, "the key works")
    said = httpx.get(address.replace(f"{system.gateway}/shop/{SLUG}/v1", system.orders)).json()
    assert said
    # curl says no status by itself and ends well on a 401: its own configuration file makes it do both.
    (tmp_path / ".curlrc").write_text('silent\nfail\nwrite-out = "\\n%{http_code}"\n')
    for language, command in LANGUAGES.items():
        environment = {"PATH": os.environ["PATH"], "CURL_HOME": str(tmp_path), "NO_PROXY": "*"}
        ran = subprocess.run(
            [*command, samples[language]], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{language}: {ran.stdout}{ran.stderr}"
        words = ran.stdout.strip()
        body, status = words.rsplit("\n", 1) if language == "curl" else words.split(" ", 1)[::-1]
        assert (status, json.loads(body)) == ("200", said), language
    assert httpx.get(address).status_code == 401
    return address


def status_of(address: str, key: str) -> int:
    return httpx.get(address, headers={"X-API-Key": key}).status_code


def see(alice: Person, dana: Person, pictures: Path) -> None:
    """Both sides see the calls on a chart."""
    dana.page.goto("/applications/")
    press(dana.page, "Route planner")
    dana.page.wait_for_url("**/applications/app_*/")
    application = dana.page.url.rstrip("/").rsplit("/", 1)[1]
    for person, name, path in (
        (alice, "usage-api", f"/usage/apis/shop/{SLUG}/"),
        (dana, "usage", "/usage/"),
        (dana, "usage-application", f"/usage/applications/{application}/"),
    ):
        person.page.goto(path)
        until(lambda page=person.page: _calls_shown(page), f"{name} shows the calls")  # type: ignore[misc]
        person.look(name, pictures=pictures)
    for person in (alice, dana):
        expect(person.page.locator("#calls svg").first).to_be_visible()


def _calls_shown(page: Page) -> bool:
    page.reload()
    page.wait_for_load_state("networkidle")
    text = page.locator("main").inner_text()
    return bool(re.search(r"Calls\s+[1-9]", text) or re.search(r"Route planner\s+Logistics\s+[1-9]", text))


def revoke(dana: Person, address: str, key: str, pictures: Path) -> None:
    """Revoked is said at once; removed when the gateway has confirmed it, and then no call passes."""
    page = dana.page
    page.goto("/applications/")
    press(page, "Route planner")
    page.locator("main").get_by_role("link", name=re.compile(NAME)).first.click()
    page.wait_for_url("**/subscriptions/**")
    dana.look("subscription", pictures=pictures)
    page.locator("main").get_by_role("link", name=re.compile("Revoke")).first.click()
    page.locator("main form, dialog[open] form").get_by_role("button", name=re.compile("Revoke")).or_(
        page.get_by_role("button", name=re.compile("^Revoke"))
    ).first.click()
    page.wait_for_url("**/subscriptions/**")
    expect(page.locator("#subscription-keys")).to_contain_text(
        re.compile(r"removed from (1 gateway\b|all)"), timeout=PATIENCE_S * 1000
    )  # "0 of 1" is under way
    assert httpx.get(address, headers={"X-API-Key": key}).status_code == 401
    dana.look("subscription-revoked", pictures=pictures)


def test_the_example_walks_the_same_path_over_rest(system: System) -> None:
    walk = subprocess.run(
        [sys.executable, "examples/golden_path.py"],
        cwd=ROOT,
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert walk.returncode == 0, walk.stdout + walk.stderr
    assert "the whole path" in walk.stdout
