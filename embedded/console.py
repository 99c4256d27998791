"""What a person sees of a run: a line per event, and one table. Colours and a status line on a terminal only."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

_COLOURS = {"good": "32", "bad": "31", "note": "33", "quiet": "2", "strong": "1"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a part, where it is, how it is; `tone` is good, note or bad."""

    part: str
    address: str
    state: str
    tone: str = "good"


class Console:
    """Writes to `stream`. `working` shows what is waited for until the next line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._lively = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._coloured = self._lively and not os.environ.get("NO_COLOR")
        self._status = ""

    def say(self, text: str = "", *, tone: str = "") -> None:
        """A line."""
        self._clear()
        self._write(self._painted(text, tone) + "\n")
        self._show_status()

    def event(self, mark: str, subject: str, text: str, *, tone: str) -> None:
        """A line about one part, aligned with the others."""
        now = time.strftime("%H:%M:%S")
        self.say(
            f"  {self._painted(now, 'quiet')}  {self._painted(f'{mark:<8}', tone)}  {subject:<16}  {text}".rstrip()
        )

    def working(self, text: str) -> None:
        """Show, on a terminal, what is being waited for; empty when nothing is."""
        self._clear()
        self._status = text
        self._show_status()

    def table(self, rows: Sequence[Row]) -> None:
        """All rows, aligned under a heading."""
        head = Row("part", "address", "state", "strong")
        wide = [max(len(text) for text in column) for column in zip(*map(_texts, [head, *rows]), strict=True)]
        self.say()
        for row in (head, *rows):
            part, address, state = (text.ljust(width) for text, width in zip(_texts(row), wide, strict=True))
            tone = "strong" if row is head else ""
            shown = (
                self._painted(part, tone),
                self._painted(address, tone),
                self._painted(state.rstrip(), row.tone),
            )
            self.say("  " + "  ".join(shown))

    def block(self, title: str, lines: Iterable[str]) -> None:
        """A titled group of lines."""
        self.say()
        self.say(f"  {title}", tone="strong")
        for line in lines:
            self.say(f"  {line}")

    def _painted(self, text: str, tone: str) -> str:
        return f"\x1b[{_COLOURS[tone]}m{text}\x1b[0m" if self._coloured and tone else text

    def _clear(self) -> None:
        if self._lively and self._status:
            self._write("\r\x1b[2K")

    def _show_status(self) -> None:
        if self._lively and self._status:
            width = shutil.get_terminal_size().columns - 6
            self._write(f"  ... {self._status[:width]}")

    def _write(self, text: str) -> None:
        # The terminal may be closed while we end: that must not keep the parts from being ended.
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


def _texts(row: Row) -> tuple[str, str, str]:
    return row.part, row.address, row.state
