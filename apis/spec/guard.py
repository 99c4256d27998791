"""The first gate: bytes of unknown origin to plain values, with every dangerous thing refused before any library."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from apis.spec.building import shown
from apis.spec.json_text import read_json
from apis.spec.places import Source, steps_of, walk
from apis.spec.problems import whole_file
from apis.spec.yaml_text import read_yaml

MAX_BYTES = 10_000_000

BUNDLE_HINT = (
    "Bundle the files into one first, for example with: npx @redocly/cli bundle openapi.yaml -o bundled.yaml"
)
_EMPTY = "The file is empty. Choose an OpenAPI document in YAML or JSON."
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def check_size(data: bytes) -> None:
    """Raises SpecRefused when `data` is larger than MAX_BYTES."""
    if len(data) > MAX_BYTES:
        raise whole_file(
            "too-large",
            f"The file has {len(data):,} bytes; at most {MAX_BYTES:,} are read. Leave out large examples, or split "
            "it into several APIs.",
        )


def read_source(data: bytes) -> Source:
    """The values of a JSON or YAML document with their places. Raises SpecRefused, and nothing else, for any bytes.

    Refused: too large, no UTF-8, archives and pages, bad syntax, nesting, too many values, YAML aliases and tags,
    and no mapping. Keys given twice are noted in the source.
    """
    check_size(data)
    text = _text_of(data)
    source = read_json(text) if text.lstrip(" \t\r\n").startswith(("{", "[")) else read_yaml(text)
    if source.root is None:
        raise whole_file("empty", _EMPTY)
    if not isinstance(source.root, dict):
        raise whole_file(
            "no-mapping",
            "An OpenAPI document is a mapping that begins with “openapi: 3.1.0”; this file is none.",
        )
    return source


def _text_of(data: bytes) -> str:
    """The text of the file, which must be UTF-8, with or without a byte order mark."""
    if data.startswith(b"PK\x03\x04"):
        raise whole_file("archive", f"This is a zip archive; one file is needed. Unpack it. {BUNDLE_HINT}")
    if data.startswith(b"\x1f\x8b"):
        raise whole_file("archive", "This file is compressed with gzip. Unpack it first.")
    if data.startswith(_UTF16_BOMS):
        raise whole_file("not-utf8", "This file is UTF-16 text. Save it as UTF-8.")
    if data[:512].lstrip().startswith(b"<"):
        raise whole_file("not-openapi", "This looks like a web page or XML. Choose the document itself.")
    try:
        text = data.removeprefix(_UTF8_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise whole_file(
            "not-utf8", "This line is not UTF-8 text. Save the file as UTF-8.", line=line
        ) from None
    if not text.strip():
        raise whole_file("empty", _EMPTY)
    return text


def check_references(source: Source) -> None:
    """Note every reference that would make a reader open a file or an address: all that do not begin with #/."""
    for steps, container in walk(source.root):
        if not isinstance(container, dict):
            continue
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            target = container.get(keyword)
            if isinstance(target, str) and not _is_local(keyword, target):
                source.refuse(
                    [*steps, keyword],
                    "external-ref",
                    f"{shown(target)} points outside this document; only references that begin with #/ are read. "
                    f"{BUNDLE_HINT}",
                )


def _is_local(keyword: str, target: str) -> bool:
    if keyword == "$ref":
        return target.startswith("#/")
    return target.startswith("#")


def resolve(root: Any, reference: str) -> Any:
    """What a local reference points at. Raises LookupError when there is nothing."""
    value = root
    for step in steps_of(unquote(reference)):
        if isinstance(value, list):
            if not (step.isascii() and step.isdigit()):
                raise LookupError(reference)
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value[step]
        else:
            raise LookupError(reference)
    return value
