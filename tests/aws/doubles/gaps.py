"""What a double cannot show. A gap is a test: it fails when the double has closed it, so that the list stays true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Gap:
    """`is_open` asks a double whether it still does otherwise than AWS, which `aws` says."""

    name: str
    aws: str
    is_open: Callable[..., bool]


class Gaps:
    """The gaps of one double, in the order of their writing."""

    def __init__(self) -> None:
        self.all: list[Gap] = []

    def gap(self, aws: str) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
        """Mark a function as the check of a gap; `aws` is what AWS does, and by which source."""

        def note(check: Callable[..., bool]) -> Callable[..., bool]:
            self.all.append(Gap(check.__name__, aws, check))
            return check

        return note

    def parameters(self) -> Any:
        """For a test with one parameter, `gap`."""
        return pytest.mark.parametrize("gap", self.all, ids=lambda gap: gap.name)


def hold(gap: Gap, *given: Any) -> None:
    """Fail when the gap is closed."""
    assert gap.is_open(*given), (
        f"The double now does as AWS does: {gap.aws}. Take this gap off the list, and have a contract test of it."
    )
