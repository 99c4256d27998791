"""The corpus run tells how each file under a directory went."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from apis.spec.corpus import main
from tests.apis.spec.conftest import SPECS


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    shutil.copy(SPECS / "orders-3.1.yaml", tmp_path / "deep" / "orders.yaml")
    shutil.copy(SPECS / "broken-3.0.yaml", tmp_path / "broken.yml")
    (tmp_path / "events.yaml").write_text("asyncapi: 3.0.0\n")
    (tmp_path / "LICENSE").write_text("no document")
    return tmp_path


def test_each_file_has_a_line_and_each_class_a_count(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(corpus)]) == 0
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert ["deep/orders.yaml", f"{(corpus / 'deep/orders.yaml').stat().st_size:,}"] in [r[:2] for r in rows]
    assert "refused: asyncapi" in printed
    assert ["1", "imported"] in rows
    assert "LICENSE" not in printed


def test_without_a_directory_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Name one directory" in capsys.readouterr().err
