"""Columns of a batch arrive in PostgreSQL as they were given, whatever stands in their texts."""

from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from usage.actions.arrays import as_array

pytestmark = pytest.mark.django_db
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


def given_back(column: str, type_: str) -> list[object]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT value FROM unnest(%s::{type_}[]) AS value", [column])  # noqa: S608 - a type of ours
        return [value for (value,) in cursor.fetchall()]


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_texts(texts: list[str]) -> None:
    assert given_back(as_array(texts), "text") == texts


@pytest.mark.parametrize("text", ["", "NULL", "{a,b}", 'say "so"', "back\\slash", " edges ", "a,b", "\n\t"])
def test_texts_that_mean_something_to_postgresql(text: str) -> None:
    assert given_back(as_array([text, "x"]), "text") == [text, "x"]


def test_numbers() -> None:
    assert given_back(as_array([0, -5, 2**40]), "bigint") == [0, -5, 2**40]
    assert given_back(as_array([0.0, 1.5e-7, 3.25]), "float8") == [0.0, 1.5e-7, 3.25]
