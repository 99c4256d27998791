"""Secrets of one installation: made once, kept in files that only their owner reads."""

from __future__ import annotations

import base64
import os
import secrets
import string
from collections.abc import Callable, Mapping
from pathlib import Path

from embedded.failure import CannotRun

ALPHABET = string.ascii_letters + string.digits


def random_text(length: int) -> str:
    """`length` letters and digits, 5.95 bits each."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def master_key() -> str:
    """The first master key in the form of GATEHOUSE_MASTER_KEYS."""
    return "1:" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


MAKERS: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: random_text(64),
    "GATEHOUSE_MASTER_KEYS": master_key,
    "GATEHOUSE_AGENT_TOKEN": lambda: random_text(48),
    "GATEHOUSE_NGINX_AGENT_TOKEN": lambda: random_text(48),
    "GATEHOUSE_AI_AGENT_TOKEN": lambda: random_text(48),
    "GATEHOUSE_SIMULATED_AWS_ROOT": lambda: random_text(40),
    "GATEHOUSE_DEMO_PASSWORD": lambda: "-".join(random_text(4).lower() for _ in range(3)),
    "POSTGRES_SUPERUSER_PASSWORD": lambda: random_text(40),
    "POSTGRES_OWNER_PASSWORD": lambda: random_text(40),
    "POSTGRES_APP_PASSWORD": lambda: random_text(40),
}
"""Each secret by its name, which is also the name of its file and of the variable that replaces it."""


class Keyring:
    """The secrets in `directory`; the environment wins over a file. A secret is made when first asked for."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = environment

    def __getitem__(self, name: str) -> str:
        """The secret `name` of MAKERS. Raises CannotRun when its file cannot be read."""
        return self.given(name) or self._kept(name)

    def given(self, name: str) -> str:
        """What the environment says, by the variable `name` or the file that NAME_FILE names; else empty."""
        path = self._environment.get(f"{name}_FILE", "")
        return _read(Path(path), f"{name}_FILE") if path else self._environment.get(name, "").strip()

    def _kept(self, name: str) -> str:
        path = self._directory / name.lower()
        if not path.exists():
            write_private(path, MAKERS[name]() + "\n")
        return _read(path, path.name)


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` at once and whole, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CannotRun(f"{name} cannot be read: {error.strerror}. Correct the path or its mode.") from error
