"""The agent's directory: Envoy's files, the last good configuration, the usage segments.

bootstrap.json        what Envoy is started with
push.json             the configuration in force, as it was pushed (0600: it holds keys)
xds/*.json            the files that Envoy follows
usage/access.log      a link to the segment that Envoy writes
usage/*.log           segments
usage/offsets.json    how far each segment has been shipped
usage/losses.json     what is lost and not yet told to the portal
usage/set-aside.ndjson  lines that the portal could not read
envoy.log             what Envoy says
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateways.engine.document import canonical_json
from gateways.engine.wire import XDS_DIRECTORY, Push, content_digest, read_push

_EMPTY = canonical_json({"version_info": "", "resources": []})
ENVOY_LOG_BYTES = 16 * 1024 * 1024
MOST_BYTES_READ = 256 * 1024 * 1024
_FIRST_FILES = ("cds.json", "lds.json")


class Store:
    """The files under one directory. The directory and everything in it belong to this agent alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.xds = root / XDS_DIRECTORY
        self.usage = root / "usage"
        self.bootstrap = root / "bootstrap.json"
        self.envoy_log = root / "envoy.log"
        self._push = root / "push.json"

    def prepare(self) -> None:
        """Make the directories, for the owner only, and the two files without which Envoy does not start."""
        for directory in (self.root, self.xds, self.usage):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            directory.chmod(0o700)
        for leftover in self.xds.glob(".*"):
            leftover.unlink()
        for name in _FIRST_FILES:
            if not (self.xds / name).exists():
                write_atomically(self.xds / name, _EMPTY.encode())

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

    def turn_envoy_log(self) -> None:
        """Set a big log of Envoy aside; the one set aside before goes."""
        if self.envoy_log.exists() and self.envoy_log.stat().st_size > ENVOY_LOG_BYTES:
            self.envoy_log.replace(self.envoy_log.with_suffix(".old.log"))

    def files(self) -> dict[str, str]:
        """The files that Envoy follows, as they are on disk."""
        return {path.name: _text(path) for path in sorted(self.xds.glob("*.json")) if path.is_file()}

    def everything(self) -> dict[str, str]:
        """Every file of the directory that Envoy follows, whoever wrote it. A huge one is cut off."""
        return {path.name: _text(path) for path in sorted(self.xds.iterdir()) if path.is_file()}

    def digests(self) -> dict[str, str]:
        """The digests of those files."""
        return {name: content_digest(text) for name, text in self.files().items()}

    def write_files(self, files: Mapping[str, str]) -> None:
        """Put `files` in place one by one; Envoy sees each whole, old or new."""
        for name, text in files.items():
            write_atomically(self.xds / name, text.encode())

    def keep_only(self, names: set[str]) -> None:
        """Remove files that no configuration names (any more), whoever wrote them."""
        for path in self.xds.iterdir():
            if path.is_file() and path.name not in names and path.name not in _FIRST_FILES:
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
