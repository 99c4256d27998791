"""How AWS is spoken to for REST APIs: the definition is replaced as a whole (PutRestApi with overwrite, which takes all
of it or nothing). https://docs.aws.amazon.com/apigateway/latest/api/API_PutRestApi.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateways.drivers.aws import logs
from gateways.drivers.aws.definitions import rendered, rest_settings
from gateways.drivers.aws.form import Found, made_of
from gateways.drivers.aws.permissions import permit
from gateways.drivers.aws.work import Work
from gateways.engine.document import Route

SERVICE = "apigateway"


class RestApis:
    """REST APIs, always regional."""

    def apis(self, work: Work) -> Iterator[Found]:
        for api in work.calls.pages(SERVICE, "GetRestApis", "items"):
            yield Found(str(api["id"]), api.get("tags"))

    def look_for(self, work: Work, api: str) -> None:
        work.call("GetRestApi", restApiId=api)

    def make_api(self, work: Work, route: Route, tags: Mapping[str, str]) -> str:
        kind = {"types": ["REGIONAL"]}
        name = work.names.api(route)
        return str(work.call("CreateRestApi", name=name, endpointConfiguration=kind, tags=dict(tags))["id"])

    def delete_api(self, work: Work, api: str) -> None:
        work.call("DeleteRestApi", restApiId=api)

    def put(self, work: Work, api: str, route: Route) -> None:
        """Two environments share the working copy, so it is written before each deployment."""
        made = made_of(work, route)
        permit(work, api, rest_settings(made))
        work.call("PutRestApi", restApiId=api, mode="overwrite", failOnWarnings=True, body=rendered(made))

    def deploys_itself(self, work: Work, route: Route) -> bool:
        return False

    def deployments(self, work: Work, api: str) -> Iterator[Found]:
        for deployment in work.calls.pages(SERVICE, "GetDeployments", "items", restApiId=api):
            yield Found(str(deployment["id"]), deployment.get("description"))

    def deploy(self, work: Work, api: str, description: str) -> str:
        return str(work.call("CreateDeployment", restApiId=api, description=description)["id"])

    def delete_deployment(self, work: Work, api: str, deployment: str) -> None:
        work.call("DeleteDeployment", restApiId=api, deploymentId=deployment)

    def make_stage(
        self, work: Work, api: str, route: Route, deployment: str, tags: Mapping[str, str]
    ) -> None:
        place = {"restApiId": api, "stageName": route.environment}
        work.call("CreateStage", **place, deploymentId=deployment, tags=dict(tags))
        logs.update_stage(work, route.id, api, route.environment, [])

    def point(self, work: Work, api: str, route: Route, deployment: str) -> None:
        flip = [{"op": "replace", "path": "/deploymentId", "value": deployment}]
        logs.update_stage(work, route.id, api, route.environment, flip)

    def delete_stage(self, work: Work, api: str, stage: str) -> None:
        work.call("DeleteStage", restApiId=api, stageName=stage)

    def shows(self, work: Work, api: str, stage: str, deployment: str) -> bool:
        found = work.call("GetStage", restApiId=api, stageName=stage)
        return bool(found.get("deploymentId") == deployment)
