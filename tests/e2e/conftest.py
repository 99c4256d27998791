"""The whole system, started as `make run` starts it, once for all tests of this folder."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.embedded.conftest import Run, free_ports, processes_with, remove_outside

PORTS = (
    "PORTAL_PORT", "GATEWAY_PORT", "GATEWAY_SANDBOX_PORT", "AGENT_PORT",
    "NGINX_PORT", "NGINX_SANDBOX_PORT", "NGINX_AGENT_PORT",
    "AI_PORT", "AI_SANDBOX_PORT", "AI_AGENT_PORT",
    "SAMPLE_ORDERS_PORT", "SAMPLE_WEATHER_PORT", "TOY_MODEL_PORT", "ECHO_MODEL_PORT",
    "AWS_PORT",
)  # fmt: skip
OURS = ("SECRET_KEY", "GATEHOUSE_MASTER_KEYS", "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "EMAIL_URL",
        "PORTAL_URL", "GATEHOUSE_STATE", "GATEHOUSE_EMBEDDED", "DJANGO_SETTINGS_MODULE")  # fmt: skip
"""What the test run itself was told and the system under test must not inherit."""

BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe-core" / "axe.min.js").read_text()
SERIOUS = """axe.run({exclude: [["#reference"]]}).then((found) => found.violations
    .filter((rule) => ["serious", "critical"].includes(rule.impact))
    .map((rule) => rule.id + ": " + rule.nodes[0].target))"""
SETTLED = """new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))
    .then(() => Promise.all(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().iterations !== Infinity).map((one) => one.finished)))"""
"""Colours fade when the theme changes, which begins with the next picture; axe must not look at them half-way."""
WATCH = """window.reports = []; document.addEventListener("securitypolicyviolation",
    (event) => reports.push(event.violatedDirective + " " + event.blockedURI));"""


@dataclass(frozen=True)
class System:
    """A running Gatehouse: its addresses, its state directory, the demo's password and tokens."""

    state: Path
    environment: dict[str, str]

    @property
    def portal(self) -> str:
        return f"http://localhost:{self.environment['PORTAL_PORT']}"

    @property
    def gateway(self) -> str:
        return f"http://localhost:{self.environment['GATEWAY_PORT']}"

    @property
    def second_gateway(self) -> str:
        return f"http://localhost:{self.environment['NGINX_PORT']}"

    @property
    def orders(self) -> str:
        return f"http://127.0.0.1:{self.environment['SAMPLE_ORDERS_PORT']}"

    @property
    def password(self) -> str:
        return (self.state / "secrets" / "gatehouse_demo_password").read_text().strip()

    @property
    def tokens(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.state / "secrets" / "demo_tokens.json").read_text())
        return found


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """`python -m embedded run` in a directory with a space, on ports of its own, and stopped as by Ctrl-C."""
    state = tmp_path_factory.mktemp("gate house") / "var"
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    environment |= dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    environment["GATEHOUSE_STATE"] = str(state)
    run = Run([sys.executable, "-m", "embedded", "run"], environment, state.parent / "run.txt")
    try:
        run.wait_for("Running.")
        yield System(state, environment)
    finally:
        code = run.tell(signal.SIGINT)
    assert code == 0, run.said()
    assert processes_with(str(state)) == []
    remove_outside(state)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ends with its module: while it lives, its loop runs in this thread, where no other test could run one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER)
        yield browser
        browser.close()


class Person:
    """Somebody at a browser; `complaints` is what the browser found wrong."""

    def __init__(self, browser: Browser, system: System, name: str) -> None:
        self.complaints: list[str] = []
        context = browser.new_context(base_url=system.portal, viewport={"width": 1320, "height": 900})
        context.set_default_timeout(30_000)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page: Page = context.new_page()
        self.page.add_init_script(WATCH)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._sign_in(f"{name}@example.test", system.password)

    def _note(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def _sign_in(self, email: str, password: str) -> None:
        self.page.goto("/accounts/login/")
        self.page.get_by_label("E-mail").fill(email)
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("input[name=password]").press("Enter")
        self.page.wait_for_url("**/catalogue/")

    def look(self, name: str, *, pictures: Path) -> None:
        """Take a picture of the page in light, dark and phone width, and hold it to the standing checks."""
        self.page.wait_for_load_state("networkidle")
        assert self.page.evaluate("reports") == [], name
        self.page.evaluate(AXE)
        for scheme, width in (("light", 1320), ("dark", 1320), ("light", 390)):
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.evaluate(SETTLED)
            assert self.page.evaluate(SERIOUS) == [], f"{name}, {scheme}, {width}"
            self.page.screenshot(path=pictures / f"{name}-{scheme}-{width}.png", full_page=True)
            assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                f"{name} at {width}"
            )
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": 1320, "height": 900})


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots are kept."""
    path = Path(os.environ.get("SCREENSHOTS", Path(__file__).resolve().parents[2] / "var" / "screenshots"))
    path.mkdir(parents=True, exist_ok=True)
    return path
