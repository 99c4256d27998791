"""HTTP and WebSocket APIs as AWS keeps them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.aws.fake.place import Place
from tests.aws.fake.refusals import not_found

type Members = dict[str, Any]
"""Members of an answer, as AWS names them."""


@dataclass(slots=True)
class Belongings:
    """What a deployment is a snapshot of, by id."""

    routes: dict[str, Members] = field(default_factory=dict)
    integrations: dict[str, Members] = field(default_factory=dict)
    authorizers: dict[str, Members] = field(default_factory=dict)
    answers: dict[str, Members] = field(default_factory=dict)
    """Route responses, each with the id of its route."""


@dataclass(slots=True)
class HttpDeployment:
    id: str
    created: datetime
    description: str
    is_automatic: bool
    belongings: Belongings


@dataclass(slots=True)
class HttpApi:
    """`members` are those of the API itself, `document` what it was imported from."""

    id: str
    seen_at: float
    members: Members
    now: Belongings = field(default_factory=Belongings)
    deployments: dict[str, HttpDeployment] = field(default_factory=dict)
    stages: dict[str, Members] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def is_websocket(self) -> bool:
        return bool(self.members["ProtocolType"] == "WEBSOCKET")


@dataclass(slots=True)
class HttpState:
    apis: dict[str, HttpApi] = field(default_factory=dict)


def http(place: Place) -> dict[str, HttpApi]:
    """The APIs of a place, by id."""
    return place.state(HttpState).apis


def http_api_of(place: Place, api_id: str) -> HttpApi:
    """Raises NotFoundException."""
    if api_id not in http(place):
        raise not_found(f"Invalid API identifier specified {place.number}:{api_id}")
    return http(place)[api_id]


def websocket_api(place: Place, api_id: str) -> HttpApi | None:
    """A WebSocket API, whose stages may be in usage plans; HTTP APIs have none."""
    api = http(place).get(api_id)
    return api if api is not None and api.is_websocket else None


def deploy(
    place: Place, api: HttpApi, description: str = "", *, is_automatic: bool = False
) -> HttpDeployment:
    """A snapshot of what is there."""
    deployment = HttpDeployment(place.new_id(6), place.date, description, is_automatic, deepcopy(api.now))
    api.deployments[deployment.id] = deployment
    return deployment


def changed(place: Place, api: HttpApi) -> None:
    """Stages that deploy by themselves do so."""
    for stage in api.stages.values():
        if stage.get("AutoDeploy"):
            stage["DeploymentId"] = deploy(place, api, is_automatic=True).id
            stage["LastUpdatedDate"] = place.date
