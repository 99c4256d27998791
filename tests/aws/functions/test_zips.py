"""Zips are looked through before anything is called: what AWS would refuse, and what would do harm."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from aws.pushes import zips
from aws.pushes.zips import BadZip, code_sha256, read_zip
from tests.aws.functions.conftest import zipped

DAY = (2026, 1, 1, 0, 0, 0)


def of(*entries: tuple[Any, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name, DAY) if isinstance(name, str) else name, content)
    return body.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


def test_a_zip_is_told_as_aws_does() -> None:
    content = zipped("print(1)")
    facts = read_zip(content)
    assert (facts.size, facts.unzipped, facts.files) == (len(content), 8, 1)
    assert facts.sha256 == code_sha256(content)
    assert len(facts.sha256) == 44


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"not a zip", "no zip"),
        (zipped()[:-30], "no zip"),
        (of(("/etc/passwd", b"x")), "leads out"),
        (of(("../up.py", b"x")), "leads out"),
        (of(("a/../../up.py", b"x")), "leads out"),
        (of(("C:/x.py", b"x")), "leads out"),
        (of((link("app.py"), b"/etc/passwd")), "is a link"),
        (of(("directory/", b"")), "no file"),
    ],
    ids=["empty", "text", "cut", "absolute", "up", "up-within", "drive", "link", "no-file"],
)
def test_what_is_none_or_does_harm_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(BadZip, match=words):
        read_zip(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(BadZip, match="twice"):
        read_zip(of(("app.py", b"one"), ("app.py", b"two")))


def test_a_broken_entry_is_found(monkeypatch: Any) -> None:
    content = bytearray(of(("app.py", b"x" * 10_000)))
    content[40] ^= 0xFF
    with pytest.raises(BadZip, match="no zip, or a damaged one"):
        read_zip(bytes(content))


def test_a_bomb_is_refused_without_unpacking_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(zips, "MOST_UNZIPPED", 1_000_000)
    with pytest.raises(BadZip, match="Unpacked"):
        read_zip(of(("bomb", b"0" * 2_000_000)))


def test_too_large_and_too_many(monkeypatch: Any) -> None:
    monkeypatch.setattr(zips, "MOST_BYTES", 100)
    with pytest.raises(BadZip, match="AWS takes"):
        read_zip(zipped())
    monkeypatch.undo()
    monkeypatch.setattr(zips, "MOST_FILES", 1)
    with pytest.raises(BadZip, match="entries"):
        read_zip(of(("a", b"1"), ("b", b"2")))
