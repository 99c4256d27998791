"""The rendered files: their golden copies, the way back, and that no text changes their tree (T16, T17)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.agent.nginx.bootstrap import NodeOptions, nginx_conf, served_conf
from gateways.agent.nginx.plane import nginx_binary
from gateways.drivers.agents.adapt import adapt
from gateways.drivers.nginx.adapt import NginxRules
from gateways.drivers.nginx.inverse import Unreadable, document_of, unexplained
from gateways.drivers.nginx.limits import named_shape, shape_of
from gateways.drivers.nginx.translate import files
from gateways.engine.diff import diff
from gateways.engine.directives import Expression, NotDirectives, directive, parse, quoted, render, tree
from gateways.engine.document import Document, Key, Kind, Limit, canonical_json, ref
from gateways.engine.driver import Listener
from tests.gateways import documents as make
from tests.gateways.certificates import Authority
from tests.gateways.drivers.envoy.test_translate import FIELDS, HOSTILE, full_document, harmless, with_text

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "nginx"
LISTENERS = (Listener("production", 8080), Listener("sandbox", 8090))


def adapted(document: Document) -> Document:
    return adapt(document, LISTENERS, 1, NginxRules()).document


def rendered(document: Document, listeners: Sequence[Listener] = LISTENERS) -> dict[str, str]:
    return files(document, listeners, address="127.0.0.1", nodes=1)


def read_back(texts: dict[str, str], expected: Document) -> Document:
    return document_of(texts, expected, LISTENERS, address="127.0.0.1", nodes=1)


def without_values(document: Document) -> Document:
    return Document.of(replace(i, value="") if isinstance(i, Key) else i for i in document.items.values())


def test_the_files_are_those_of_the_golden_copies() -> None:
    """Set UPDATE_GOLDEN=1 to write them anew, and read the difference."""
    found = rendered(adapted(full_document()))
    if os.environ.get("UPDATE_GOLDEN"):
        for name, text in found.items():
            (GOLDEN / name).write_text(text)
    assert {path.name: path.read_text() for path in GOLDEN.glob("*.conf")} == found


def test_what_was_written_is_read_back() -> None:
    document = adapted(full_document())
    texts = rendered(document)
    # A comment keeps the short way, which compares the whole text, from answering.
    texts["blocks.conf"] += "# by hand\n"
    assert read_back(texts, without_values(document)) == without_values(document)
    assert unexplained(texts, document, LISTENERS, address="127.0.0.1", nodes=1) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "kinds"),
    [
        ("keys.conf", make.key_value("1"), make.key_value("666"), {Kind.KEY}),
        ("upstreams.conf", "10.0.0.7:8443", "10.0.0.8:8443", {Kind.UPSTREAM}),
        ("upstreams.conf", "weight=70", "weight=71", {Kind.UPSTREAM}),
        ("blocks.conf", "2027", "2028", {Kind.BLOCK}),
        ("subscriptions.conf", '"sub_1 pub_1" 1;', "", {Kind.GRANT}),
        ("subscriptions.conf", "sub_1 app_1", "sub_1 app_9", {Kind.GRANT, Kind.CONSUMER}),
        ("routes-8080.conf", "/shop/orders-1/v1", "/shop/orders-1/v2", {Kind.ROUTE}),
        (
            "gateway.conf",
            '"pub_1 https://portal.example.test" https://portal.example.test;',
            "",
            {Kind.ROUTE},
        ),
    ],
)
def test_what_was_changed_by_hand_is_read_as_it_is(name: str, old: str, new: str, kinds: set[Kind]) -> None:
    document = without_values(adapted(full_document()))
    texts = rendered(adapted(full_document()))
    assert old in texts[name]
    texts[name] = texts[name].replace(old, new)
    found = diff(document, read_back(texts, document))
    assert {change.ref.kind for change in found} == kinds


def test_a_door_that_was_opened_by_hand_is_in_no_document_and_still_seen() -> None:
    document = adapted(full_document())
    texts = rendered(document)
    texts["routes-8080.conf"] = texts["routes-8080.conf"].replace("return 460;", "")
    found = read_back(texts, without_values(document))
    assert unexplained(texts, found, LISTENERS, address="127.0.0.1", nodes=1) == ["routes-8080.conf"]


def test_what_is_no_configuration_is_named() -> None:
    with pytest.raises(Unreadable, match=r"keys\.conf"):
        read_back({**rendered(adapted(full_document())), "keys.conf": "map {"}, Document())


# Limits


@settings(max_examples=100, deadline=None)
@given(calls=st.integers(1, 100_000), period=st.integers(1, 86_400), burst=st.integers(1, 10_000))
def test_nginx_never_counts_less_than_the_plan_and_names_carry_the_numbers(
    calls: int, period: int, burst: int
) -> None:
    shape = shape_of(Limit("l", "l", calls, period, burst), 1)
    per_minute = shape.rate * (60 if shape.unit == "s" else 1)
    assert calls * 60 / period <= per_minute < calls * 60 / period + 1
    assert named_shape(shape.name) == shape


def test_a_plan_slower_than_nginx_counts_is_weaker_and_says_so() -> None:
    slow = make.limit("1", calls=1, period_s=3600)
    found = adapt(make.document(slow), LISTENERS, 1, NginxRules())
    assert "one call a minute" in found.notes[ref(slow)]


# The writer


@given(st.text())
def test_every_argument_is_read_back_or_refused_t16(text: str) -> None:
    """T16."""
    try:
        written = render([directive("name", text)])
    except NotDirectives:
        return
    [found] = parse(written)
    assert found.arguments == (text,)


@pytest.mark.parametrize("text", ["$x", "a\nb", "\x00", "a$", "\x7f"])
def test_no_text_of_a_person_is_a_variable_or_a_line_t16(text: str) -> None:
    """T16."""
    with pytest.raises(NotDirectives):
        quoted(text)
    assert quoted(Expression("$x")) == '"$x"'


# T16, T17: text is never structure


def in_any_order(nodes: Any) -> Any:
    """`nodes` with the locations of a server sorted: theirs is the order of the texts, no shape."""
    if nodes is None:
        return None
    inner = [(name, arguments, in_any_order(block)) for name, arguments, block in nodes]
    return sorted(inner, key=lambda one: str(one) if one[0] == "location" else "")


def shape(text: str) -> object:
    return in_any_order(tree(parse(text.replace(" resolve;", ";"))))


def check_hostile(field: str, text: str) -> dict[str, str]:
    """The tree is that of harmless texts. Returns the files."""
    taken = adapted(with_text(field, text))
    found = rendered(taken)
    expected = rendered(Document.of(harmless(item) for item in taken.items.values()))
    assert found.keys() == expected.keys()
    for name, one in found.items():
        # A name is resolved and an address is not: a word more is no other structure.
        assert shape(one) == shape(expected[name]), name
    return found


@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(text=HOSTILE)
def test_no_text_changes_the_tree_t16_t17(field: str, text: str) -> None:
    """T16, T17."""
    check_hostile(field, text)


@pytest.mark.long
@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=10_000, deadline=None)
@given(text=HOSTILE)
def test_ten_thousand_texts_change_no_tree_t16_t17(field: str, text: str) -> None:
    """T16, T17 at full count."""
    check_hostile(field, text)


TAKEN: set[str] = set()
"""Most hostile texts are dropped, so that the files are the same again."""


def accepted(directory: Path, texts: dict[str, str], ca_file: str) -> str:
    """What nginx says against `texts`; empty when it takes them."""
    for name in ("conf", "usage", "tmp"):
        (directory / name).mkdir(exist_ok=True)
    options = NodeOptions(1, f"unix:{directory}/s.sock", "127.0.0.1:53", ca_file, frozenset(), "proof")
    (directory / "nginx.conf").write_text(nginx_conf(options))
    (directory / "served.conf").write_text(served_conf("x"))
    for name, text in texts.items():
        (directory / "conf" / name).write_text(text)
    command = [nginx_binary(""), "-t", "-q", "-p", f"{directory}/", "-c", "nginx.conf", "-e", "stderr"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "text", ['";}', "$http_authorization", "default", "~.*", "{{", "a;b", "#", "\\", "include"]
)
def test_nginx_takes_what_hostile_texts_become_t16(
    tmp_path: Path, authority: Authority, field: str, text: str
) -> None:
    """T16: fail closed means that one text keeps nobody else from the gateway."""
    texts = check_hostile(field, text)
    if canonical_json(texts) not in TAKEN:
        assert accepted(tmp_path, texts, str(authority.ca_file)) == ""
        TAKEN.add(canonical_json(texts))
