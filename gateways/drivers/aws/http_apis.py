"""How AWS is spoken to for HTTP and WebSocket APIs (API Gateway v2), which cannot be replaced as a whole: the import of
a document makes a new API each time, and so a new address.
https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateways.drivers.aws.converging import converge
from gateways.drivers.aws.definitions import (
    http_parts,
    http_settings,
    socket_parts,
    stage_settings,
    websocket_settings,
)
from gateways.drivers.aws.form import Found, made_of
from gateways.drivers.aws.kinds import definition_of
from gateways.drivers.aws.permissions import permit
from gateways.drivers.aws.websocket import DEFAULT_SELECTION
from gateways.drivers.aws.work import Work
from gateways.engine.document import Route

SERVICE = "apigatewayv2"


@dataclass(frozen=True, slots=True)
class HttpApis:
    """APIs of one protocol, HTTP or WEBSOCKET."""

    protocol: str

    def apis(self, work: Work) -> Iterator[Found]:
        for api in work.calls.pages(SERVICE, "GetApis", "Items"):
            if api.get("ProtocolType") == self.protocol:
                yield Found(str(api["ApiId"]), api.get("Tags"))

    def look_for(self, work: Work, api: str) -> None:
        work.call("GetApi", SERVICE, ApiId=api)

    def make_api(self, work: Work, route: Route, tags: Mapping[str, str]) -> str:
        asked: dict[str, Any] = {"Name": work.names.api(route), "ProtocolType": self.protocol}
        if self.protocol == "WEBSOCKET":
            asked["RouteSelectionExpression"] = DEFAULT_SELECTION
        return str(work.call("CreateApi", SERVICE, **asked, Tags=dict(tags))["ApiId"])

    def delete_api(self, work: Work, api: str) -> None:
        work.call("DeleteApi", SERVICE, ApiId=api)

    def put(self, work: Work, api: str, route: Route) -> None:
        made = made_of(work, route)
        if self.protocol == "HTTP":
            permit(work, api, http_settings(made))
            converge(work, api, http_parts(made))
        else:
            permit(work, api, websocket_settings(made))
            converge(work, api, socket_parts(made))

    def deploys_itself(self, work: Work, route: Route) -> bool:
        return bool(definition_of(work.desired, route).settings.get("auto_deploy"))

    def deployments(self, work: Work, api: str) -> Iterator[Found]:
        for deployment in work.calls.pages(SERVICE, "GetDeployments", "Items", ApiId=api):
            yield Found(str(deployment["DeploymentId"]), deployment.get("Description"))

    def deploy(self, work: Work, api: str, description: str) -> str:
        made = work.call("CreateDeployment", SERVICE, ApiId=api, Description=description)
        return str(made["DeploymentId"])

    def delete_deployment(self, work: Work, api: str, deployment: str) -> None:
        work.call("DeleteDeployment", SERVICE, ApiId=api, DeploymentId=deployment)

    def make_stage(
        self, work: Work, api: str, route: Route, deployment: str, tags: Mapping[str, str]
    ) -> None:
        asked = _stage(work, api, route, deployment)
        work.call("CreateStage", SERVICE, **asked, Tags=dict(tags))

    def point(self, work: Work, api: str, route: Route, deployment: str) -> None:
        work.call("UpdateStage", SERVICE, **_stage(work, api, route, deployment))

    def delete_stage(self, work: Work, api: str, stage: str) -> None:
        work.call("DeleteStage", SERVICE, ApiId=api, StageName=stage)

    def shows(self, work: Work, api: str, stage: str, deployment: str) -> bool:
        found = work.call("GetStage", SERVICE, ApiId=api, StageName=stage)
        if not deployment:
            return bool(found.get("AutoDeploy"))
        return bool(found.get("DeploymentId") == deployment)


def _stage(work: Work, api: str, route: Route, deployment: str) -> dict[str, Any]:
    asked: dict[str, Any] = {"ApiId": api, "StageName": route.environment, "AutoDeploy": not deployment}
    if deployment:
        asked["DeploymentId"] = deployment
    return asked | stage_settings(definition_of(work.desired, route))
