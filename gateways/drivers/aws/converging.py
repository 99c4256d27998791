"""The working copy of an HTTP or WebSocket API brought to what is wanted, part by part, against what is there.

What is there is read first, each time: so nothing is made twice, whatever became of an earlier call. First what is
new, then the routes to it, then what no route leads to any more goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aws.client.errors import Conflict, Missing
from gateways.drivers.aws.parts import Params, Parts, RoutePart
from gateways.drivers.aws.work import Work

SERVICE = "apigatewayv2"
ANSWER = "$default"
"""The one key that a route response can have."""


def converge(work: Work, api: str, parts: Parts) -> None:
    """Bring the API to `parts`. Raises AwsError; called again it goes on where it stopped."""
    copy = _Copy(work, api)
    copy.settle_api(parts.api)
    integrations = copy.integrations(parts.integrations)
    authorizers = copy.authorizers(parts.authorizers)
    for key, part in parts.routes.items():
        copy.route(key, part, integrations, authorizers)
    copy.drop("Route", copy.keys.keys() - parts.routes.keys(), copy.keys)
    copy.drop("Integration", copy.there["Integration"].keys() - set(integrations.values()))
    copy.drop("Authorizer", copy.there["Authorizer"].keys() - set(authorizers.values()))


@dataclass(slots=True)
class _Copy:
    """What is there, read when it is first asked for."""

    work: Work
    api: str
    there: dict[str, dict[str, Params]]
    keys: dict[str, str]

    def __init__(self, work: Work, api: str) -> None:
        self.work, self.api = work, api
        self.there = {kind: self._read(kind) for kind in ("Integration", "Authorizer", "Route")}
        self.keys = {str(route["RouteKey"]): number for number, route in self.there["Route"].items()}

    def _read(self, kind: str) -> dict[str, Params]:
        found = self.work.calls.pages(SERVICE, f"Get{kind}s", "Items", ApiId=self.api)
        return {str(one[f"{kind}Id"]): one for one in found}

    def settle_api(self, wanted: Params) -> None:
        """The members of the API itself."""
        there = self._call("GetApi")
        cors = wanted.get("CorsConfiguration")
        if "CorsConfiguration" in wanted and not cors and there.get("CorsConfiguration"):
            self._call("DeleteCorsConfiguration")
        changed = {
            name: value for name, value in wanted.items() if value and not _same(value, there.get(name))
        }
        if changed:
            self._call("UpdateApi", **changed)

    def integrations(self, wanted: Mapping[str, Params]) -> dict[str, str]:
        """The ids of integrations by their marks. They are never changed: a deployment may still hold them."""
        known = {str(one.get("Description")): number for number, one in self.there["Integration"].items()}
        found = {}
        for mark, params in wanted.items():
            number = known.get(self._marked(mark), "")
            if not number or self.there["Integration"][number].get("IntegrationUri") != params.get(
                "IntegrationUri"
            ):
                number = self._make("Integration", {**params, "Description": self._marked(mark)})
            found[mark] = number
        return found

    def _marked(self, mark: str) -> str:
        return f"{self.work.names.prefix} {mark}"

    def authorizers(self, wanted: Mapping[str, Params]) -> dict[str, str]:
        """The ids of authorizers by their names."""
        known = {str(one.get("Name")): number for number, one in self.there["Authorizer"].items()}
        return {name: self._authorizer(known.get(name, ""), params) for name, params in wanted.items()}

    def _authorizer(self, number: str, params: Params) -> str:
        if not number:
            return self._make("Authorizer", params)
        there = self.there["Authorizer"][number]
        if not all(_same(value, there.get(name)) for name, value in params.items()):
            self._call("UpdateAuthorizer", AuthorizerId=number, **params)
        return number

    def route(
        self, key: str, part: RoutePart, integrations: Mapping[str, str], authorizers: Mapping[str, str]
    ) -> None:
        """One route, with the answer that its caller hears."""
        wanted = {"RouteKey": key, **part.params, "Target": f"integrations/{integrations[part.integration]}"}
        if part.authorizer:
            wanted["AuthorizerId"] = authorizers[part.authorizer]
        if part.replies:
            wanted["RouteResponseSelectionExpression"] = ANSWER
        number = self.keys.get(key, "")
        if not number:
            number = self._make("Route", wanted)
        elif changed := _changed_route(wanted, self.there["Route"][number]):
            self._call("UpdateRoute", RouteId=number, **changed)
        if part.replies:
            self._answer(number)

    def _answer(self, route: str) -> None:
        params = {"ApiId": self.api, "RouteId": route}
        found = self.work.calls.pages(SERVICE, "GetRouteResponses", "Items", **params)
        if not any(one.get("RouteResponseKey") == ANSWER for one in found):
            with suppress(Conflict):  # it is there already, from an answer that was lost
                self._call("CreateRouteResponse", RouteId=route, RouteResponseKey=ANSWER)

    def drop(self, kind: str, names: Iterable[str], ids: Mapping[str, str] | None = None) -> None:
        """Take away what is not wanted any more."""
        for name in sorted(names):
            with suppress(Missing):
                self._call(f"Delete{kind}", **{f"{kind}Id": ids[name] if ids is not None else name})

    def _make(self, kind: str, params: Params) -> str:
        return str(self._call(f"Create{kind}", **params)[f"{kind}Id"])

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.work.call(operation, SERVICE, ApiId=self.api, **params)


def _changed_route(wanted: Params, there: Params) -> dict[str, Any]:
    """What of a route is otherwise, with what has to be said to take something away."""
    whole = {"OperationName": "", "AuthorizationScopes": [], "RouteResponseSelectionExpression": "", **wanted}
    return {name: value for name, value in whole.items() if not _same(value, there.get(name))}


def _same(wanted: Any, there: Any) -> bool:
    """Whether AWS holds what is wanted. It tells nothing for what is empty, and lists in an order of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            _same(value, there.get(name)) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return sorted(map(_folded, wanted)) == sorted(map(_folded, there or ()))
    return bool(wanted == there) or (not wanted and not there)


def _folded(value: Any) -> str:
    return str(value).lower()
