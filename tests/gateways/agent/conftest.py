"""The engine knows no Django, no database and no cache: neither do its tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Nothing to make fresh."""
