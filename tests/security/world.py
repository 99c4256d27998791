"""One object of everything, all of it private to the team Kestrel: what nobody else may ever see.

Every name carries the word Kestrel, so that a page or an answer that leaks any of it is found by one search.
A new route with an id needs its id here; the matrix says so by failing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from apis.models import Visibility
from audit.actions import record_event
from gateways.models import Deployment, GatewayNode
from subscriptions.models import Block, Rotation
from teams.actions import create_approver_group, invite_member, notify
from teams.models import Membership, Team, TeamRole, User
from teams.queries import actor_of_user
from tests import factories
from tests.security.routes import Route

CANARY = "Kestrel"
REST_TEAM = "api/v1/teams/(?P<team>[a-z0-9_-]+)"
REST_ACCOUNT = "(?P<account>[a-z0-9_]+)"


@dataclass
class World:
    """The objects, and the ids by which routes name them."""

    owner: User
    team: Team
    by_route: dict[str, str]
    values: dict[str, str]

    def kwargs_of(self, route: Route) -> dict[str, Any]:
        """The values of the route's parameters. A KeyError means: add the new route to this world."""
        return {name: self._value(route, name) for name in route.kwargs}

    def _value(self, route: Route, name: str) -> str:
        for key in sorted(self.by_route, key=len, reverse=True):
            path, _hash, kwarg = key.partition("#")
            if kwarg == name and route.path.startswith(path):
                return self.by_route[key]
        if name in self.values:
            return self.values[name]
        raise KeyError(f"{route} needs a {name}: add it to tests/security/world.py")


def make_world() -> World:
    """Make everything once."""
    owner = factories.make_user("kim@example.test", name="Kestrel Kim")
    team = factories.make_team("Kestrel")
    membership = factories.join(team, owner, TeamRole.OWNER)
    colleague = factories.make_user("kestrel-colleague@example.test", name="Kestrel Colleague")
    fellow = factories.join(team, colleague, TeamRole.DEVELOPER)
    return World(owner, team, *_ids(owner, team, membership, fellow, colleague))


def _ids(
    owner: User, team: Team, membership: Membership, fellow: Membership, colleague: User
) -> tuple[dict[str, str], dict[str, str]]:
    actor = actor_of_user(owner)
    api = factories.make_api(team, "Kestrel ledger", visibility=Visibility.PRIVATE, summary="Kestrel summary")
    version = factories.make_version(api)
    offer = factories.make_plan(api, "Kestrel plan", quota_day=1000)
    other = factories.make_plan(api, "Kestrel other plan")
    gateway = factories.make_gateway("shared-edge")
    publication = factories.make_publication(version, gateway)
    deployment = Deployment.objects.create(gateway=gateway, cause_label="Kestrel ledger was published")
    node = GatewayNode.objects.create(gateway=gateway, name="edge-1", agent_url="http://127.0.0.1:1")
    application = factories.make_application(team, "Kestrel robot")
    subscription = factories.make_subscription(application, offer)
    credential, _value = factories.make_credential(subscription, name="Kestrel key")
    rotation = Rotation.objects.create(
        old=factories.make_credential(subscription, name="Kestrel old key", state="rotating")[0],
        new=factories.make_credential(subscription, name="Kestrel new key")[0],
        started_by="Kestrel Kim",
        ends_at=timezone.now() + timedelta(hours=1),
    )
    Block.objects.create(
        subscription=subscription, reason="quota_day", until=timezone.now() + timedelta(hours=1)
    )
    second = factories.make_application(team, "Kestrel second robot")
    request = factories.make_request(second, other, by=colleague, reason="Kestrel reason")
    account = factories.make_service_account(team, name="Kestrel service")
    account_token, _value = factories.make_api_token(service_account=account)
    token, _value = factories.make_api_token(user=owner)
    group = create_approver_group(team, actor=actor, name="Kestrel approvers", people=[owner])
    invitation = invite_member(team, actor=actor, email="kestrel-guest@example.test")
    notice = notify([owner], name="test", title="Kestrel notice", body="Kestrel body")[0]
    event = record_event("api.changed", api, actor=actor, note="Kestrel note")
    by_route = {
        "teams/#slug": team.slug,
        "teams/<slug:slug>/members/#public_id": fellow.public_id,
        "teams/<slug:slug>/invitations/#public_id": invitation.public_id,
        "teams/<slug:slug>/approver-groups/#public_id": group.public_id,
        "teams/<slug:slug>/service-accounts/#public_id": account.public_id,
        "invitations/#public_id": invitation.public_id,
        "settings/tokens/#public_id": token.public_id,
        "notices/#public_id": notice.public_id,
        "administration/people/#public_id": owner.public_id,
        "apis/#slug": api.slug,
        "publish/#slug": api.slug,
        "usage/apis/#slug": api.slug,
        "usage/applications/#public_id": application.public_id,
        "usage/subscriptions/#public_id": subscription.public_id,
        "usage/spark/#public_id": api.public_id,
        "upstreams/#public_id": version.upstream.public_id,
        "environments/#slug": "production",
        "applications/#public_id": application.public_id,
        "requests/#public_id": request.public_id,
        "approvals/#public_id": request.public_id,
        "subscriptions/#public_id": subscription.public_id,
        "credentials/#public_id": credential.public_id,
        "rotations/#public_id": rotation.public_id,
        "usage/credentials/#public_id": credential.public_id,
        "gateways/#slug": gateway.slug,
        "deployments/#public_id": deployment.public_id,
        "publications/#public_id": publication.public_id,
        "gateways/<slug:slug>/nodes/#public_id": node.public_id,
        "enforcement/#public_id": credential.public_id,
        "enforcement/#kind": "credential",
        f"{REST_TEAM}/members/#public_id": fellow.public_id,
        f"{REST_TEAM}/invitations/#public_id": invitation.public_id,
        f"{REST_TEAM}/approver-groups/#public_id": group.public_id,
        f"{REST_TEAM}/service-accounts/#public_id": account.public_id,
        f"{REST_TEAM}/service-accounts/#account": account.public_id,
        f"{REST_TEAM}/service-accounts/{REST_ACCOUNT}/tokens/#public_id": account_token.public_id,
        "api/v1/tokens/#public_id": token.public_id,
        "api/v1/notices/#public_id": notice.public_id,
        "api/v1/audit-events/#public_id": event.public_id,
        "api/v1/apis/#slug": api.slug,
        "api/v1/upstreams/#public_id": version.upstream.public_id,
        "api/v1/environments/#slug": "production",
        "api/v1/applications/#public_id": application.public_id,
        "api/v1/access-requests/#public_id": request.public_id,
        "api/v1/subscriptions/#public_id": subscription.public_id,
        "api/v1/credentials/#public_id": credential.public_id,
        "api/v1/rotations/#public_id": rotation.public_id,
        "api/v1/gateways/#slug": gateway.slug,
        "api/v1/gateways/#node": node.public_id,
        "api/v1/deployments/#public_id": deployment.public_id,
        "api/v1/publications/#public_id": publication.public_id,
    }
    values = {
        "team": team.slug,
        "major": "1",
        "plan": offer.plan.slug,
        "move": "deprecate",
        "kind": "api",
        "other": "nobody-else",
        "environment": "production",
        "secret": "not-the-secret",
    }
    return by_route, values


__all__ = ["CANARY", "World", "make_world"]
