"""What the tables hold, and which of them a call wrote to: PostgreSQL counts that for the transaction at hand."""

from __future__ import annotations

from django.apps import apps
from django.db import connection, models

COUNTED = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"


def writes() -> dict[str, int]:
    """Table -> rows written in this transaction so far, taken back or not."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTED)
        return {str(name): int(count) for name, count in cursor.fetchall()}


def written_since(before: dict[str, int]) -> list[type[models.Model]]:
    """The models whose tables were written to since `before`."""
    now = writes()
    return [
        model
        for model in apps.get_models()
        if now.get(model._meta.db_table, 0) != before.get(model._meta.db_table, 0)
    ]


def rows_of(model: type[models.Model], *columns: str) -> list[str]:
    """The rows as texts, in an order that does not depend on when they were written."""
    return sorted(map(str, model._default_manager.values_list(*columns)))
