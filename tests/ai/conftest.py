"""A runtime as its operator runs it, and a vendor that answers as a test says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ai.runtime_process import RuntimeProcess
from tests.ai.vendor import Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor on a port of its own."""
    with Vendor() as found:
        yield found


@pytest.fixture
def runtime(tmp_path: Path, vendor: Vendor) -> Iterator[RuntimeProcess]:
    """A runtime whose snapshot is in the hands of the test."""
    with RuntimeProcess(tmp_path) as process:
        yield process
