"""The world of two teams, and somebody who walks it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.walker import Walker
from tests.security.world import make_world


@pytest.fixture
def walker(db: None, settings: Any) -> Iterator[Walker]:
    """A world of its own for the test, without a limit on calls and without two lines of log for each of them."""
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {"token": "1000000/min"}}
    logging.disable()
    yield Walker(make_world())
    logging.disable(logging.NOTSET)
