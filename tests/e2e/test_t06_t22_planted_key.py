"""T6, T22: a key that was issued, used and revoked in the running system is found nowhere at rest.

Every file that the system wrote is searched: PostgreSQL's tables and write-ahead log, Redis' append-only
file, the logs of every part, mails, the agents' notes, files and access logs of Envoy and nginx.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from embedded.layout import Layout
from embedded.postgres import home_of
from tests.e2e.conftest import System
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
