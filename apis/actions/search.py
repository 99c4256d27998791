"""The full-text index of the catalogue, kept up to date by the actions that change what it covers."""

from __future__ import annotations

from django.contrib.postgres.search import SearchVector
from django.db.models import Q, Value
from django.db.models.expressions import CombinedExpression

from apis.models import Api, ApiVersion, Operation, Revision
from apis.models.words import words_of

MOST_WORDS = 20_000
"""Per weight, so that even the largest document stays under PostgreSQL's limit of 1 MB for a vector."""


def refresh_search(api: Api) -> None:
    """Index name and tags (weight A), summary and team (B), operations (C) and description (D) of `api`.

    Of the operations only those that a frozen revision shows, so that a draft document is not found by
    others before it is published.
    """
    vector = (
        _vector(f"{api.name} {api.slug} {' '.join(api.tags)}", "A")
        + _vector(f"{api.summary} {api.team.slug}", "B")
        + _vector(_operations_text(api), "C")
        + _vector(api.description, "D")
    )
    Api.objects.filter(pk=api.pk).update(search=vector)


def _vector(text: str, weight: str) -> CombinedExpression:
    """Whole words for prefixes ("simple") and their stems ("english"); queries ask for either."""
    words = Value(" ".join(words_of(text)[:MOST_WORDS]))
    return SearchVector(words, weight=weight, config="simple") + SearchVector(
        words, weight=weight, config="english"
    )


def _operations_text(api: Api) -> str:
    """Path, summary and tags of the operations in the newest revision of each version that is not retired."""
    newest = (
        Revision.objects.filter(~Q(api_version__state=ApiVersion.State.RETIRED), api_version__api=api)
        .order_by("api_version_id", "-number")
        .distinct("api_version_id")
    )
    rows = Operation.objects.filter(spec__in=[revision.spec_id for revision in newest]).values_list(
        "path", "summary", "key", "tags"
    )
    return " ".join(f"{path} {summary} {key} {' '.join(tags)}" for path, summary, key, tags in rows)
