"""What of the usage is lost for good: kept on disk until the portal has it, so that its pages show the gap."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from gateways.agent.portal import Gap, Portal, PortalError
from gateways.agent.store import write_atomically

logger = structlog.get_logger(__name__)

MOST_KEPT = 1000
SET_ASIDE_BYTES = 1024 * 1024
FLUSH_S = 0.2
"""A killed gateway takes what it had not written in this time with it."""

_OLDER_PORTAL = frozenset({400, 404, 405, 413})


@dataclass(frozen=True, slots=True)
class Loss:
    """A stretch of a segment that nobody can ship any more. Times are POSIX seconds, `size` 0 when not known."""

    segment: str
    reason: str
    position: int
    size: int
    starts_at: float
    ends_at: float

    def told(self, node: str) -> dict[str, Any]:
        """As the portal takes it."""
        return {
            "node": node, "segment": self.segment, "reason": self.reason, "position": self.position,
            "size": self.size, "from": round(self.starts_at * 1000), "until": round(self.ends_at * 1000),
        }  # fmt: skip


class Losses:
    """The losses of one node that the portal has not heard of yet."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "losses.json"
        self._aside = directory / "set-aside.ndjson"

    def note(self, loss: Loss) -> None:
        """Remember `loss` until it is told; it survives a restart."""
        logger.error("usage is lost", segment=loss.segment, reason=loss.reason, bytes=loss.size)
        self._keep([*self._pending(), loss][-MOST_KEPT:])

    def note_killed(self, segment: str, position: int, size: int = 0) -> None:
        """A gateway was killed: what it had not written yet is gone."""
        now = time.time()
        self.note(Loss(segment, "gateway_killed", position, size, now - FLUSH_S, now))

    def set_aside(self, line: bytes) -> None:
        """Keep a line that the portal cannot read for a person to look at; not for ever."""
        if not self._aside.exists() or self._aside.stat().st_size < SET_ASIDE_BYTES:
            with self._aside.open("ab") as file:
                file.write(line)

    async def tell(self, portal: Portal, node: str) -> None:
        """Tell the portal all there is. Raises PortalError, with the rest kept."""
        while pending := self._pending():
            oldest = pending[0]
            try:
                await portal.report_loss(oldest.told(node))
            except Gap:
                logger.error("the portal does not take a loss", segment=oldest.segment)
            except PortalError as error:
                if error.status not in _OLDER_PORTAL:
                    raise
                logger.error("the portal does not take a loss", reason=str(error))
            # Read again: more may have been noted meanwhile.
            self._keep([loss for loss in self._pending() if loss != oldest])

    def _pending(self) -> list[Loss]:
        try:
            return [Loss(**one) for one in json.loads(self._path.read_bytes())]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:
            logger.error("the notes of losses are damaged", reason=str(error))
            return []

    def _keep(self, losses: list[Loss]) -> None:
        write_atomically(self._path, json.dumps([asdict(loss) for loss in losses]).encode())
