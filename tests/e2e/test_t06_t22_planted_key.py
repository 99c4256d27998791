"""T6, T22: a key that was issued, used and revoked in the running system is found nowhere at rest.

Every file that the system wrote is searched: PostgreSQL's tables and write-ahead log, Redis' append-only
file, the logs of every part, mails, the agents' notes, files and access logs of Envoy and nginx.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from embedded.layout import Layout
from embedded.postgres import home_of
from tests.e2e.conftest import Person, System
from tests.e2e.test_golden_path import until

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.xdist_group("live")]


def files_of(system: System) -> Iterator[Path]:
    """Every file below the state directory, the sockets' directory and PostgreSQL's own."""
    layout = Layout(system.state)
    roots = {system.state, layout.sockets, home_of(layout, as_root=os.getuid() == 0)}
    for root in roots:
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink() and "/program/" not in str(path):
                yield path


def holds(path: Path, words: list[bytes]) -> bool:
    try:
        content = path.read_bytes()
    except FileNotFoundError:  # a file that came and went while we looked
        return False
    return any(word in content for word in words)


def forms_of(secret: str) -> list[bytes]:
    """The secret as text, hexadecimal, and base 64 at each of its three alignments."""
    plain = secret.encode()
    shifted = [base64.b64encode(b"x" * shift + plain)[4:-4] for shift in range(3)]
    return [plain, plain.hex().encode(), *shifted]


def test_a_key_is_at_rest_nowhere(system: System) -> None:
    headers = {"Authorization": f"Bearer {system.tokens['dana']}", "Idempotency-Key": "planted-key"}
    portal = httpx.Client(base_url=f"{system.portal}/api/v1", headers=headers, timeout=30)
    subscription = next(
        row["id"] for row in portal.get("/subscriptions").json()["results"] if "weather" in str(row).lower()
    )
    issued = portal.post(f"/subscriptions/{subscription}/credentials", json={"name": "planted"}).json()
    key, address = issued["key"], f"{system.gateway}/shop/weather/v1"
    gateway = httpx.Client(headers={"X-API-Key": key}, timeout=30)
    until(lambda: gateway.get(f"{address}/nothing").status_code != 401, "the key works")

    # In all the wrong places, where a careless log would keep it.
    portal.get("/me", headers={"Authorization": f"Bearer {key}"})
    portal.post(
        f"/subscriptions/{subscription}/credentials", json={"name": 1}, headers={"Idempotency-Key": key}
    )
    gateway.get(
        f"{address}/{'x' * 10}", headers={"Authorization": f"Bearer {key}", "X-Request-Id": "planted"}
    )

    portal.post(
        f"/credentials/{issued['id']}/revoke", json={"reason": "done"}, headers={"Idempotency-Key": "bye"}
    )
    until(lambda: gateway.get(f"{address}/nothing").status_code == 401, "the key is refused")

    def states() -> set[str]:
        found = portal.get(f"/credentials/{issued['id']}/enforcement").json()["gateways"]
        return {gateway["state"] for gateway in found}

    until(lambda: states() == {"removed"}, "its removal is proven on every gateway")

    searched = list(files_of(system))
    assert len(searched) > 100, "PostgreSQL alone has more files than that"
    assert [str(path) for path in searched if holds(path, forms_of(key[19:62]))] == []
    assert any(holds(path, [key[3:19].encode()]) for path in searched), "the public id is what logs may hold"


def test_tokens_and_invitation_links_are_at_rest_nowhere(system: System, chromium: Browser) -> None:
    """An API token, the token of a gateway's agents and the secret of an invitation, each made, used rightly and
    wrongly, and ended. The mail with the link is the one place that may hold it."""
    portal = httpx.Client(base_url=f"{system.portal}/api/v1", timeout=30)

    def call(who: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {system.tokens.get(who, who)}"}
        return portal.request(method, path, headers=headers, json=body)

    ends = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    token = call(
        "alice", "POST", "/tokens", {"name": "planted", "scopes": ["read"], "expires_at": ends}
    ).json()
    agents = register_gateway(Person(chromium, system, "ada"))
    email = "planted-guest@example.test"
    assert (
        call("alice", "POST", "/teams/shop/invitations", {"email": email, "role": "viewer"}).status_code
        == 201
    )
    until(lambda: bool(links_in(system, email)), "the invitation is mailed")
    path, secret = links_in(system, email)[0]
    assert httpx.get(f"{system.portal}{path}").status_code == 200

    # Rightly, and in all the wrong places.
    assert call(token["value"], "GET", "/me").status_code == 200
    beat = httpx.get(f"{system.portal}/agent/v1/config?node=x", headers={"Authorization": f"Bearer {agents}"})
    assert beat.status_code in (200, 204)
    for value in (token["value"], agents, secret):
        assert call(value, "POST", "/teams", {"name": 1}).status_code in (401, 403)
        httpx.get(f"{system.portal}/agent/v1/config?node=x", headers={"Authorization": f"Bearer {value}"})
        httpx.get(f"{system.gateway}/shop/weather/v1/nothing", headers={"X-API-Key": value})
    assert call("alice", "DELETE", f"/tokens/{token['id']}").status_code == 204
    assert call(token["value"], "GET", "/me").status_code == 401

    searched = list(files_of(system))
    mails = system.state / "mail"
    found = {
        name: [str(path) for path in searched if mails not in path.parents and holds(path, forms_of(value))]
        for name, value in (
            ("token", token["value"][19:62]),
            ("agents", agents[19:62]),
            ("invitation", secret),
        )
    }
    assert found == {"token": [], "agents": [], "invitation": []}


def register_gateway(ada: Person) -> str:
    """The token of a new gateway's agents, as its page shows it once."""
    ada.page.goto("/gateways/new/")
    ada.page.locator("input[name=slug]").fill("planted-edge")
    ada.page.locator("input[name=name]").fill("Planted edge")
    ada.page.locator("select[name=kind]").select_option("memory")
    ada.page.locator("main form button[type=submit], main form button:not([type])").last.click()
    [token] = re.findall(r"\bgha\w{65}\b", ada.page.locator("main").inner_text())
    return str(token)


def links_in(system: System, email: str) -> list[tuple[str, str]]:
    """Path and secret of every invitation that was mailed to `email`."""
    texts = [path.read_text() for path in (system.state / "mail").glob("*") if path.is_file()]
    plain = [text.replace("=\n", "") for text in texts if email in text]
    return [
        (found[0], found[1])
        for text in plain
        for found in re.findall(r"(/invitations/inv_\w+/(\w{43})/)", text)
    ]
