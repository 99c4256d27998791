"""Zips that are handed in: read before anything is called, without unpacking them.

Limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html. The sizes that a zip names may lie, so
each entry is read through, and no further than it says.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from aws.client.limits import QUOTAS

MOST_BYTES = QUOTAS["zip_bytes"].number
MOST_UNZIPPED = QUOTAS["unzipped_bytes"].number
MOST_FILES = 50_000
CHUNK = 1024 * 1024
_MEGA = 1024 * 1024
_LINK = 0o120000
_KIND = 0o170000


class BadZip(Exception):
    """It is not what Lambda takes; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class ZipFacts:
    """`sha256` as AWS tells it: base64 of the hash of all bytes. `unzipped` in bytes."""

    sha256: str
    size: int
    unzipped: int
    files: int


def read_zip(content: bytes) -> ZipFacts:
    """What is in a zip. Raises BadZip for what is none, is too large, lies, or would write outside its directory."""
    if not content:
        raise BadZip("The file is empty. Choose the zip with the function's code.")
    if len(content) > MOST_BYTES:
        raise BadZip(
            f"The zip has {len(content) / _MEGA:.1f} MB; AWS takes {MOST_BYTES // _MEGA} MB. Leave out what the runtime"
            " brings, move packages into a layer, or use a container image."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unzipped, files = _checked(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, UnicodeError) as error:
        raise BadZip(
            "This is no zip, or a damaged one. Make it anew with `zip -r function.zip .` in the directory of the code."
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise BadZip(f"The zip cannot be read: {error}. Make it without a password, with deflate.") from error
    return ZipFacts(code_sha256(content), len(content), unzipped, files)


def code_sha256(content: bytes) -> str:
    """CodeSha256, as AWS computes it of a zip."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _checked(archive: zipfile.ZipFile) -> tuple[int, int]:
    entries = archive.infolist()
    if not any(not entry.is_dir() for entry in entries):
        raise BadZip("There is no file in the zip. Put the function's code into it.")
    if len(entries) > MOST_FILES:
        raise BadZip(
            f"The zip has {len(entries)} entries, more than {MOST_FILES}. Leave out what is not needed."
        )
    told = sum(entry.file_size for entry in entries)
    _bear(told)
    seen: set[str] = set()
    for entry in entries:
        _check_path(entry, seen)
    total = 0
    for size in _sizes(archive, entries):
        total += size
        _bear(total)
    return total, sum(not entry.is_dir() for entry in entries)


def _bear(unzipped: int) -> None:
    if unzipped >= MOST_UNZIPPED:
        raise BadZip(
            f"Unpacked, the zip has {MOST_UNZIPPED // _MEGA} MB or more, which AWS refuses. Leave out what is not"
            " needed, or use a container image."
        )


def _check_path(entry: zipfile.ZipInfo, seen: set[str]) -> None:
    name = entry.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        raise BadZip(f"{name[:100]!r} leads out of the zip. Make it from within the directory of the code.")
    if (entry.external_attr >> 16) & _KIND == _LINK:
        raise BadZip(
            f"{name[:100]!r} is a link. Make the zip with the files themselves (`zip -r`, without -y)."
        )
    if not entry.is_dir():
        if name in seen:
            raise BadZip(f"{name[:100]!r} is in the zip twice. Make it anew.")
        seen.add(name)


def _sizes(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[int]:
    """Bytes as they come out, in pieces: a bomb goes off in our count."""
    for entry in entries:
        with archive.open(entry) as stream:
            while piece := stream.read(CHUNK):
                yield len(piece)
