#!/usr/bin/env python3
"""Which threats (T1-T38) and faults (R1-R20) have a test that bears their id in the name of its file or function
(`test_t05_mass_assignment.py`, `def test_r12_...`). A mention in a text is no test and does not count.

Fails when a threat or fault that must be covered has none. The ids are those of the list of threats and faults
that the project is built against.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KNOWN = {"T": 38, "R": 20}
REQUIRED = frozenset(
    f"T{number}"
    for numbers in (
        range(1, 7),
        range(9, 15),
        (16, 17, *range(19, 24)),
        range(25, 28),
        (28, 29, 30, 33),
        range(36, 39),
    )
    for number in numbers
)
"""What a change may not lose. Add an id when its test comes."""
ID = re.compile(r"(?<=_)([tr])(\d{2})(?=_|$)")


def main() -> int:
    """Print what is covered and what is not; 1 when a required id has no test."""
    covered = find(ROOT / "tests")
    for letter, count in KNOWN.items():
        ids = [f"{letter}{number}" for number in range(1, count + 1)]
        have = [name for name in ids if name in covered]
        kind = "Threats" if letter == "T" else "Faults"
        without = " ".join(name for name in ids if name not in covered) or "-"
        sys.stdout.write(f"  {kind}: {len(have)} of {count} have a test.\n")
        sys.stdout.write(f"    with:    {' '.join(have) or '-'}\n    without: {without}\n")
    lost = sorted(REQUIRED - covered.keys(), key=lambda name: int(name[1:]))
    if lost:
        sys.stdout.write(f"  NOT COVERED, and must be: {' '.join(lost)}\n")
    return 1 if lost else 0


def find(folder: Path) -> dict[str, set[Path]]:
    """Id -> the test files that bear it, or hold a test function that does."""
    covered: dict[str, set[Path]] = defaultdict(set)
    for path in sorted(folder.rglob("test_*.py")):
        for name in (path.stem, *_tests_in(path)):
            for letter, number in ID.findall(name):
                covered[f"{letter.upper()}{int(number)}"].add(path)
    return covered


def _tests_in(path: Path) -> list[str]:
    """The names of the test functions and classes of a file: what pytest collects, and no comment."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = [node.name for node in nodes if isinstance(node, kinds)]
    return [name for name in names if name.startswith(("test_", "Test"))]


if __name__ == "__main__":
    sys.exit(main())
