"""A runtime as its operator runs it, and a vendor that answers as a test says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ai.runtime_process import RuntimeProcess
from tests.ai.vendor import Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor on a port of its own."""
    with Vendor() as found:
        yield found


@pytest.fixture(scope="session")
def runtime_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeProcess]:
    """Started once: it takes up whatever snapshot a test gives it."""
    with RuntimeProcess(tmp_path_factory.mktemp("ai")) as process:
        yield process


@pytest.fixture
def runtime(runtime_process: RuntimeProcess, vendor: Vendor) -> RuntimeProcess:
    """A runtime whose snapshot is in the hands of the test, and which knows nothing of earlier ones."""
    runtime_process.forget()
    return runtime_process
