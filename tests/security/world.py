"""One object of everything: an API of the team Kestrel, private and shared with the team Osprey, which calls it.

Names of what belongs to one of the two carry its word, so that a page or an answer that leaks any of it is found
by one search. What Kestrel shows to nobody else, subscribers included, carries the word Merlin.
A new route with an id needs its id here; the matrix says so by failing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ai.actions import (
    ProviderValues,
    TargetValues,
    add_key,
    add_model,
    create_provider,
    create_route,
    override_price,
    pause_key,
    pause_provider,
)
from apis.actions import create_ai_upstream
from apis.actions.search import refresh_search
from apis.models import Api, ApiVersion, Plan, Visibility
from audit.actions import record_event
from gateways.actions import ListenerValues, create_gateway, difference_of
from gateways.models import Deployment, DriftFinding, Gateway, GatewayNode
from subscriptions.models import Block, Rotation, Subscription
from teams.actions import create_approver_group, invite_member, notify
from teams.models import SYSTEM, PlatformRole, ServiceAccount, Team, TeamRole, User
from teams.permissions import Scope
from teams.queries import actor_of_user
from tests import factories
from tests.ai import factories as ai_factories
from tests.aws.factories import (
    FEATURES,
    make_account,
    make_alias,
    make_function,
    make_proof,
)
from tests.aws.factories import make_version as make_function_version
from tests.security.routes import Route
from usage.models import AiRun, LoggedBody

CANARY, CONSUMER, INWARD = "Kestrel", "Osprey", "Merlin"
REST_TEAM = "api/v1/teams/(?P<team>[a-z0-9_-]+)"
REST_ACCOUNT = "(?P<account>[a-z0-9_]+)"
PUBLISH = "publish/<slug:team>/<slug:slug>/"
REST_API = "api/v1/apis/<slug:team>/<slug:slug>"
REST_VERSION = f"{REST_API}/versions/<int:major>"
REST_PLAN = f"{REST_API}/plans/<slug:plan>"
REST_PROMPT = "api/v1/ai/prompts/<slug:team>/<slug:slug>"
PROMPT = "ai/prompts/<slug:team>/<slug:slug>"


@dataclass(frozen=True, slots=True)
class Role:
    """Somebody who walks the routes: what they hold in the two teams and on the platform, and how they come in."""

    name: str
    user: User | None = None
    account: ServiceAccount | None = None
    token: str = ""
    at_api: str = ""
    at_consumer: str = ""
    elsewhere: str = ""
    platform: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset(Scope)

    @property
    def signed_in(self) -> bool:
        return self.user is not None or self.account is not None

    @property
    def has_session(self) -> bool:
        """Whether they come in by a browser, too."""
        return self.user is not None and self.scopes == frozenset(Scope)

    def __str__(self) -> str:
        return self.name


@dataclass
class World:
    """The objects, the ids by which routes name them, and the people. `owner` owns the API's team."""

    owner: User
    team: Team
    consumer: Team
    api: Api
    by_route: dict[str, str]
    values: dict[str, str]
    roles: dict[str, Role] = field(default_factory=dict)

    def kwargs_of(self, route: Route) -> dict[str, Any]:
        """The values of the route's parameters. A KeyError means: add the new route to this world."""
        return {name: self.value_of(route, name) for name in route.kwargs}

    def value_of(self, route: Route, name: str) -> str:
        for key in sorted(self.by_route, key=len, reverse=True):
            path, _hash, kwarg = key.partition("#")
            if kwarg == name and route.path.startswith(path):
                return self.by_route[key]
        if name in self.values:
            return self.values[name]
        raise KeyError(f"{route} needs a {name}: add it to tests/security/world.py")


def make_world() -> World:
    """Make everything once."""
    team, consumer = factories.make_team("Kestrel"), factories.make_team("Osprey")
    roles = _roles(team, consumer)
    world = World(roles["owner"].user, team, consumer, *_objects(team, consumer, roles), roles=roles)  # type: ignore[arg-type]
    for role in roles.values():
        if role.user and not role.at_api and not role.at_consumer:
            notify([role.user], name="test", title="A notice", body="Its text")
    return world


def _roles(team: Team, consumer: Team) -> dict[str, Role]:
    """Everybody who walks, by name."""
    elsewhere = factories.make_team("Elsewhere")
    roles = [Role("anonymous"), _person("outsider", elsewhere=(elsewhere, TeamRole.OWNER))]
    roles += [_person(role.value, at_api=(team, role)) for role in TeamRole]
    roles += [_person(f"consumer {role.value}", at_consumer=(consumer, role)) for role in TeamRole]
    roles += [_person(role.value, platform=[role.value]) for role in PlatformRole]
    owner = next(role for role in roles if role.name == "owner")
    _token, value = factories.make_api_token(user=owner.user, scopes=[Scope.READ])
    roles.append(
        Role("read token", user=owner.user, token=value, at_api="owner", scopes=frozenset({Scope.READ}))
    )
    account = factories.make_service_account(team, TeamRole.PUBLISHER, "Merlin robot")
    _token, value = factories.make_api_token(service_account=account)
    roles.append(Role("service account", account=account, token=value, at_api="publisher"))
    operator = factories.make_user("operator@example.test", name="Operator", is_staff=True, is_superuser=True)
    roles.append(Role("operator", operator, token=factories.make_api_token(user=operator)[1]))
    return {role.name: role for role in roles}


def _person(
    name: str,
    *,
    at_api: tuple[Team, str] | None = None,
    at_consumer: tuple[Team, str] | None = None,
    elsewhere: tuple[Team, str] | None = None,
    platform: list[str] | None = None,
) -> Role:
    word = f"{CANARY} " if at_api else f"{CONSUMER} " if at_consumer else ""
    user = factories.make_user(
        f"{name.replace(' ', '-')}@example.test", name=f"{word}{name.title()}", platform_roles=platform or []
    )
    for place in (at_api, at_consumer, elsewhere):
        if place:
            factories.join(place[0], user, place[1])
    return Role(
        name,
        user,
        token=factories.make_api_token(user=user)[1],
        at_api=str(at_api[1]) if at_api else "",
        at_consumer=str(at_consumer[1]) if at_consumer else "",
        elsewhere=str(elsewhere[1]) if elsewhere else "",
        platform=frozenset(platform or ()),
    )


def _objects(
    team: Team, consumer: Team, roles: dict[str, Role]
) -> tuple[Api, dict[str, str], dict[str, str]]:
    owner, asks = roles["owner"].user, roles["consumer developer"].user
    assert owner is not None
    assert asks is not None
    actor = actor_of_user(owner)
    fellow = factories.join(
        team, factories.make_user("kestrel-fellow@example.test", name="Kestrel Fellow"), TeamRole.DEVELOPER
    )
    guest = factories.make_user("kestrel-guest@example.test", name="Guest")

    api = factories.make_api(
        team, "Kestrel ledger", visibility=Visibility.PRIVATE, summary="Kestrel summary", tags=["Kestrel"]
    )
    api.shares.create(team=consumer)
    version = factories.make_version(api)
    version.upstream.name = "merlin-backend"  # type: ignore[union-attr]
    version.upstream.save()  # type: ignore[union-attr]
    first = factories.make_revision(version)
    first.note = "Merlin note"
    first.save()
    sunset = timezone.now().date() + timedelta(days=10)
    ended = factories.make_version(api, major=2)
    ApiVersion.objects.filter(pk=ended.pk).update(state=ApiVersion.State.DEPRECATED, sunset_on=sunset)
    factories.make_version(api, major=3, state=ApiVersion.State.DRAFT)
    offer = factories.make_plan(api, "Kestrel plan", quota_day=1000)
    other = factories.make_plan(api, "Kestrel other plan")
    hidden = factories.make_plan(api, "Merlin draft plan", state=Plan.State.DRAFT, published_at=None)

    gateway = factories.make_gateway("shared-edge")
    publication = factories.make_publication(version, gateway)
    publication.revision = factories.make_revision(version)
    publication.save()
    deployment = Deployment.objects.create(gateway=gateway, cause_label="Kestrel ledger was published")
    node = GatewayNode.objects.create(gateway=gateway, name="edge-1", agent_url="http://127.0.0.1:1")
    finding = DriftFinding.objects.create(
        gateway=gateway,
        kind="upstream",
        object_id=version.upstream.bindings.get(environment__slug="production").public_id,  # type: ignore[union-attr]
        label="Kestrel backend",
        sort="changed",
        digest="0" * 64,
        difference={"fields": [["timeout_ms", "15000", "Kestrel"]]},
        first_seen=timezone.now(),
        last_seen=timezone.now(),
    )

    application = factories.make_application(consumer, "Osprey robot")
    subscription = factories.make_subscription(application, offer, api_version=version)
    credential, _value = factories.make_credential(subscription, name="Osprey key")
    rotation = Rotation.objects.create(
        old=factories.make_credential(subscription, name="Osprey old key", state="rotating")[0],
        new=factories.make_credential(subscription, name="Osprey new key")[0],
        started_by="Osprey Olga",
        ends_at=timezone.now() + timedelta(hours=1),
    )
    Block.objects.create(
        subscription=subscription, reason="quota_day", until=timezone.now() + timedelta(hours=1)
    )
    held = factories.make_subscription(
        factories.make_application(consumer, "Osprey held robot"), offer, api_version=version
    )
    Subscription.objects.filter(pk=held.pk).update(state="suspended", state_reason="Hold.")
    request = factories.make_request(
        factories.make_application(consumer, "Osprey second robot"),
        other,
        by=asks,
        version=version,
        reason="Osprey reason",
    )

    prompt = ai_factories.make_prompt(team, "Merlin prompt")
    first_of_prompt = ai_factories.make_prompt_version(prompt, note="Merlin version")
    ai_factories.make_label(first_of_prompt, "production")
    prompt.draft["messages"][0]["content"] += " Merlin."
    prompt.save()
    case = ai_factories.make_test_case(prompt, "Merlin case")
    run = ai_factories.make_test_run(first_of_prompt)
    ai_factories.make_result(run, case, output="Merlin output")

    answers = create_ai_upstream(
        actor=SYSTEM,
        team=team,
        name="merlin-answers",
        prompt=prompt,
        labels={factories.make_environment(): "production"},
    )
    run_of_ai = _run_of_ai(subscription, environment=publication.environment.public_id)

    budget = factories.make_budget(application, team=consumer, name="Osprey budget")
    ai, ai_values = _ai(team)
    features = [*FEATURES, "adopted", "images"]
    cloud = make_account("merlin-cloud", name="Merlin cloud", teams=[team], features=features)
    proof = make_proof(cloud)
    function = make_function(team, cloud, "Merlin function", package="image", keeps_versions=1)
    old = make_function_version(function, 1, note="Merlin note")
    make_function_version(function, 2)
    make_alias(make_function_version(function, 3), previous=old)
    create_gateway(
        actor=SYSTEM,
        slug="shared-sky",
        name="Shared sky",
        kind="aws",
        aws_account=cloud,
        aws_region="eu-central-1",
        listeners=[ListenerValues(publication.environment)],
    )
    account = factories.make_service_account(team, name="Merlin service")
    account_token, _value = factories.make_api_token(service_account=account)
    token, _value = factories.make_api_token(user=owner)
    group = create_approver_group(team, actor=actor, name="Merlin approvers", people=[owner])
    invitation = invite_member(team, actor=actor, email=guest.email)
    notice = notify([owner], name="test", title="Kestrel notice", body="Merlin body")[0]
    refresh_search(api)
    event = record_event("api.changed", api, actor=actor, note="Merlin note")
    idle, restored = factories.make_gateway("idle-edge"), factories.make_gateway("restored-edge")
    restored.held_since, restored.held_reason = timezone.now(), "It knows more than the database."
    restored.save()
    by_route = {
        **ai,
        "aws/accounts/#slug": cloud.slug,
        "api/v1/aws-accounts/#slug": cloud.slug,
        "aws/functions/#public_id": function.public_id,
        "aws/functions/#push": function.pushes.get().public_id,
        "aws/functions/#name": "live",
        "api/v1/aws-functions/#public_id": function.public_id,
        "api/v1/aws-functions/#push": function.pushes.get().public_id,
        "api/v1/aws-functions/#name": "live",
        "api/v1/aws-accounts/<slug:slug>/proofs/#public_id": proof.public_id,
        "teams/#slug": team.slug,
        "teams/<slug:slug>/members/#public_id": fellow.public_id,
        "teams/<slug:slug>/invitations/#public_id": invitation.public_id,
        "teams/<slug:slug>/approver-groups/#public_id": group.public_id,
        "teams/<slug:slug>/service-accounts/#public_id": account.public_id,
        "invitations/#public_id": invitation.public_id,
        "settings/tokens/#public_id": token.public_id,
        "notices/#public_id": notice.public_id,
        "administration/people/#public_id": fellow.user.public_id,
        "apis/#slug": api.slug,
        "publish/#slug": api.slug,
        f"{PUBLISH}plans/<slug:plan>/<slug:move>/#plan": hidden.plan.slug,
        f"{PUBLISH}v<int:major>/reinstate/#major": "2",
        f"{PUBLISH}v<int:major>/spec/#major": "3",
        "usage/apis/#slug": api.slug,
        "usage/applications/#public_id": application.public_id,
        "usage/runs/#run": run_of_ai.run,
        "api/v1/usage/ai-records/#run": run_of_ai.run,
        "api/v1/upstreams/<slug:public_id>/bindings/<slug:environment>/body-log#public_id": answers.public_id,
        "usage/subscriptions/#public_id": subscription.public_id,
        "usage/spark/#public_id": api.public_id,
        "budgets/#public_id": budget.public_id,
        "budgets/of/#public_id": application.public_id,
        "budgets/of/#scope": "application",
        "api/v1/budgets/#public_id": budget.public_id,
        "upstreams/#public_id": version.upstream.public_id,  # type: ignore[union-attr]
        "environments/#slug": "production",
        "applications/#public_id": application.public_id,
        "requests/#public_id": request.public_id,
        "approvals/#public_id": request.public_id,
        "subscriptions/#public_id": subscription.public_id,
        "subscriptions/<slug:public_id>/resume/#public_id": held.public_id,
        "credentials/#public_id": credential.public_id,
        "rotations/#public_id": rotation.public_id,
        "usage/credentials/#public_id": credential.public_id,
        "gateways/#slug": gateway.slug,
        "deployments/#public_id": deployment.public_id,
        "drift/#public_id": finding.public_id,
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
        f"{REST_VERSION}/reinstate#major": "2",
        f"{REST_VERSION}/retire#major": "2",
        f"{PUBLISH}v<int:major>/retire/#major": "2",
        "gateways/<slug:slug>/retire/#slug": idle.slug,
        "api/v1/gateways/(?P<slug>[a-z0-9-]+)/retire#slug": idle.slug,
        "api/v1/gateways/(?P<slug>[a-z0-9-]+)/release#slug": restored.slug,
        f"{REST_PLAN}/publish#plan": hidden.plan.slug,
        "api/v1/upstreams/#public_id": version.upstream.public_id,  # type: ignore[union-attr]
        "api/v1/environments/#slug": "production",
        "api/v1/applications/#public_id": application.public_id,
        "api/v1/access-requests/#public_id": request.public_id,
        "api/v1/subscriptions/#public_id": subscription.public_id,
        "api/v1/subscriptions/(?P<public_id>[a-z0-9_]+)/resume#public_id": held.public_id,
        "api/v1/credentials/#public_id": credential.public_id,
        "api/v1/rotations/#public_id": rotation.public_id,
        "api/v1/gateways/#slug": gateway.slug,
        "api/v1/gateways/<slug:slug>/drift/#public_id": finding.public_id,
        "api/v1/deployments/#public_id": deployment.public_id,
        "api/v1/publications/#public_id": publication.public_id,
        f"{PROMPT}/#slug": prompt.slug,
        "offer/prompts/<slug:team>/#slug": prompt.slug,
        f"{PROMPT}/cases/#public_id": case.public_id,
        f"{PROMPT}/runs/#public_id": run.public_id,
        f"{REST_PROMPT}#slug": prompt.slug,
        f"{REST_PROMPT}/test-cases/#public_id": case.public_id,
        f"{REST_PROMPT}/test-runs/#public_id": run.public_id,
        "admin/teams/user/#object_id": str(owner.pk),
        "admin/teams/team/#object_id": str(team.pk),
        "admin/audit/auditevent/#object_id": str(event.pk),
        "admin/#app_label": "teams",
        "admin/#url": "nowhere/",
        "admin/r/#content_type_id": "1",
        "admin/r/#object_id": "1",
        "accounts/#key": "not-a-key",
        "accounts/#uidb36": "1",
        "accounts/#pk": "1",
        "accounts/#provider_id": "oidc",
    }
    values = {
        **ai_values,
        "prompt": prompt.public_id,
        "cloud": cloud.slug,
        "team": team.slug,
        "major": "1",
        "plan": offer.plan.slug,
        "move": "publish",
        "kind": "api",
        "other": consumer.slug,
        "environment": "production",
        "node": node.public_id,
        "secret": "not-the-secret",
        "number": "1",
        "name": "staging",
        # What bodies name (tests/security/bodies.py).
        "second_plan": other.plan.slug,
        "consumer": consumer.slug,
        "consumer_id": consumer.public_id,
        "application": application.public_id,
        "gateway": gateway.slug,
        "difference": difference_of(restored).seen,
        "rotation_ends": rotation.ends_at.isoformat(),
        "upstream": version.upstream.public_id,  # type: ignore[union-attr]
        "first_revision": first.public_id,
        "person": fellow.user.public_id,
        "api_id": api.public_id,
        "team_pk": str(team.pk),
    }
    return api, by_route, values


def _run_of_ai(subscription: Subscription, *, environment: str) -> AiRun:
    """An AI call of that subscription, with what was asked and answered: that is for the API's team alone."""
    api, application = subscription.api_version.api, subscription.application
    run = AiRun.objects.create(
        feed=0,
        offset=0,
        at=timezone.now(),
        run="run_kestrel",
        request_id="kestrel-request",
        surface="chat",
        environment=environment,
        api=api.public_id,
        application=application.public_id,
        subscription=subscription.public_id,
        team=application.team.public_id,
        status=200,
        cache="HIT",
        duration_ms=1.0,
        vendor_ms=0.0,
        bytes_in=1,
        bytes_out=1,
    )
    expires_at = timezone.now() + timedelta(days=1)
    words = {"asked": '"Merlin question"', "answered": '"Merlin answer"', "is_cut": False}
    LoggedBody.objects.create(run=run, expires_at=expires_at, **words)
    return run


def _ai(team: Team) -> tuple[dict[str, str], dict[str, str]]:
    """A provider of the API's team with keys, models and a route: what routes name, and what bodies do."""
    reached = ProviderValues(base_url="http://127.0.0.1:11434/v1")
    provider, spare, paused = (
        create_provider(actor=SYSTEM, team=team, slug=word, name=f"Merlin {word}", values=reached)
        for word in ("models", "spare-models", "paused-models")
    )
    pause_provider(paused, actor=SYSTEM)
    key, resting = (
        add_key(provider, actor=SYSTEM, label=f"Merlin {word}", value=f"merlin-{word}-key")
        for word in ("first", "resting")
    )
    pause_key(resting, actor=SYSTEM)
    routed, model = (
        add_model(provider, actor=SYSTEM, remote=remote) for remote in ("routed", "merlin-spare")
    )
    rates = [{"unit": unit, "nanos": 150_000_000} for unit in ("input", "output")]
    override_price(model, actor=SYSTEM, rates=rates, note="Merlin contract")
    route = create_route(actor=SYSTEM, team=team, alias="merlin-route", targets=[TargetValues(routed)])
    ids = {}
    for root, slug in (("ai/", "<slug:public_id>/"), ("api/v1/ai/", "<slug:public_id>/")):
        ids |= {
            f"{root}providers/#public_id": provider.public_id,
            f"{root}providers/{slug}remove#public_id": spare.public_id,
            f"{root}providers/{slug}resume#public_id": paused.public_id,
            f"{root}provider-keys/#public_id": key.public_id,
            f"{root}provider-keys/{slug}resume#public_id": resting.public_id,
            f"{root}models/#public_id": model.public_id,
        }
    factories.make_gateway("ai-runtime", Gateway.Kind.AI_RUNTIME)  # whom tickets are for
    ids |= {"ai/routes/#public_id": route.public_id, "api/v1/ai/model-routes/#public_id": route.public_id}
    named = {"provider": provider.public_id, "model": routed.public_id, "model_name": routed.name}
    return ids, named


def ids_of(world: World) -> list[str]:
    """What a stranger may put into a filter, a search or an order: ids and names of one object of each kind."""
    named = ("applications/", "requests/", "subscriptions/", "deployments/", "api/v1/audit-events/")
    ids = [world.by_route[f"{path}#public_id"] for path in named]
    place = [world.team.slug, world.api.slug, f"{world.team.slug}/{world.api.slug}", world.consumer.slug]
    return [*ids, *place, world.api.public_id, world.owner.public_id, CANARY]


__all__ = ["CANARY", "CONSUMER", "INWARD", "Role", "World", "ids_of", "make_world"]
