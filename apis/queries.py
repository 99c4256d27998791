"""Reads that span what is published: the shown document of a version, plans on offer, what is still missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from apis.models import (
    Api,
    ApiVersion,
    Environment,
    Operation,
    Plan,
    PlanRevision,
    Revision,
    SpecDocument,
    Upstream,
)
from apis.models.upstream import AI_KINDS
from teams.models import Actor, Team, Verb

MOST_QUERY_WORDS = 12
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def _newest_revision() -> Prefetch[str, QuerySet[PlanRevision], str]:
    """Only the revision on offer of each plan, as `newest` (a list of one)."""
    newest = PlanRevision.objects.order_by("plan_id", "-number").distinct("plan_id")
    return Prefetch("revisions", newest, to_attr="newest")


# ---- one API ----


def listed_versions(api: Api, actor: Actor) -> list[ApiVersion]:
    """Versions of `api` that `actor` may see, the one to start with first: published, then the newest."""
    versions = ApiVersion.objects.visible_to(actor).filter(api=api).select_related("spec", "upstream")
    order = {"published": 0, "deprecated": 1, "draft": 2, "retired": 3}
    return sorted(versions, key=lambda version: (order[version.state], -version.major))


def with_newest_revision(versions: QuerySet[ApiVersion]) -> QuerySet[ApiVersion]:
    """`versions` with `newest`: a list that holds the newest revision of each, if there is one."""
    newest = (
        Revision.objects.select_related("spec", "upstream")
        .order_by("api_version_id", "-number")
        .distinct("api_version_id")
    )
    return versions.prefetch_related(Prefetch("revisions", newest, to_attr="newest"))


def shown_spec(version: ApiVersion, actor: Actor) -> SpecDocument | None:
    """The document that readers see: that of the newest revision; the own team sees a first draft too."""
    newest = getattr(version, "newest", None)
    if newest is None:
        found = Revision.objects.filter(api_version=version).select_related("spec")
        newest = found.order_by("-number")[:1]
    for revision in newest:
        return revision.spec
    return version.spec if sees_drafts(actor, version.api.team_id) else None


def text_without_addresses(spec: SpecDocument) -> str:
    """The document for readers, as canonical JSON: where the backend runs is nobody else's business."""
    document = json.loads(spec.text)
    document.pop("servers", None)
    shared = (document.get("components") or {}).get("pathItems") or {}
    for item in (*document.get("paths", {}).values(), *shared.values()):
        item.pop("servers", None)
        for method in METHODS & item.keys():
            item[method].pop("servers", None)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def sees_drafts(actor: Actor, team_id: int) -> bool:
    """Whether `actor` may see what the team has not published."""
    return actor.may(Verb.API_VIEW, team_id)


def operations_of(spec: SpecDocument | None, text: str = "") -> list[Operation]:
    """Operations in the order of the document; with `text` those whose path, summary or tags have its words."""
    if spec is None:
        return []
    found = spec.operations.all()
    for word in text.split()[:MOST_QUERY_WORDS]:
        found = found.filter(
            Q(path__icontains=word)
            | Q(summary__icontains=word)
            | Q(method__iexact=word)
            | Q(key__icontains=word)
            | Q(tags__icontains=word)
        )
    return list(found)


def offered_plans(api: Api) -> list[Plan]:
    """Plans that can be asked for, cheapest and smallest first; each with `newest` and its environments."""
    plans = with_newest_limits(api.plans.offered())
    return sorted(plans, key=_by_size)


def with_newest_limits(plans: QuerySet[Plan]) -> QuerySet[Plan]:
    """`plans` with `newest` (a list of one: the revision on offer), their API and environments."""
    return plans.select_related("api__team", "approvers").prefetch_related(_newest_revision(), "environments")


def all_plans(api: Api) -> list[Plan]:
    """Every plan of the API for its own team, those on offer first."""
    plans = with_newest_limits(api.plans.all())
    order = {"published": 0, "draft": 1, "deprecated": 2, "closed": 3}
    return sorted(plans, key=lambda plan: (order[plan.state], _by_size(plan)))


def _by_size(plan: Any) -> tuple[int, float, str]:
    revision: PlanRevision = plan.newest[0]
    return revision.price_nano, revision.rate_calls / revision.rate_period_s, plan.name


# ---- publishing ----


@dataclass(frozen=True, slots=True)
class PublishStep:
    """One thing that a version needs before it can be published; `key` names it for the page."""

    key: str
    done: bool


def own_apis(actor: Actor) -> QuerySet[Api]:
    """APIs whose publish pages `actor` may see: own teams, and platform roles that see everything."""
    apis = Api.objects.select_related("team")
    if actor.everywhere(Verb.API_VIEW):
        return apis
    return apis.filter(team_id__in=actor.team_ids(Verb.API_VIEW))


def own_versions(actor: Actor) -> QuerySet[ApiVersion]:
    """Versions whose publish pages `actor` may see."""
    versions = ApiVersion.objects.select_related("api__team", "spec", "upstream")
    if actor.everywhere(Verb.API_VIEW):
        return versions
    return versions.filter(api__team_id__in=actor.team_ids(Verb.API_VIEW))


def published_by(actor: Actor) -> QuerySet[Api]:
    """APIs of the teams that `actor` works in, with `all_versions` (newest first) and `all_plans`.

    A platform role does not make an API somebody's own.
    """
    versions = ApiVersion.objects.select_related("spec", "upstream").order_by("-major")
    return (
        Api.objects.filter(team_id__in=actor.team_ids(Verb.API_VIEW))
        .select_related("team")
        .defer("search")
        .prefetch_related(Prefetch("versions", versions, to_attr="all_versions"))
        .prefetch_related(Prefetch("plans", Plan.objects.order_by("name"), to_attr="all_plans"))
        .order_by("team__name", "name")
    )


def publishing_teams(actor: Actor) -> QuerySet[Team]:
    """Teams in whose name `actor` may make APIs."""
    return Team.objects.filter(pk__in=actor.team_ids(Verb.API_EDIT)).order_by("name")


def publish_steps(version: ApiVersion) -> list[PublishStep]:
    """What a version needs to be published, in the order in which it is done."""
    upstream = version.upstream
    return [
        PublishStep("spec", version.spec_id is not None),
        PublishStep("upstream", upstream is not None and upstream.bindings.exists()),
        PublishStep("plan", version.api.plans.offered().exists()),
        PublishStep("publish", version.state != ApiVersion.State.DRAFT),
    ]


def bound_environments(upstream: Upstream | None) -> list[Environment]:
    """Every environment in order, with `binding`: the addresses of `upstream` there, or None."""
    bindings = {} if upstream is None else {row.environment_id: row for row in upstream.bindings.all()}
    environments = list(Environment.objects.all())
    for environment in environments:
        environment.binding = bindings.get(environment.pk)  # type: ignore[attr-defined]
    return environments


# ---- what a new document changes ----


@dataclass(frozen=True, slots=True)
class SpecChange:
    """Operations of a new document against an older one: "METHOD /path", in the order of the documents."""

    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    changed: Sequence[str] = ()

    @property
    def nothing(self) -> bool:
        """Whether both have the same operations, word for word."""
        return not (self.added or self.removed or self.changed)


def compare_documents(old: str, new: str) -> SpecChange:
    """What `new` changes against `old`, both canonical JSON. An operation counts as changed when its text differs.

    Shared schemas behind a `$ref` are not followed: what breaks callers is worked out elsewhere.
    """
    before, after = _operation_texts(old), _operation_texts(new)
    return SpecChange(
        [name for name in after if name not in before],
        [name for name in before if name not in after],
        [name for name in after if name in before and before[name] != after[name]],
    )


def _operation_texts(document: str) -> dict[str, str]:
    """ "GET /orders" -> canonical text of the operation with what its path shares."""
    found = {}
    for path, item in json.loads(document).get("paths", {}).items():
        shared = {key: value for key, value in item.items() if key not in METHODS}
        for method in (key for key in item if key in METHODS):
            found[f"{method.upper()} {path}"] = json.dumps([shared, item[method]], sort_keys=True)
    return found


def is_ai(api: Api) -> bool:
    """Whether some revision of `api` leads to a prompt or to models."""
    return Revision.objects.filter(api_version__api=api, upstream__kind__in=AI_KINDS).exists()
