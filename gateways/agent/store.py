"""The agent's directory: the gateway's files, the last good configuration, the usage segments.

bootstrap.json        what Envoy is started with; nginx.conf and served.conf, nginx
push.json             the configuration in force, as it was pushed (0600: it holds keys)
xds/*.json            the files that Envoy follows; conf/*.conf, those of nginx (0600: they hold keys)
usage/access.log      a link to the segment that the gateway writes
usage/*.log           segments
usage/offsets.json    how far each segment has been shipped
usage/losses.json     what is lost and not yet told to the portal
usage/set-aside.ndjson  lines that the portal could not read
envoy.log, nginx.log  what the gateway says
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateways.engine.pushes import Push, read_push
from gateways.engine.wire import FILE_SUFFIX, FILES_DIRECTORY, content_digest

LOG_BYTES = 16 * 1024 * 1024
MOST_BYTES_READ = 256 * 1024 * 1024


class Store:
    """The files under one directory. The directory and everything in it belong to this agent alone."""

    def __init__(self, root: Path, kind: str = "envoy") -> None:
        self.root = root
        self.configuration = root / FILES_DIRECTORY[kind]
        self.usage = root / "usage"
        self.log = root / f"{kind}.log"
        self._push = root / "push.json"
        self._pattern = f"*{FILE_SUFFIX[kind]}"
        self._first_files: Mapping[str, str] = {}

    def prepare(self, first_files: Mapping[str, str]) -> None:
        """Make the directories, for the owner only, and the files without which the gateway does not start."""
        for directory in (self.root, self.configuration, self.usage):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            directory.chmod(0o700)
        for leftover in self.configuration.glob(".*"):
            leftover.unlink()
        self._first_files = first_files
        for name, text in first_files.items():
            if not (self.configuration / name).exists():
                write_atomically(self.configuration / name, text.encode())

    def load_push(self) -> Push | None:
        """The configuration in force when the agent last ran. Raises WireError when it was damaged."""
        try:
            return read_push(self._push.read_bytes())
        except FileNotFoundError:
            return None

    def save_push(self, push: Push) -> None:
        """Remember `push` as the configuration in force; it survives a loss of power once this returns."""
        write_atomically(self._push, push.to_bytes(), durable=True)

    def set_aside_push(self) -> None:
        """Move a damaged configuration out of the way, for a person to look at."""
        self._push.replace(self._push.with_suffix(".damaged"))

    def turn_log(self) -> None:
        """Set a big log of the gateway aside; the one set aside before goes."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))

    def files(self) -> dict[str, str]:
        """The files of the gateway, as they are on disk."""
        return {p.name: _text(p) for p in sorted(self.configuration.glob(self._pattern)) if p.is_file()}

    def everything(self) -> dict[str, str]:
        """Every file of the directory that the gateway reads, whoever wrote it. A huge one is cut off."""
        return {path.name: _text(path) for path in sorted(self.configuration.iterdir()) if path.is_file()}

    def digests(self) -> dict[str, str]:
        """The digests of those files."""
        return {name: content_digest(text) for name, text in self.files().items()}

    def write_files(self, files: Mapping[str, str]) -> None:
        """Put `files` in place one by one; a reader sees each whole, old or new."""
        for name, text in files.items():
            write_atomically(self.configuration / name, text.encode())

    def write_changed(self, files: Mapping[str, str]) -> None:
        """Put those of `files` in place that are not there as they should be."""
        on_disk = self.digests()
        self.write_files(
            {name: text for name, text in files.items() if on_disk.get(name) != content_digest(text)}
        )

    def keep_only(self, names: set[str]) -> None:
        """Remove files that no configuration names (any more), whoever wrote them."""
        for path in self.configuration.iterdir():
            if path.is_file() and path.name not in names and path.name not in self._first_files:
                path.unlink()

    def read_json(self, path: Path) -> dict[str, Any]:
        """The JSON object at `path`; empty when there is none or it was cut off."""
        try:
            found = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _text(path: Path) -> str:
    """The text of a file that anybody may have written: what is no UTF-8 is replaced, so that nothing stops."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES_READ).decode("utf-8", "replace")


def write_atomically(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Write `path` so that a reader sees the old content or the new one; readable by the owner only.

    The file is moved into place, which is what Envoy watches for.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
    if durable:
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
