#!/usr/bin/env python3
"""Which threats (T1-T38) and faults (R1-R20) have a test that bears their id.

A test bears an id in the name of its file or function (`test_t05_mass_assignment.py`, `def test_r12_...`) or in
its text (`T5`). The ids are those of the list of threats that the project is built against.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KNOWN = {"T": 38, "R": 20}
IN_NAMES = re.compile(r"\btest_(?:\w+_)?([tr])0?(\d{1,2})_")
IN_TEXT = re.compile(r"\b([TR])(\d{1,2})\b")


def main() -> int:
    """Print what is covered and what is not. Always 0: coverage grows issue by issue."""
    covered = find(ROOT / "tests")
    for letter, count in KNOWN.items():
        ids = [f"{letter}{number}" for number in range(1, count + 1)]
        have = [name for name in ids if name in covered]
        sys.stdout.write(
            f"  {'Threats' if letter == 'T' else 'Faults'}: {len(have)} of {count} have a test.\n"
        )
        sys.stdout.write(f"    with:    {' '.join(have) or '-'}\n")
        sys.stdout.write(f"    without: {' '.join(name for name in ids if name not in covered) or '-'}\n")
    return 0


def find(folder: Path) -> dict[str, set[Path]]:
    """Id -> the test files that bear it."""
    covered: dict[str, set[Path]] = defaultdict(set)
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for letter, number in [*IN_NAMES.findall(f"{path.name}\n{text}"), *IN_TEXT.findall(text)]:
            if 1 <= int(number) <= KNOWN[letter.upper()]:
                covered[f"{letter.upper()}{int(number)}"].add(path)
    return covered


if __name__ == "__main__":
    sys.exit(main())
