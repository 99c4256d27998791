"""Fetches the npm package of a manifest and unpacks it: `scripts/aimock.py MANIFEST BIN_OF_NODE INTO`.

The package has no dependencies, so that its own hash is all there is to verify. Nothing of it is run here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


def main(manifest: Path, node: Path, into: Path) -> None:
    """Fetch, verify, unpack."""
    wanted = json.loads(manifest.read_text())
    with tempfile.TemporaryDirectory() as place:
        archive = fetched(f"{wanted['name']}@{wanted['version']}", node, Path(place))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != wanted["integrity"]:
            sys.exit(f"{wanted['name']} is not what {manifest} pins: it has sha512-{digest}.")
        with tarfile.open(archive) as files:
            files.extractall(into, filter="data")


def fetched(package: str, node: Path, place: Path) -> Path:
    """The archive of a package, from the registry that npm is set to."""
    environment = {**os.environ, "PATH": f"{node}:{os.environ['PATH']}"}
    command = ["npm", "pack", package, "--ignore-scripts", "--silent", "--pack-destination", str(place)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return next(place.glob("*.tgz"))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
