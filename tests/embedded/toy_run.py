"""Two small parts under the real supervisor, to be signalled by tests: `toy_run.py DIRECTORY`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from embedded.console import Console
from embedded.process import Launch
from embedded.running import until_told
from embedded.supervisor import Part, Supervisor

# Each part starts a child that ignores SIGTERM and leads a session of its own, as a daemon would.
PART = """
import os, signal, subprocess, sys, pathlib
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
child = subprocess.Popen(
    [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"],
    start_new_session=True,
)
(folder / f"{name}.pid").write_text(str(os.getpid()))
(folder / f"{name}.ready").touch()
signal.sigwait([signal.SIGTERM])
(folder / "order").open("a").write(name + "\\n")
"""


def part(name: str, folder: Path) -> Part:
    async def ready() -> bool:
        return (folder / f"{name}.ready").exists()

    def launch() -> Launch:
        (folder / f"{name}.ready").unlink(missing_ok=True)
        command = [sys.executable, "-c", PART, name, str(folder)]
        return Launch(command=command, environment=os.environ, log=folder / f"{name}.log", directory=folder)

    return Part(name=name, launch=launch, probe=lambda: ready, grace=5.0)


async def work(supervisor: Supervisor, folder: Path) -> int:
    await supervisor.start(part("first", folder))
    await supervisor.start(part("second", folder))
    sys.stdout.write("all run\n")
    sys.stdout.flush()
    await supervisor.watch()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(until_told(lambda s: work(s, Path(sys.argv[1])), Console())))
