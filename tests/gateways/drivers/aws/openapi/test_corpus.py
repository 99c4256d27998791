"""The run over a directory of documents; `make corpus` is its like for the portal's own reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateways.drivers.aws.openapi.corpus import as_http, as_rest, documents, main, outcome
from gateways.drivers.aws.openapi.traps import ApiKind, traps_of
from tests.gateways.drivers.aws.openapi.making import SPECS, faults, pointed_at


def test_it_tells_how_each_document_went(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(SPECS)]) == 0
    said = capsys.readouterr().out
    assert "orders-3.1.yaml: REST imports" in said
    assert "weather-3.0.json: REST refused, 1 things block" in said
    assert "broken-3.0.yaml: the portal refuses it" in said
    assert "REST blocks partial-segment" in said
    assert main([]) == 2


@pytest.mark.long
@pytest.mark.skipif("CORPUS" not in os.environ, reason="CORPUS names a directory of real documents")
def test_real_documents_import_or_say_what_blocks() -> None:
    """Every result is valid and every pointer leads somewhere, however large the document."""
    for _, source in documents(Path(os.environ["CORPUS"])):
        for render, kind in ((as_rest, ApiKind.REST), (as_http, ApiKind.HTTP)):
            for trap in traps_of(source, kind):
                pointed_at(source, trap.pointer)
            said, _ = outcome(render, source)
            if said.startswith("imports"):
                assert faults(render(source).document) == []
            else:
                assert any(trap.blocks for trap in traps_of(source, kind))
