"""Keys among many, as one array.

With a parameter for each of thousands, as `__in` has it, everybody takes longer over the query than over its answer.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import F, Lookup


class AnyOf(Lookup[Any]):
    """`column = ANY (array)`: https://www.postgresql.org/docs/current/functions-comparisons.html."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The condition and its parameters."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", (*parameters, sorted(self.rhs))


def any_of(column: str, keys: Collection[int]) -> AnyOf:
    """A condition for `filter`: whether `column` is one of `keys`."""
    return AnyOf(F(column), keys)
