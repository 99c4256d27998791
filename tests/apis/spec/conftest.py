"""The reader of documents knows no Django, no database and no cache: neither do its tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from apis.spec.problems import SpecProblem, SpecRefused
from apis.spec.worker import read_document

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Nothing to make fresh."""


@pytest.fixture
def spec_bytes() -> Callable[[str], bytes]:
    """The bytes of a document of tests/specs."""
    return lambda name: (SPECS / name).read_bytes()


@pytest.fixture
def problems_of() -> Callable[[bytes | str], list[SpecProblem]]:
    """What the reader refuses a document for, read in this process; empty when it is accepted."""

    def read(data: bytes | str) -> list[SpecProblem]:
        try:
            read_document(data if isinstance(data, bytes) else data.encode())
        except SpecRefused as refused:
            return list(refused.problems)
        return []

    return read
