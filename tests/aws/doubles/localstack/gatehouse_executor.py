"""A plugin of LocalStack: functions in Python run as processes of this machine; LocalStack knows only containers.

Each environment of a function is a process of AWS's own client of the Runtime API (awslambdaric) with a small Runtime
API of its own (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). Runs inside LocalStack's environment.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

INVOCATION = "/2018-06-01/runtime/invocation/"
INIT_ERROR = "/2018-06-01/runtime/init/error"
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
START_S = 30.0
CHECK_EVERY_S = 0.05


class RuntimeApi(ThreadingHTTPServer):
    """Gives one process its invocations, and takes what it says of them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.invocations: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.said: queue.Queue[tuple[bytes, bool]] = queue.Queue()
        self.asked = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        self.server.asked.set()
        headers, body = self.server.invocations.get()
        self._answer(200, body, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.said.put((body, not self.path.endswith("/response")))
        self._answer(202, b'{"status": "OK"}', {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as in the base class
        """A function's own log says enough."""


class HostExecutor(RuntimeExecutor):
    """One environment of a function's version."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002  as in the base class
        super().__init__(id, function_version)
        self._log = Path(tempfile.mkdtemp(prefix="function-")) / "log"
        self._variables: dict[str, str] = {}
        self._api: RuntimeApi | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the process and wait until it asks for work. Raises StatusErrorException with what it says instead."""
        self._variables = {name: str(value) for name, value in env_vars.items()}
        self._api = RuntimeApi()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "awslambdaric", self.function_version.config.handler],
                cwd=_code(self.function_version),
                env=self._environment(self._api.address),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while not self._api.asked.wait(CHECK_EVERY_S):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StatusErrorException("The function does not start.", payload=self._last_words())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._api is not None:
            self._api.shutdown()
            self._api.server_close()
        self._process = self._api = None

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """What the function answers; an error when it ends or takes longer than it may. It is then started anew."""
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self.start(self._variables)
        assert self._api is not None
        since, timeout = self._log.stat().st_size, float(self.function_version.config.timeout)
        request = payload["invoke-id"]
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": payload["invoked-function-arn"],
            "Lambda-Runtime-Trace-Id": payload["trace-id"],
        }
        self._api.invocations.put((headers, payload["payload"].encode()))
        body, failed = self._heard(timeout)
        logs = f"START RequestId: {request}\n{self.get_logs()[since:]}END RequestId: {request}\n"
        return InvocationResult(request, body, is_error=failed, logs=logs)

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return f"http://{self._api.address}" if self._api else ""

    def get_logs(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        _code(function_version)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        function_version.config.code.destroy_cached()

    def _heard(self, timeout: float) -> tuple[bytes, bool]:
        assert self._api is not None
        assert self._process is not None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                return self._api.said.get(timeout=CHECK_EVERY_S)
            except queue.Empty:
                if self._process.poll() is not None:
                    return _error(
                        "Runtime.ExitError", "Error: Runtime exited without providing a reason"
                    ), True
        self._process.kill()
        return _error("Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds"), True

    def _last_words(self) -> bytes:
        assert self._api is not None
        try:
            return self._api.said.get(timeout=1)[0]
        except queue.Empty:
            return _error("Runtime.ExitError", self.get_logs()[-500:] or "It said nothing.")

    def _environment(self, api: str) -> dict[str, str]:
        code = str(_code(self.function_version))
        layers = [f"{_code(layer)}/python" for layer in self.function_version.config.layers]
        own = {
            "AWS_LAMBDA_RUNTIME_API": api,
            "LAMBDA_TASK_ROOT": code,
            "PYTHONPATH": os.pathsep.join([code, *layers]),
            "PYTHONUNBUFFERED": "1",
        }
        return {
            **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
            **self._variables,
            **own,
        }


class HostExecutorPlugin(RuntimeExecutorPlugin):
    """Chosen by LAMBDA_RUNTIME_EXECUTOR=host."""

    name = "host"

    def load(self, *arguments: Any, **given: Any) -> type[RuntimeExecutor]:
        return HostExecutor


def _code(version: Any) -> Path:
    """Where the code of a version of a function, or of a layer, lies unpacked."""
    code = version.config.code if hasattr(version, "config") else version.code
    code.prepare_for_execution()
    return Path(code.get_unzipped_code_location())


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
