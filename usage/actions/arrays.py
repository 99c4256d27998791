"""Handing many rows over to PostgreSQL as one array for each column."""

from __future__ import annotations

from collections.abc import Iterable


def as_array(values: Iterable[object]) -> str:
    """Numbers, and texts without NUL, as PostgreSQL writes an array.

    psycopg does so one by one, which for a batch of some ten thousand rows takes longer than all else that is done
    with them. https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    text = "\0".join(map(str, values))
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return '{"' + escaped.replace("\0", '","') + '"}'
