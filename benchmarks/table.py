#!/usr/bin/env python3
"""One table of what the benchmarks printed.

    benchmarks/table.py < LINES           print it
    benchmarks/table.py --readme < LINES  put it into README.md, between the two markers there

LINES are those of `benchmarks/measured.py`; anything else is left out.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
FIELDS = {"what", "value", "unit", "goal", "note"}


def read(lines: Iterable[str]) -> list[dict[str, object]]:
    """The figures in `lines`."""
    found = []
    for line in lines:
        try:
            plain = json.loads(line)
        except ValueError:
            continue
        if isinstance(plain, dict) and plain.keys() >= FIELDS:
            found.append(plain)
    return found


def table(figures: Iterable[dict[str, object]]) -> str:
    """The figures in Markdown, with when and where they were measured."""
    rows = ["| what | measured | goal | how |", "| --- | ---: | --- | --- |"]
    rows += [
        f"| {_cell(f['what'])} | {_number(f['value'])} {_cell(f['unit'])} "
        f"| {_cell(f['goal'] or '')} | {_cell(f['note'] or '')} |"
        for f in figures
    ]
    today = datetime.datetime.now(datetime.UTC).date()
    return f"Measured by `make bench` on {today}, {machine()}.\n\n" + "\n".join(rows) + "\n"


def machine() -> str:
    """The processor and how many cores of it there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(models, 'an unnamed processor')}, {len(os.sched_getaffinity(0))} cores"


def put_into(text: str, made: str) -> str:
    """`text` with `made` between the markers. Raises ValueError when it has none."""
    head, begin, rest = text.partition(BEGIN)
    _old, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"there is no {BEGIN} with an {END} behind it")
    return f"{head}{BEGIN}\n{made}{END}{tail}"


def _number(value: object) -> str:
    return f"{value:,g}" if isinstance(value, float) and abs(value) < 1000 else f"{float(str(value)):,.0f}"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Print the table, or put it into the README."""
    made = table(read(sys.stdin))
    if "--readme" in sys.argv[1:]:
        README.write_text(put_into(README.read_text(), made))
    sys.stdout.write(made)


if __name__ == "__main__":
    main()
