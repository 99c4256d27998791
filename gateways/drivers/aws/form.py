"""What publishing needs of each type of API: how AWS is spoken to for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from gateways.drivers.aws.authorizer import deploy
from gateways.drivers.aws.definitions import Made
from gateways.drivers.aws.kinds import asks_authorizer, definition_of
from gateways.drivers.aws.work import Work
from gateways.engine.document import Kind, Ref, Route, Upstream


class Found(NamedTuple):
    """Something at AWS: its id there, and the text or tags by which it is known."""

    id: str
    mark: Any


class Form(Protocol):
    """One type of API. All but `deploys_itself` may raise AwsError; what is asked for of something that is not there
    raises Missing."""

    def apis(self, work: Work) -> Iterator[Found]:
        """All APIs of the type in the account, with their tags."""

    def look_for(self, work: Work, api: str) -> None:
        """Raises Missing for an API that is not there."""

    def make_api(self, work: Work, route: Route, tags: Mapping[str, str]) -> str:
        """A new API, in which nothing is; its id."""

    def delete_api(self, work: Work, api: str) -> None: ...

    def put(self, work: Work, api: str, route: Route) -> None:
        """Bring the working copy of the API to what `route` says. Nobody meets it before it is deployed."""

    def deploys_itself(self, work: Work, route: Route) -> bool:
        """Whether the stage of `route` shows the working copy at once."""

    def deployments(self, work: Work, api: str) -> Iterator[Found]:
        """Those that there are, with their descriptions."""

    def deploy(self, work: Work, api: str, description: str) -> str:
        """A snapshot of the working copy; its id."""

    def delete_deployment(self, work: Work, api: str, deployment: str) -> None: ...

    def make_stage(
        self, work: Work, api: str, route: Route, deployment: str, tags: Mapping[str, str]
    ) -> None:
        """The stage of `route`, at `deployment`, or deploying itself where that is empty."""

    def point(self, work: Work, api: str, route: Route, deployment: str) -> None:
        """Likewise, of a stage that is there: the flip."""

    def delete_stage(self, work: Work, api: str, stage: str) -> None: ...

    def shows(self, work: Work, api: str, stage: str, deployment: str) -> bool:
        """Whether callers of the stage meet `deployment`, or what deploys itself where that is empty."""


def made_of(work: Work, route: Route) -> Made:
    """All that the API of `route` is made of. Raises NotYet while it waits for the authorizer."""
    definition = definition_of(work.desired, route)
    upstream = work.desired.items[Ref(Kind.UPSTREAM, route.upstream)]
    assert isinstance(upstream, Upstream)  # noqa: S101 - named by its kind
    name, account = work.names.api(route), work.calls.account
    if not asks_authorizer(definition.settings):
        return Made(definition, upstream, route, name, account)
    deploy.demand_made(work)
    return Made(definition, upstream, route, name, account, deploy.arn_of(work))
