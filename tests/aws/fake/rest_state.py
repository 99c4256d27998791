"""REST APIs, their deployments, stages, plans and keys as AWS keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.aws.fake.place import Place
from tests.aws.fake.refusals import Refused, conflict, not_found
from tests.aws.fake.timeline import CallBucket, Timeline

CONCURRENT = "Unable to complete operation due to concurrent modification. Please try again later."
WRITING_S = 1.0
"""Two writers of one API within this time are at the same time. The text is [S]; the time is ours."""


@dataclass(slots=True)
class Method:
    """An operation of a path. `authorizer` is the name of one, empty for none."""

    integration: dict[str, Any] | None
    needs_key: bool = False
    authorizer: str = ""
    is_iam: bool = False
    validator: str = ""


@dataclass(slots=True)
class Definition:
    """What a deployment is a snapshot of. `resources`: the methods by path; `ids`: theirs."""

    document: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, dict[str, Method]] = field(default_factory=lambda: {"/": {}})
    ids: dict[str, str] = field(default_factory=dict)
    authorizers: dict[str, dict[str, Any]] = field(default_factory=dict)
    policy: str = ""
    binary_types: list[str] = field(default_factory=list)
    key_source: str = "HEADER"


@dataclass(slots=True)
class Deployment:
    id: str
    description: str
    created: datetime
    definition: Definition


@dataclass(slots=True)
class Stage:
    """`settings` are the method settings by "path/METHOD", `canary` the settings of a canary, None for none."""

    name: str
    deployment_id: str
    created: datetime
    updated: datetime
    description: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    access_log: dict[str, str] = field(default_factory=dict)
    canary: dict[str, Any] | None = None
    tracing: bool = False
    cache: bool = False
    cache_size: str = ""
    certificate: str = ""
    documentation: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    calls: int = 0


@dataclass(slots=True)
class RestApi:
    id: str
    name: str
    root_id: str
    created: datetime
    seen_at: float
    types: list[str]
    description: str = ""
    version: str = ""
    ip_address_type: str = "ipv4"
    disable_endpoint: bool = False
    compression: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    definition: Definition = field(default_factory=Definition)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    writer: tuple[str, float] = ("", -1e9)


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What a plan gives: (api, stage) to its method throttles, rate and burst (None for none), quota."""

    stages: dict[tuple[str, str], dict[str, dict[str, float]]] = field(default_factory=dict)
    throttle: dict[str, float] = field(default_factory=dict)
    quota: dict[str, Any] = field(default_factory=dict)
    is_there: bool = True


@dataclass(slots=True)
class UsagePlan:
    id: str
    name: str
    seen_at: float
    settings: PlanSettings
    in_effect: Timeline[PlanSettings]
    description: str = ""
    product_code: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ApiKey:
    id: str
    name: str
    value: str
    created: datetime
    updated: datetime
    seen_at: float
    enabled: bool
    in_effect: Timeline[bool]
    description: str = ""
    customer_id: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RestState:
    """Of one account and Region. `values`: keys by value. `links`: whether a key is in a plan, as calls see it."""

    apis: dict[str, RestApi] = field(default_factory=dict)
    plans: dict[str, UsagePlan] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    links: dict[tuple[str, str], Timeline[bool]] = field(default_factory=dict)
    usage: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    buckets: dict[tuple[str, ...], CallBucket] = field(default_factory=dict)
    log_role: str = ""


def rest(place: Place) -> RestState:
    """The state of REST APIs at a place."""
    return place.state(RestState)


def api_of(place: Place, api_id: str) -> RestApi:
    """Raises NotFoundException as AWS says it [S]."""
    if api_id not in rest(place).apis:
        raise not_found(f"Invalid API identifier specified {place.number}:{api_id}")
    return rest(place).apis[api_id]


def written(place: Place, api: RestApi) -> None:
    """Raises ConflictException when somebody else is writing the same API."""
    writer, at = api.writer
    if writer not in {"", place.caller} and place.now - at < WRITING_S:
        raise conflict(CONCURRENT)
    api.writer = (place.caller, place.now)


def concurrent_modification() -> Refused:
    """What AWS sometimes says to a single writer, too [T]."""
    return conflict(CONCURRENT)
