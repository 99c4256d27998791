"""The logs of the parts: their last lines, and their size."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

LARGEST = 10 * 1024 * 1024
CHECK_EVERY_S = 15.0
TAIL = 32 * 1024


def last_lines(path: Path, *, since: int = 0, count: int = 15) -> list[str]:
    """Up to `count` lines at the end of `path` that were written after byte `since`."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(since if since <= end else 0, end - TAIL))
        return file.read().decode("utf-8", "replace").splitlines()[-count:]


async def keep_small(paths: Iterable[Path]) -> None:
    """Cut every log that grows over LARGEST bytes, until cancelled. What it held lies in NAME.log.1."""
    every = set(paths)
    while True:
        for path in every:
            await asyncio.to_thread(cut, path)
        await asyncio.sleep(CHECK_EVERY_S)


def cut(path: Path, *, largest: int = LARGEST) -> None:
    """Move the content of a log over `largest` bytes aside. Its writer appends, so it goes on at the start;
    lines written during the copy are lost.
    """
    if not path.exists() or path.stat().st_size <= largest:
        return
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
