"""A worker that missed pushes gets from what it knows to what is held by what the agent tells it, or asks for all."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.agent.history import MOST_STEPS, History
from gateways.drivers.agents import client
from gateways.drivers.agents.known import DocumentCache, FileCache
from gateways.engine.document import Document
from gateways.engine.pushes import Push, make_push
from tests.gateways import documents as make


def pushed(version: int, keys: frozenset[int]) -> tuple[Document, Push]:
    """A catalogue with some keys, and a long file that holds them."""
    document = make.catalogue(3, *(make.key(str(number + 1_000), "0001") for number in sorted(keys)))
    rows = "".join(f"row {number} of the table\n" for number in range(3_000) if number not in keys)
    return document, make_push("envoy", version, document, [{"keys.json": rows, "other.json": "{}"}])


def told(
    since: Document, files: dict[str, str], history: History, now: Push
) -> tuple[Document | None, FileCache]:
    """What a worker makes of an answer that knows `since` with its `files`."""
    documents, kept = DocumentCache(), FileCache()
    documents.keep(since)
    kept.keep(since.digest(), files)
    found = history.since([since.digest()], now)
    answer = {"digest": now.digest, **(json.loads(json.dumps(asdict(found))) if found else {})}
    answer["items"] = [json.loads(text) for text in answer.get("items", ())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "documents", documents)
        patch.setattr(client, "files", kept)
        return client._known(answer), kept


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.lists(st.frozensets(st.integers(0, 99), max_size=6), min_size=2, max_size=6), st.integers(0, 5))
def test_from_any_push_to_the_last(contents: list[frozenset[int]], start: int) -> None:
    pushes = [pushed(number, keys) for number, keys in enumerate(contents, start=1)]
    history, held = History(), None
    for _document, push in pushes:
        history.note(held, push)
        held = push
    since, before = pushes[start % (len(pushes) - 1)]
    document, files = told(since, before.files, history, pushes[-1][1])
    assert document == pushes[-1][0]
    assert files.get(pushes[-1][1].digest) == pushes[-1][1].files


def test_what_is_too_long_ago_is_not_told() -> None:
    pushes = [pushed(number, frozenset({number % 100})) for number in range(1, MOST_STEPS + 3)]
    history = History()
    for (_old, before), (_new, after) in pairwise(pushes):
        history.note(before, after)
    assert history.since([pushes[0][0].digest()], pushes[-1][1]) is None
    assert history.since([pushes[1][0].digest()], pushes[-1][1]) is not None


def test_a_worker_without_the_files_gets_the_document_alone() -> None:
    (since, before), (now, after) = pushed(1, frozenset()), pushed(2, frozenset({1}))
    history = History()
    history.note(before, after)
    document, files = told(since, {}, history, after)
    assert document == now
    assert files.get(now.digest()) == {}


def test_an_answer_that_leads_elsewhere_is_not_believed() -> None:
    (since, before), (_now, after) = pushed(1, frozenset()), pushed(2, frozenset({1}))
    other, _push = pushed(3, frozenset({2}))
    history = History()
    history.note(before, after)
    documents = DocumentCache()
    documents.keep(since)
    found = history.since([since.digest()], after)
    assert found is not None
    answer = {**asdict(found), "digest": other.digest(), "items": [json.loads(text) for text in found.items]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "documents", documents)
        assert client._known(answer) is None
