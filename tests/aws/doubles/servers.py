"""A double of AWS as a process of this run, and how tests reach it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "eu-central-1"
ACCOUNT = "000000000000"
"""The account that every double puts its callers into."""
READY_S = 90.0
ONCE = Config(
    connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 1}, parameter_validation=False
)
"""Nothing tried again behind a test's back, and whatever a test wants to send is sent."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Who calls: an access key, with the token of a role's session."""

    key: str
    secret: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Double:
    """A double that answers at `url`; `keys` are those of the account's owner."""

    url: str
    keys: Keys

    def client(self, service: str, *, path: str = "") -> Any:
        """A plain boto3 client."""
        return boto3.client(
            service,
            endpoint_url=self.url + path,
            region_name=REGION,
            aws_access_key_id=self.keys.key,
            aws_secret_access_key=self.keys.secret,
            aws_session_token=self.keys.token,
            config=ONCE,
        )

    def as_somebody(self, keys: Keys) -> Double:
        """The same double, called with other keys."""
        return replace(self, keys=keys)

    def call(self, api: str, stage: str, path: str, method: str = "GET", **given: Any) -> httpx.Response:
        """Call a published API over HTTP, as its consumers do."""
        return httpx.request(method, f"{self.url}{stage_path(api, stage)}{path}", timeout=30, **given)


def stage_path(api: str, stage: str) -> str:
    """Where a stage is found below the double's address; MiniStack and LocalStack agree on it."""
    return f"/_aws/execute-api/{api}/{stage}"


def unique(name: str) -> str:
    """A name that no other test has taken: a double lives as long as the test run."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def refusal(call: Any, *arguments: Any, **given: Any) -> str:
    """The error code with which AWS refuses the call; empty when it does not."""
    try:
        call(*arguments, **given)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    environment: dict[str, str],
    folder: Path,
    health: str,
    *,
    directory: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that answers at the address `health`; afterwards neither it nor a child of it is left.

    Its log is in `folder`, and it works there unless `directory` says otherwise.
    """
    log = folder / "log"
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": "*", **environment}
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            env=clean,
            cwd=directory or folder,
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
    try:
        _wait_until_ready(process, health, log)
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(health, timeout=5).status_code == httpx.codes.OK:
                return
        assert process.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.1)
