#!/usr/bin/env python3
"""Vendored front-end files: fetch, verify, record.

`static/vendor/manifest.json` is both the order and the receipt: which npm package at which exact version,
which of its files we keep and where, and the SHA-256 of every stored file.

    scripts/vendor.py check                 compare the stored files with the manifest (what the tests run)
    scripts/vendor.py fetch                 fetch every package again and fail if a file differs
    scripts/vendor.py update NAME@VERSION   move one package to another version and record its new sums

Packages come by `npm pack NAME@VERSION` from whatever registry npm is configured for. The version is always
named: `npm install` may silently pick an older one that suits the running Node. Pages load nothing from a CDN.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "static" / "vendor" / "manifest.json"
# A source map is never shipped, and Django's manifest storage refuses a reference to a missing file.
SOURCE_MAP = re.compile(rb"\n?(//|/\*)# sourceMappingURL=\S+?( \*/)?\s*\Z")

Package = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Run one of the three commands; the exit code is 0 when every file is as recorded."""
    options = parse(arguments)
    manifest = json.loads(MANIFEST.read_text())
    if options.command == "check":
        return report(drift(manifest))
    if options.command == "fetch":
        return report([line for package in manifest["packages"] for line in fetch(package)])
    update(manifest, *options.package.rsplit("@", 1))
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check")
    commands.add_parser("fetch")
    commands.add_parser("update").add_argument("package", metavar="NAME@VERSION")
    return parser.parse_args(arguments)


def drift(manifest: dict[str, Any], root: Path = ROOT) -> list[str]:
    """Return one line per stored file that is missing or differs from its recorded sum."""
    lines = []
    for package in manifest["packages"]:
        for entry in package["files"]:
            path = root / entry["to"]
            if not path.is_file():
                lines.append(f"{entry['to']} is missing: run scripts/vendor.py fetch")
            elif sha256(path.read_bytes()) != entry["sha256"]:
                lines.append(
                    f"{entry['to']} differs from its recorded sum: it was changed by hand or half updated"
                )
    return lines


def fetch(package: Package) -> list[str]:
    """Store the files of one package again; return a line per file that is not what was recorded."""
    lines = []
    for entry, content in unpack(package):
        if sha256(content) != entry["sha256"]:
            lines.append(
                f"{package['name']}@{package['version']} {entry['from']}: another content than recorded"
            )
        else:
            store(entry, content)
    return lines


def update(manifest: dict[str, Any], name: str, version: str) -> None:
    """Move one package to `version`, store its files and record the new sums."""
    package = next((row for row in manifest["packages"] if row["name"] == name), None)
    if package is None:
        sys.exit(f"{name} is not in {MANIFEST.relative_to(ROOT)}: add it there with its files first")
    package["version"] = version
    for entry, content in unpack(package):
        store(entry, content)
        entry["sha256"] = sha256(content)
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")


def unpack(package: Package) -> list[tuple[dict[str, str], bytes]]:
    """Return the wanted files of a package, without source map references."""
    with tempfile.TemporaryDirectory() as folder:
        spec = f"{package['name']}@{package['version']}"
        packed = subprocess.run(
            ["npm", "pack", "--silent", spec],  # noqa: S607  npm is found on the PATH of whoever runs this
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        with tarfile.open(Path(folder) / packed.stdout.strip().splitlines()[-1]) as archive:
            return [(entry, read(archive, entry)) for entry in package["files"]]


def read(archive: tarfile.TarFile, entry: dict[str, str]) -> bytes:
    """Return one file of a package. An entry without `from` is a licence that the package lacks, kept by hand."""
    name = entry["from"]
    if not name:
        return (ROOT / entry["to"]).read_bytes()
    member = archive.extractfile(f"package/{name}")
    if member is None:
        sys.exit(f"{name} is not a file of the package")
    content = member.read()
    return SOURCE_MAP.sub(b"\n", content) if name.endswith((".js", ".css")) else content


def store(entry: dict[str, str], content: bytes) -> None:
    path = ROOT / entry["to"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def report(lines: list[str]) -> int:
    sys.stderr.writelines(f"{line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
