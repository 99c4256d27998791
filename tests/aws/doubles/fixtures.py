"""The doubles that tests are given. Each is started once in a process of the test run, at the first test that asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import aws_server
from tests.aws.doubles.made import ROOT, made_double
from tests.aws.doubles.servers import ACCOUNT, Double, Keys, running
from tests.embedded.conftest import free_ports


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """MiniStack as its makers start it: every caller may do everything."""
    folder, (port,) = tmp_path_factory.mktemp("ministack"), free_ports(1)
    settings = {**aws_server.settings(folder, port, "test"), "AUTH": "false", "PERSIST_STATE": "0"}
    with running([made_double("ministack") / "ministack"], _made(settings), folder, _health(port)):
        yield Double(f"http://127.0.0.1:{port}", Keys("test", "test"))


@pytest.fixture(scope="session")
def guarded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """The simulated AWS exactly as `make run` starts it: IAM is enforced, and the guard stands before it."""
    folder, (port,) = tmp_path_factory.mktemp("aws"), free_ports(1)
    root = os.urandom(20).hex()
    settings = aws_server.settings(folder / "aws", port, root)
    command = [made_double("ministack") / "python", "-m", "embedded.aws_server"]
    with running(command, settings, folder, _health(port), directory=ROOT):
        yield Double(f"http://127.0.0.1:{port}", Keys(root, root))


PLUGINS = """[localstack.lambda.runtime_executor]
host = gatehouse_executor:HostExecutorPlugin
[localstack.hooks.on_infra_start]
hold_rules = gatehouse_rules:hold_rules
"""


@pytest.fixture(scope="session")
def localstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """LocalStack's core without containers, with our two plugins (`localstack/`)."""
    folder, (port,) = tmp_path_factory.mktemp("localstack"), free_ports(1)
    found = folder / "gatehouse_plugins-1.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: gatehouse-plugins\nVersion: 1\n")
    (found / "entry_points.txt").write_text(PLUGINS)
    (folder / "tmp").mkdir()
    settings = {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LAMBDA_RUNTIME_EXECUTOR": "host",
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).with_name("localstack"))]),
        "FILESYSTEM_ROOT": str(folder / "filesystem"),
        "TMPDIR": str(folder / "tmp"),
        "DOCKER_HOST": f"unix://{folder / 'no-docker'}",
        # Its other server, twisted, listens on all addresses whatever GATEWAY_LISTEN says.
        "GATEWAY_SERVER": "hypercorn",
        "DNS_ADDRESS": "0",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "EAGER_SERVICE_LOADING": "0",
    }
    command = [made_double("localstack") / "python", "-m", "localstack.runtime.main"]
    with running(command, settings, folder, f"http://127.0.0.1:{port}/_localstack/health"):
        yield Double(f"http://127.0.0.1:{port}", Keys("test", "test"))


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """moto's server."""
    folder, (port,) = tmp_path_factory.mktemp("moto"), free_ports(1)
    command = [made_double("moto") / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    with running(
        command, {"MOTO_ACCOUNT_ID": ACCOUNT}, folder, f"http://127.0.0.1:{port}/moto-api/data.json"
    ):
        yield Double(f"http://127.0.0.1:{port}", Keys("test", "test"))


def _health(port: int) -> str:
    return f"http://127.0.0.1:{port}{aws_server.HEALTH}"


def _made(settings: dict[str, str]) -> dict[str, str]:
    for name in ("TMPDIR", "STATE_DIR"):
        Path(settings[name]).mkdir(parents=True, exist_ok=True)
    return settings


__all__ = ["guarded_aws", "localstack", "ministack", "moto_server"]
