"""What the fault tests share: one portal of real processes, and a scene on it for each test."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.kinds import KINDS
from tests.faults.parts import Portal, make_portal, spoken_to
from tests.faults.scene import IssuedKey, Scene
from tests.gateways.gateway_node import echo_upstream


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    """A line per call of ours would bury what the parts say."""
    for name in ("httpx", "django_structlog"):
        logging.getLogger(name).setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def portal_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Started once; each test finds all of it alive."""
    portal = make_portal(tmp_path_factory.mktemp("faults") / "var", os.environ)
    portal.start()
    yield portal
    portal.stop()


@pytest.fixture
def portal(portal_processes: Portal, django_db_setup: None, django_db_blocker: Any) -> Iterator[Portal]:
    """The portal; the models of this process are its own."""
    portal_processes.mend()
    with django_db_blocker.unblock(), spoken_to(portal_processes):
        yield portal_processes


@pytest.fixture(scope="session")
def upstream_url() -> Iterator[str]:
    with echo_upstream() as url:
        yield url


@pytest.fixture(params=KINDS)
def scene(
    request: pytest.FixtureRequest, portal: Portal, tmp_path: Path, upstream_url: str
) -> Iterator[Scene]:
    """A gateway of each kind with one node, two APIs, and the prober at work."""
    made = Scene(portal, request.param, tmp_path, upstream_url)
    made.add_node()
    made.publish(2)
    made.prober.start()
    yield made
    made.close()


@pytest.fixture
def old(scene: Scene) -> IssuedKey:
    """A key of the first API that works, and that the page says is live."""
    issued = scene.key(scene.subscribe(scene.publications[0]))
    scene.wait_until_live(issued)
    return issued
