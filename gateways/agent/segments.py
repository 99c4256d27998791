"""The segments of the access log: one file per opening, never reopened, removed when the portal has it all.

The gateway writes through the link `access.log`. Moving the link and having it open its log again begins a new
segment, so no line is ever cut, copied or moved. A new segment also begins before each start of it, because
a killed one may have left half a line, to which the next would add its own.
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from gateways.agent.feed import FEED_FORMAT, FEED_LINES
from gateways.engine.wire import ACCESS_LOG

SEGMENT_BYTES = 64 * 1024 * 1024
SEGMENT_S = 3600.0
SETTLED_S = 5.0
_SUFFIX = ".log"


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two lines of a segment: bytes of the log, and bytes of the feed made of them."""

    raw: int = 0
    feed: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Converted lines: `body` is the feed between `start` and `end`, and may be empty though lines were read."""

    start: Position
    end: Position
    body: bytes


class Segments:
    """The segments in one directory, oldest first by name, written by a gateway of `kind`."""

    def __init__(self, directory: Path, kind: str = "envoy") -> None:
        self.directory = directory
        self._feed_line = FEED_LINES[kind]
        self._link = directory / Path(ACCESS_LOG).name

    def open_new(self) -> str:
        """Begin a segment and point the link at it. Returns its name."""
        name = f"{time.time_ns():020d}-{FEED_FORMAT}-{secrets.token_hex(3)}"
        path = self.path(name)
        path.touch(mode=0o600)
        temporary = self._link.with_name(f".{self._link.name}.{secrets.token_hex(3)}")
        temporary.symlink_to(path.name)
        temporary.replace(self._link)
        return name

    def open_before_start(self) -> None:
        """Begin a segment for a gateway about to start, unless nothing was written to the current one."""
        name = self.current()
        if not name or not self.path(name).exists() or self.size(name):
            self.open_new()

    def current(self) -> str:
        """The segment that the link points at; empty when there is none yet."""
        try:
            return self._link.readlink().name.removesuffix(_SUFFIX)
        except OSError:
            return ""

    def names(self) -> list[str]:
        """Every segment on disk, oldest first."""
        found = (path for path in self.directory.glob(f"*{_SUFFIX}") if not path.is_symlink())
        return sorted(path.name.removesuffix(_SUFFIX) for path in found)

    def path(self, name: str) -> Path:
        """The file of a segment."""
        return self.directory / f"{name}{_SUFFIX}"

    def size(self, name: str) -> int:
        """Bytes of a segment's log."""
        return self.path(name).stat().st_size

    def opened_at(self, name: str) -> float:
        """When a segment was begun, POSIX seconds."""
        return int(name.partition("-")[0]) / 1e9

    def written_at(self, name: str) -> float:
        """When something was last written to a segment, POSIX seconds."""
        return self.path(name).stat().st_mtime

    def is_full(self) -> bool:
        """Whether the current segment is big or old enough for a new one to begin."""
        name = self.current()
        if not name or not self.size(name):
            return False
        age = time.time() - self.opened_at(name)
        return self.size(name) >= SEGMENT_BYTES or age >= SEGMENT_S

    def is_settled(self, name: str) -> bool:
        """Whether nothing will be added: the link points elsewhere, and has for some seconds."""
        if name == self.current():
            return False
        newest = max(self.path(name).stat().st_mtime, self._link.lstat().st_mtime)
        return time.time() - newest > SETTLED_S

    def remove(self, name: str) -> None:
        """Remove a segment. Unfinished work on it is lost."""
        self.path(name).unlink(missing_ok=True)

    def read(self, name: str, start: Position, limit: int) -> Batch:
        """Convert whole lines from `start` on, about `limit` bytes of log; without any the batch is empty."""
        with self.path(name).open("rb") as file:
            file.seek(start.raw)
            raw = file.read(limit)
            if b"\n" not in raw:
                raw += file.readline()
        raw = raw[: raw.rfind(b"\n") + 1]
        body = b"".join(map(self._feed_line, raw.split(b"\n")[:-1]))
        return Batch(start, Position(start.raw + len(raw), start.feed + len(body)), body)

    def seek(self, name: str, start: Position, feed: int) -> Position | None:
        """The first place at `feed` bytes of feed at or after `start`; None when no line ends there."""
        place = start
        with self.path(name).open("rb") as file:
            file.seek(start.raw)
            while place.feed < feed:
                line = file.readline()
                if not line.endswith(b"\n"):
                    return None
                place = Position(place.raw + len(line), place.feed + len(self._feed_line(line[:-1])))
        return place if place.feed == feed else None


def total_bytes(directory: Path) -> int:
    """Bytes of all segments together."""
    entries = (entry for entry in os.scandir(directory) if entry.name.endswith(_SUFFIX))
    return sum(entry.stat().st_size for entry in entries if not entry.is_symlink())
