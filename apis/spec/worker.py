"""The process that reads one untrusted document: `python -m apis.spec.worker`, bytes on stdin, JSON on stdout.

It gives itself limits on CPU time and memory and then may open nothing any more. Whatever goes wrong in here, up to
a crash of a native library, costs this process only.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import asdict
from typing import Any

from apis.spec import validate
from apis.spec.guard import MAX_BYTES, check_references, read_source
from apis.spec.kinds import minor_version
from apis.spec.problems import SpecRefused, whole_file
from apis.spec.summary import summarise

CPU_SECONDS = 20
MEMORY_BYTES = 640 << 20  # a good document of ten megabytes takes a third of it

# Audit events of CPython that a reader of a document has no business raising.
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.",
    "shutil.",
    "ctypes.",
    "ftplib.",
    "urllib.",
    "http.",
    "sqlite3.",
)
_EXACT = frozenset(("open", "import", "exec", "compile", "pty.spawn"))


class Sealed(RuntimeError):
    """The reader tried to open something. Never expected: it means that a library behaves as it must not."""


def read_document(data: bytes) -> dict[str, Any]:
    """Read, check and summarise a document. Raises SpecRefused with every problem found."""
    source = read_source(data)
    minor = minor_version(source)
    check_references(source)
    validate.check_document(source, minor)
    source.problems.raise_if_any()
    summary = summarise(source)
    return {**summary, "warnings": [asdict(warning) for warning in source.warnings.in_order()]}


def answer(data: bytes) -> dict[str, Any]:
    """`{"spec": {...}}`, or `{"problems": [...], "cut": bool}`."""
    try:
        return {"spec": read_document(data)}
    except SpecRefused as refused:
        return {"problems": [asdict(problem) for problem in refused.problems], "cut": refused.cut}
    except MemoryError:
        pass
    too_big = whole_file(
        "too-expensive", "Reading this document takes too much memory. Split it into several APIs."
    )
    return {"problems": [asdict(problem) for problem in too_big.problems], "cut": False}


def limit_resources() -> None:
    """CPU seconds, address space, no core file, no file to write."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def seal() -> None:
    """From now on this process opens no file, socket or process: by audit hook, and no free file descriptor is left.

    The hook catches Python code with a clear error; the descriptor limit also holds native code.
    """

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EXACT or event.startswith(_FORBIDDEN):
            raise Sealed(f"{event} while reading a document: {str(arguments)[:200]}")

    sys.addaudithook(refuse)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def warm_up() -> None:
    """Load all that is loaded lazily, by reading a small good and a small bad document."""
    validate.prepare()
    for text in (b"openapi: 3.1.0\ninfo: {title: a, version: '1'}\npaths: {/a: {get: {}}}\n", b"{", b"a: ["):
        answer(text)
    answer(b'{"openapi":"3.0.3","info":{"titel":1},"paths":{"a":{}}}')


def main() -> None:
    """Read stdin, answer on stdout."""
    limit_resources()
    warm_up()
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    seal()
    output = json.dumps(answer(data), ensure_ascii=False).encode("utf-8")
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()
    os._exit(0)  # nothing to tidy up, and tidying would import


if __name__ == "__main__":
    main()
