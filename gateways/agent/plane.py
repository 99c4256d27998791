"""The data plane beside an agent: what Envoy and nginx owe it. All else of the agent knows no kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from gateways.engine.pushes import Push


class Refused(Exception):
    """The gateway will not take this configuration; the text is its own words."""


class NotInForce(Exception):
    """The configuration could not be proved for now: the gateway is gone, or too slow."""


class Unreachable(Exception):
    """The gateway does not answer its agent: it is starting, or gone."""


class DataPlane(Protocol):
    """One gateway process and its files. `label` is its name for people, `software` that with its version.

    `first_files` are those without which it does not start, `restarts` counts how often it ended.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    first_files: ClassVar[Mapping[str, str]]
    software: str

    @property
    def restarts(self) -> int: ...

    def prepare(self, files: Mapping[str, str]) -> None:
        """Write what it is started with; `files` are those in force, empty for none."""

    async def keep_running(self) -> None:
        """Start it, and start it again whenever it ends, until cancelled."""

    async def stop(self) -> None:
        """Let calls that are under way finish, within seconds, then end it."""

    async def is_live(self) -> bool:
        """Whether it has started and is not about to end."""

    async def reopen_logs(self) -> None:
        """Have it open its access log again. Raises Unreachable."""

    async def trial(self, push: Push, held: Push | None) -> None:
        """Have it validate `push` without any effect. Raises Refused, in its own words.

        What is the same in `held`, which is in force, need not be tried again.
        """

    async def swap(self, push: Push, held: Push | None) -> None:
        """Put `push` in the place of `held`, and return when it is served. Raises Refused or NotInForce."""

    async def restored(self, files: Mapping[str, str]) -> None:
        """The old `files` are on disk again after a swap that failed: see that it serves them."""

    async def stale(self, files: Mapping[str, str]) -> set[str]:
        """The names of those files on disk of which it serves something else than they say now."""

    async def not_served(self, files: Mapping[str, str]) -> set[str]:
        """The names of those of `files` that it does not serve. Raises Unreachable."""
