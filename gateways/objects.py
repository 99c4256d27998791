"""One neutral object each: rows in, values out. Nothing here asks the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from apis.models import PlanRevision
from apis.models.upstream import AI_KINDS
from gateways import ai_desired
from gateways.engine.document import (
    Block,
    Consumer,
    Grant,
    HealthCheck,
    Key,
    Limit,
    Route,
    Target,
    Upstream,
)
from gateways.models import Gateway, Publication
from gateways.policies import cors_origins_of
from subscriptions import models as subscriptions
from subscriptions.keys import open_key

type Place = tuple[int, int]
"""Primary keys of an ApiVersion and an Environment: what a subscription is for, and where a route serves it."""


# ---- what is read of each row: columns that no gateway hears of stay where they are ----

ROUTE_FIELDS = (
    *("public_id", "api_version_id", "environment_id", "environment__slug", "claim__path", "claim__host"),
    *("revision__public_id", "revision__policies", "revision__upstream_id", "revision__upstream__kind"),
    *("api_version__public_id", "api_version__major", "api_version__api__slug"),
    *("api_version__api__team__slug", "gateway__kind"),
)
UPSTREAM_FIELDS = (
    *("public_id", "upstream_id", "environment_id", "targets", "health_path"),
    *("timeout_ms", "connect_timeout_ms", "upstream__name", "upstream__team__slug", "environment__slug"),
)
LIMIT_FIELDS = ("public_id", "number", "rate_calls", "rate_period_s", "burst", "plan__slug")


class Bound(NamedTuple):
    """The part of an UpstreamBinding that goes to gateways: UPSTREAM_FIELDS."""

    public_id: str
    upstream_id: int
    environment_id: int
    targets: list[dict[str, Any]]
    health_path: str
    timeout_ms: int
    connect_timeout_ms: int
    name: str
    team: str
    environment: str


def upstream_of(binding: Bound) -> Upstream:
    """The addresses of an upstream in one environment."""
    return Upstream(
        id=binding.public_id,
        label=f"{binding.team}/{binding.name} in {binding.environment}",
        targets=tuple(Target(str(t["url"]), int(t.get("weight", 100))) for t in binding.targets),
        timeout_ms=binding.timeout_ms,
        connect_timeout_ms=binding.connect_timeout_ms,
        health=HealthCheck(binding.health_path) if binding.health_path else None,
    )


class Published(NamedTuple):
    """The part of a Publication that goes to gateways: ROUTE_FIELDS."""

    public_id: str
    api_version_id: int
    environment_id: int
    environment: str
    path: str
    host: str
    revision: str
    policies: Mapping[str, object]
    upstream_id: int
    upstream_kind: str
    api_version: str
    major: int
    api: str
    team: str
    gateway_kind: str

    @property
    def label(self) -> str:
        """Its name for people."""
        return f"{self.team}/{self.api} v{self.major}"

    @property
    def place(self) -> Place:
        """What subscriptions to it are for."""
        return (self.api_version_id, self.environment_id)

    @property
    def bound(self) -> tuple[int, int]:
        """Its upstream in its environment."""
        return (self.upstream_id, self.environment_id)

    @property
    def is_ai(self) -> bool:
        """Whether its calls go to the AI runtimes."""
        return self.upstream_kind in AI_KINDS

    @property
    def is_defined(self) -> bool:
        """Whether its gateway has to know its operations."""
        return self.gateway_kind == Gateway.Kind.AWS

    @property
    def behind(self) -> ai_desired.Behind:
        """What its gateway has to know of it where its calls go to AI runtimes."""
        return ai_desired.Behind(self.public_id, self.environment_id, self.label)

    @classmethod
    def of(cls, publication: Publication) -> Published:
        """Needs `claim`, `environment`, `gateway`, `revision.upstream`, `api_version.api.team` loaded."""
        version, claim, revision = publication.api_version, publication.claim, publication.revision
        return cls(
            public_id=publication.public_id,
            api_version_id=version.pk,
            environment_id=publication.environment_id,
            environment=publication.environment.slug,
            path=claim.path,
            host=claim.host,
            revision=revision.public_id,
            policies=revision.policies,
            upstream_id=revision.upstream_id,
            upstream_kind=revision.upstream.kind,
            api_version=version.public_id,
            major=version.major,
            api=version.api.slug,
            team=version.api.team.slug,
            gateway_kind=publication.gateway.kind,
        )


def route_of(publication: Published, upstream: Upstream | None) -> Route:
    """The path of a publication; on an AI runtime it has no upstream."""
    return Route(
        id=publication.public_id,
        label=publication.label,
        environment=publication.environment,
        base_path=publication.path,
        host=publication.host,
        upstream=upstream.id if upstream else "",
        api_version=publication.api_version,
        revision=publication.revision,
        cors_origins=cors_origins_of(publication.policies),
        definition=publication.revision if upstream and publication.is_defined else "",
    )


def limit_of(plan_revision: PlanRevision) -> Limit:
    """The rate of a plan revision. Needs `plan` loaded."""
    return Limit(
        id=plan_revision.public_id,
        label=f"{plan_revision.plan.slug} r{plan_revision.number}",
        calls=plan_revision.rate_calls,
        period_s=plan_revision.rate_period_s,
        burst=plan_revision.burst,
    )


class Caller(NamedTuple):
    """The part of an Application that goes to gateways."""

    public_id: str
    slug: str
    team: str


def consumer_of(caller: Caller) -> Consumer:
    """The caller's program."""
    return Consumer(caller.public_id, f"{caller.team}/{caller.slug}")


class Granted(NamedTuple):
    """The routes that a subscription is for, in the order of their ids."""

    ids: tuple[str, ...]
    labels: str

    @classmethod
    def by(cls, routes: Iterable[Route]) -> Granted:
        """`routes` as a subscription names them."""
        named = sorted(routes, key=lambda route: route.id)
        return cls(tuple(route.id for route in named), ", ".join(route.label for route in named))


class Subscriber(NamedTuple):
    """The part of a Subscription that goes to gateways; `limit` is the public id of its PlanRevision."""

    public_id: str
    application: str
    application_slug: str
    limit: str

    @classmethod
    def of(cls, subscription: subscriptions.Subscription) -> Subscriber:
        """Needs `application` and `plan_revision` loaded."""
        application = subscription.application
        return cls(
            subscription.public_id,
            application.public_id,
            application.slug,
            subscription.plan_revision.public_id,
        )


def grant_of(subscriber: Subscriber, granted: Granted) -> Grant:
    """Who may call what is granted."""
    return Grant(
        id=subscriber.public_id,
        label=f"{subscriber.application_slug} to {granted.labels}",
        consumer=subscriber.application,
        routes=granted.ids,
        limit=subscriber.limit,
    )


class KeyRow(NamedTuple):
    """The part of a Credential that goes to gateways, without its value."""

    public_id: str
    key_id: str
    value_digest: str


def key_of(
    credential: subscriptions.Credential | KeyRow, grant: str, sealed: bytes | memoryview[Any] | None = None
) -> Key:
    """A key of the subscription with the public id `grant`; with its value where that is given `sealed`."""
    return Key(
        id=credential.public_id,
        key_id=credential.key_id,
        grant=grant,
        value_digest=credential.value_digest,
        value="" if sealed is None else open_key(sealed, credential.public_id),
    )


def block_of(block: subscriptions.Block, grant: str) -> Block:
    """A used-up quota of the subscription with the public id `grant`."""
    return Block(block.public_id, grant, str(block.reason), int(block.until.timestamp()))
