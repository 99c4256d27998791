"""The catalogue: who finds what, in which order, and what it can be narrowed by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_

from django.contrib.postgres.search import CombinedSearchQuery, SearchQuery, SearchRank
from django.db import connection
from django.db.models import (
    Count,
    Exists,
    Expression,
    F,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Cast

from apis.models import Api, ApiVersion, Plan
from apis.models.words import words_of
from apis.queries import MOST_QUERY_WORDS, with_newest_limits
from teams.models import Actor, Team

MOST_FACETS = 12
LISTED_STATES = (ApiVersion.State.PUBLISHED, ApiVersion.State.DEPRECATED)
"""States in which a version stands in the catalogue."""


@dataclass(frozen=True, slots=True)
class CatalogueFilters:
    """What a reader looks for; empty means no limit. Slugs and codes are those of the URL."""

    text: str = ""
    tags: tuple[str, ...] = ()
    team: str = ""
    visibility: str = ""
    state: str = ""
    environment: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is asked for at all."""
        return any((self.text, self.tags, self.team, self.visibility, self.state, self.environment))


@dataclass(frozen=True, slots=True)
class Facet:
    """A value that the found APIs have, and how many of them."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What the found APIs can be narrowed by, the most frequent first."""

    tags: Sequence[Facet] = field(default_factory=list)
    teams: Sequence[Facet] = field(default_factory=list)


def catalogue(actor: Actor, filters: CatalogueFilters) -> QuerySet[Api]:
    """APIs on offer that `actor` may see and that match: the best match first, else by name."""
    found, query = _narrowed(actor, filters), search_query(filters.text)
    if query is None:
        return found.order_by("name", "pk")
    return found.annotate(score=_score(query)).order_by("-score", "name", "pk")


def _score(query: SearchQuery | CombinedSearchQuery | None) -> Expression:
    """How well it matches: a whole number, so that a cursor can stand on it."""
    if query is None:
        return Value(0, IntegerField())
    return Cast(SearchRank(F("search"), query) * Value(1_000_000.0), IntegerField())


def with_offer(apis: QuerySet[Api]) -> QuerySet[Api]:
    """`apis` with what a card shows: `listed_versions` (newest first) and `offered_plans`, two more queries."""
    plans = with_newest_limits(Plan.objects.offered()).order_by("name")
    return apis.prefetch_related(
        Prefetch(
            "versions",
            ApiVersion.objects.filter(state__in=LISTED_STATES).order_by("-major"),
            to_attr="listed_versions",
        ),
        Prefetch("plans", plans, to_attr="offered_plans"),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: how many APIs, some of them by primary key as `catalogue` has them, and facets of all."""

    count: int
    ids: Sequence[int]
    facets: Facets


def look(actor: Actor, filters: CatalogueFilters, *, start: int, most: int) -> Found:
    """What `catalogue` finds, of which `most` are named from `start` (0..) on.

    All of it is asked at once, so that the texts are ranked once, and only what a page shows comes over from
    PostgreSQL: thousands of rows cost more on the way than in the search.
    """
    count, ids, tags, teams = _look(actor, filters, start, most)
    if filters.team:
        teams = _by_team(actor, replace(filters, team=""))
    facets = Facets([Facet(tag, tag, n) for tag, n in tags], _team_facets(dict(teams), MOST_FACETS))
    return Found(count, ids, facets)


_LOOK = """
    WITH hits AS MATERIALIZED ({hits})
    SELECT
        (SELECT count(*) FROM hits),
        ARRAY(SELECT id FROM hits ORDER BY score DESC, name, id OFFSET %s LIMIT %s),
        (SELECT coalesce(json_agg(json_build_array(tag, n)), '[]') FROM (
            SELECT tag, count(*) AS n FROM hits, unnest(tags) AS tag
            GROUP BY tag ORDER BY n DESC, tag COLLATE "C" LIMIT %s
        ) AS counted),
        (SELECT coalesce(json_agg(json_build_array(team_id, n)), '[]') FROM (
            SELECT team_id, count(*) AS n FROM hits GROUP BY team_id
        ) AS counted)
"""

type _Counted[V] = list[tuple[V, int]]


def _look(
    actor: Actor, filters: CatalogueFilters, start: int, most: int
) -> tuple[int, list[int], _Counted[str], _Counted[int]]:
    """How many, some ids, the most frequent tags, and how many each team has."""
    score = _score(search_query(filters.text))
    hits = _narrowed(actor, filters).order_by().values("id", "team_id", "name", "tags", score=score)
    statement, values = hits.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_LOOK.format(hits=statement), [*values, start, most, MOST_FACETS])
        found: tuple[int, list[int], _Counted[str], _Counted[int]] = cursor.fetchone()
        return found


def _by_team(actor: Actor, filters: CatalogueFilters) -> _Counted[int]:
    found = _narrowed(actor, filters).order_by().values("team_id")
    return list(found.annotate(n=Count("pk")).values_list("team_id", "n"))


def offers_of(ids: Sequence[int]) -> list[Api]:
    """The APIs of a slice of what was found, in its order, with what a card shows."""
    apis = {api.pk: api for api in with_offer(_cards().filter(pk__in=ids))}
    return [apis[pk] for pk in ids if pk in apis]


def _team_facets(counted: Mapping[int, int], most: int) -> list[Facet]:
    """The teams with the most, of equal ones the first by name."""
    least = min(sorted(counted.values(), reverse=True)[:most], default=0)
    teams = Team.objects.filter(pk__in=[pk for pk, n in counted.items() if n >= least])
    facets = [Facet(slug, name, counted[pk]) for pk, slug, name in teams.values_list("pk", "slug", "name")]
    return sorted(facets, key=lambda facet: (-facet.count, facet.label))[:most]


def _cards() -> QuerySet[Api]:
    """APIs without their index of words, which nobody shows."""
    return Api.objects.select_related("team").defer("search")


def search_query(text: str) -> SearchQuery | CombinedSearchQuery | None:
    """Every word of `text` must occur, whole, as a prefix ("deliv") or by its stem ("deliveries")."""
    words = words_of(text)[:MOST_QUERY_WORDS]
    if not words:
        return None
    each = [
        SearchQuery(f"{word}:*", config="simple", search_type="raw")
        | SearchQuery(word, config="english", search_type="raw")
        for word in words
    ]
    return reduce(and_, each)


def _narrowed(actor: Actor, filters: CatalogueFilters) -> QuerySet[Api]:
    states = [filters.state] if filters.state else list(LISTED_STATES)
    versions = ApiVersion.objects.filter(api=OuterRef("pk"), state__in=states)
    visible = Api.objects.visible_to(actor).select_related("team").defer("search")
    found = visible.filter(Exists(versions), _wanted(filters), first_published_at__isnull=False)
    query = search_query(filters.text)
    return found if query is None else found.filter(search=query)


def _wanted(filters: CatalogueFilters) -> Q:
    wanted = Q()
    if filters.tags:
        wanted &= Q(tags__contains=list(filters.tags))
    if filters.team:
        wanted &= Q(team__slug=filters.team)
    if filters.visibility:
        wanted &= Q(visibility=filters.visibility)
    if filters.environment:
        plans = Plan.objects.offered().filter(api=OuterRef("pk"))
        everywhere = Q(environments__isnull=True)
        wanted &= Q(Exists(plans.filter(everywhere | Q(environments__slug=filters.environment))))
    return wanted
