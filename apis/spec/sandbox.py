"""Runs the worker process and holds it to its time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from apis.spec.guard import check_size
from apis.spec.problems import SpecProblem, SpecRefused, whole_file

WALL_SECONDS = 45.0

# Each reader may take 640 MiB and a processor: more at once would let a few uploads starve everybody else.
_READERS = threading.BoundedSemaphore(2)

_ROOT = Path(__file__).resolve().parents[2]
_TOO_EXPENSIVE = (
    "Reading this document takes more time or memory than one document may have. Leave out generated parts, or split "
    "it into several APIs."
)


def read_in_sandbox(data: bytes, *, wall_seconds: float = WALL_SECONDS) -> dict[str, Any]:
    """The summary of a document, read by a process of its own. Raises SpecRefused, also when that process dies.

    Works inside Celery's daemonic workers and gunicorn's threads: it starts a program, it does not fork this one.
    The worker gets an empty environment, hence none of our secrets.
    """
    check_size(data)
    if not _READERS.acquire(timeout=wall_seconds):
        raise whole_file("busy", "Other documents are being read just now. Try again in a minute.")
    try:
        done = _run_worker(data, wall_seconds)
    except subprocess.TimeoutExpired:
        raise whole_file("too-expensive", _TOO_EXPENSIVE) from None
    finally:
        _READERS.release()
    if done.returncode < 0:  # killed: by its CPU limit, or by a crash of a native library
        raise whole_file("too-expensive", _TOO_EXPENSIVE)
    if done.returncode:
        raise RuntimeError(f"the spec reader failed: {done.stderr[-2000:].decode('utf-8', 'replace')}")
    return _spec_in(json.loads(done.stdout))


def _run_worker(data: bytes, wall_seconds: float) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-s", "-m", "apis.spec.worker"],
        input=data,
        capture_output=True,
        cwd=_ROOT,
        env={"LANG": "C.UTF-8"},
        timeout=wall_seconds,
        check=False,
    )


def _spec_in(answer: dict[str, Any]) -> dict[str, Any]:
    if "spec" in answer:
        spec: dict[str, Any] = answer["spec"]
        return spec
    raise SpecRefused(map(SpecProblem.from_json, answer["problems"]), cut=answer["cut"])
