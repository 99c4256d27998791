"""`python -m apis.spec.corpus DIR`: import every document under a directory and say how it went.

Exits 0 unless the importer itself failed on a file; a refused document is an outcome, not a failure.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from apis.spec.document import read_spec
from apis.spec.problems import SpecProblem, SpecRefused

SUFFIXES = frozenset((".json", ".yaml", ".yml", ".zip"))
CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one file went. `code` is "" for an imported one; seconds are wall time."""

    path: Path
    size: int
    seconds: float
    code: str
    operations: int
    problems: tuple[SpecProblem, ...]

    @property
    def words(self) -> str:
        if not self.code:
            return f"imported, {len(self.problems)} warnings" if self.problems else "imported"
        return f"refused: {self.code}" if self.code != CRASHED else CRASHED


def run_corpus(directory: Path) -> list[Outcome]:
    """Import every JSON, YAML and zip file under `directory`, in order of name."""
    files = (
        path for path in sorted(directory.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    return [_import(path) for path in files]


def _import(path: Path) -> Outcome:
    started = time.perf_counter()
    size, operations, code = path.stat().st_size, 0, ""
    problems: tuple[SpecProblem, ...] = ()
    try:
        spec = read_spec(path.read_bytes(), path.name)
        operations, problems = len(spec.operations), spec.warnings
    except SpecRefused as refused:
        code, problems = refused.problems[0].code, refused.problems
    except Exception:  # noqa: BLE001  a crash on one file is what this run is looking for; go on with the rest
        code = CRASHED
        traceback.print_exc()
    return Outcome(path, size, time.perf_counter() - started, code, operations, problems)


def report(outcomes: list[Outcome], directory: Path) -> str:
    """A table of the files, the first problems of each refused one, and counts by class."""
    names = [str(outcome.path.relative_to(directory)) for outcome in outcomes]
    width = max(map(len, names), default=4)
    lines = [f"{'file':<{width}}  {'bytes':>10}  {'seconds':>7}  {'operations':>10}  outcome"]
    for name, outcome in zip(names, outcomes, strict=True):
        row = f"{name:<{width}}  {outcome.size:>10,}  {outcome.seconds:>7.2f}  {outcome.operations:>10,}"
        lines.append(f"{row}  {outcome.words}")
        lines += [f"    {problem.code}: {problem}" for problem in outcome.problems[:3]]
    lines += ["", "by outcome:"]
    counts = Counter(outcome.words.split(",")[0] for outcome in outcomes)
    lines += [f"{count:>6}  {words}" for words, count in counts.most_common()]
    problems = Counter(problem.code for outcome in outcomes for problem in outcome.problems)
    lines += [
        "",
        "by class of problem or warning:",
        *(f"{n:>6}  {code}" for code, n in problems.most_common()),
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Exit status: 0, 1 when the importer crashed on a file, 2 without a directory."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("Name one directory of documents: python -m apis.spec.corpus DIR\n")
        return 2
    directory = Path(arguments[0])
    outcomes = run_corpus(directory)
    sys.stdout.write(report(outcomes, directory) + "\n")
    return int(any(outcome.code == CRASHED for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
