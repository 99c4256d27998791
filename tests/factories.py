"""Plain functions that make one object each, with what it needs, and sensible values for the rest.

They write rows as the actions leave them, so that a test can start anywhere in the story; the story itself
is told by tests that call the actions, the pages and the REST API.
"""

from __future__ import annotations

import functools
import itertools
import json
from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils import timezone
from django.utils.text import slugify

from apis.models import (
    Api,
    ApiVersion,
    Environment,
    EnvironmentClass,
    Operation,
    Plan,
    PlanRevision,
    Revision,
    SpecDocument,
    Upstream,
    UpstreamBinding,
    Visibility,
)
from audit.models import ActorKind
from gateways.engine.document import value_digest
from gateways.models import BasePathClaim, Gateway, GatewayListener, GatewayNode, Publication
from gateways.tokens import put_token
from subscriptions.actions import BudgetValues, set_budget
from subscriptions.keys import key_digest, make_key, seal_key
from subscriptions.models import AccessRequest, Application, Budget, Credential, Subscription
from teams.models import SYSTEM, ApiToken, Membership, ServiceAccount, Team, TeamRole, User
from teams.permissions import Scope
from teams.tokens import make_token

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)

SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1.0.0", "description": "Orders of the shop."},
    "paths": {
        "/orders": {
            "get": {
                "operationId": "listOrders",
                "summary": "List orders",
                "tags": ["orders"],
                "parameters": [
                    {"name": "status", "in": "query", "schema": {"type": "string", "example": "open"}}
                ],
                "responses": {"200": {"description": "The orders"}},
            },
            "post": {
                "operationId": "createOrder",
                "summary": "Create an order",
                "tags": ["orders"],
                "responses": {"201": {"description": "The order"}},
            },
        },
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "getOrder",
                "summary": "Read an order",
                "tags": ["orders"],
                "responses": {"200": {"description": "The order"}},
            },
        },
    },
}


def make_user(email: str | None = None, **fields: Any) -> User:
    """A person with a confirmed address and PASSWORD."""
    from allauth.account.models import (
        EmailAddress,
    )  # needs the app registry, which pytest-django sets up late

    user = User(email=email or f"user{next(_numbers)}@example.test", password=_hashed_password(), **fields)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@functools.cache
def _hashed_password() -> str:
    """PASSWORD as users keep it: hashed once, since hashing is slow on purpose and tests make many users."""
    return make_password(PASSWORD)


def make_team(name: str | None = None, **members: str) -> Team:
    """A team without members; add them with `join`."""
    name = name or f"Team {next(_numbers)}"
    return Team.objects.create(name=name, slug=slugify(name), **members)


def join(team: Team, user: User, role: str = TeamRole.DEVELOPER) -> Membership:
    return Membership.objects.create(team=team, user=user, role=role)


def make_service_account(
    team: Team, role: str = TeamRole.DEVELOPER, name: str | None = None
) -> ServiceAccount:
    return ServiceAccount.objects.create(team=team, role=role, name=name or f"robot {next(_numbers)}")


def make_api_token(
    *,
    user: User | None = None,
    service_account: ServiceAccount | None = None,
    scopes: list[str] | None = None,
) -> tuple[ApiToken, str]:
    """A token and its value; every scope unless told otherwise."""
    made = make_token()
    token = ApiToken.objects.create(
        user=user,
        service_account=service_account,
        name="test",
        token_id=made.token_id,
        digest=made.digest,
        digest_key=made.digest_key,
        scopes=list(Scope) if scopes is None else scopes,
        expires_at=timezone.now() + timedelta(days=1),
    )
    return token, made.value


def make_environment(slug: str = "production", **fields: Any) -> Environment:
    """The environment `slug`; sandbox and production are one row each however often they are asked for."""
    letter = {"production": EnvironmentClass.PRODUCTION, "sandbox": EnvironmentClass.SANDBOX}.get(slug, "o")
    values = {"name": slug.capitalize(), "environment_class": letter, **fields}
    return Environment.objects.get_or_create(slug=slug, defaults=values)[0]


def make_api(team: Team | None = None, name: str | None = None, **fields: Any) -> Api:
    """An API that everybody signed in may see, unless `visibility` says otherwise."""
    name = name or f"Orders {next(_numbers)}"
    values = {"summary": "Orders of the shop", "visibility": Visibility.INTERNAL, **fields}
    return Api.objects.create(team=team or make_team(), slug=slugify(name), name=name, **values)


def make_spec(team: Team, content: dict[str, Any] | None = None) -> SpecDocument:
    """A stored OpenAPI document with its operations."""
    content = content or SPEC
    text = json.dumps(content)
    spec, made = SpecDocument.objects.get_or_create(
        team=team,
        digest=value_digest(text),
        defaults={
            "openapi": content["openapi"],
            "title": content["info"]["title"],
            "version": content["info"]["version"],
            "size": len(text),
            "text": text,
        },
    )
    if made:
        _make_operations(spec, content)
    return spec


def _make_operations(spec: SpecDocument, content: dict[str, Any]) -> None:
    methods = ("get", "put", "post", "delete", "patch")
    found = [
        (method.upper(), path, operation)
        for path, item in content["paths"].items()
        for method, operation in item.items()
        if method in methods
    ]
    for position, (method, path, operation) in enumerate(found):
        Operation.objects.create(
            spec=spec,
            position=position,
            method=method,
            path=path,
            key=operation.get("operationId", f"{method} {path}"),
            summary=operation.get("summary", ""),
            tags=operation.get("tags", []),
        )


def make_upstream(team: Team, url: str = "http://127.0.0.1:9201", name: str | None = None) -> Upstream:
    """An upstream bound to `url` in production and sandbox."""
    upstream = Upstream.objects.create(team=team, name=name or f"backend-{next(_numbers)}")
    for slug in ("production", "sandbox"):
        UpstreamBinding.objects.create(
            upstream=upstream, environment=make_environment(slug), targets=[{"url": url, "weight": 100}]
        )
    return upstream


def make_version(
    api: Api | None = None,
    *,
    state: str = ApiVersion.State.PUBLISHED,
    major: int = 1,
    url: str = "http://127.0.0.1:9201",
) -> ApiVersion:
    """A version with spec and upstream; published unless told otherwise."""
    api = api or make_api()
    spec, upstream = make_spec(api.team), make_upstream(api.team, url)
    version = ApiVersion.objects.create(api=api, major=major, state=state, spec=spec, upstream=upstream)
    if state != ApiVersion.State.DRAFT and api.first_published_at is None:
        api.first_published_at = timezone.now()
        api.save()
    return version


def make_revision(version: ApiVersion) -> Revision:
    number = version.revisions.count() + 1
    return Revision.objects.create(
        api_version=version, number=number, spec=version.spec, upstream=version.upstream, frozen_by="test"
    )


def make_plan(
    api: Api, name: str = "Bronze", *, state: str = Plan.State.PUBLISHED, **limits: Any
) -> PlanRevision:
    """A plan with one revision, 10 calls a second; published and decided by hand unless told otherwise."""
    plan = Plan.objects.create(api=api, slug=slugify(name), name=name, state=state)
    values = {"rate_calls": 10, "burst": 20, "published_at": timezone.now(), **limits}
    return PlanRevision.objects.create(plan=plan, **values)


def make_application(team: Team | None = None, name: str | None = None) -> Application:
    name = name or f"Route planner {next(_numbers)}"
    return Application.objects.create(team=team or make_team(), slug=slugify(name), name=name)


def make_request(
    application: Application,
    plan_revision: PlanRevision,
    *,
    by: User,
    version: ApiVersion | None = None,
    **fields: Any,
) -> AccessRequest:
    """A pending request for production."""
    version = version or plan_revision.plan.api.versions.get()
    return AccessRequest.objects.create(
        application=application,
        api_version=version,
        plan_revision=plan_revision,
        requested_by_kind=ActorKind.USER,
        requested_by_id=by.public_id,
        requested_by_label=str(by),
        lapses_at=timezone.now() + timedelta(days=30),
        **{"environment": make_environment(), "reason": "We plan delivery tours.", **fields},
    )


def make_subscription(
    application: Application | None = None, plan_revision: PlanRevision | None = None, **fields: Any
) -> Subscription:
    """An active subscription in production."""
    plan_revision = plan_revision or make_plan(make_version().api)
    values = {
        "environment": make_environment(),
        "api_version": plan_revision.plan.api.versions.first(),
        **fields,
    }
    return Subscription.objects.create(
        application=application or make_application(), plan_revision=plan_revision, **values
    )


def make_credential(subscription: Subscription | None = None, **fields: Any) -> tuple[Credential, str]:
    """An active key and its value."""
    subscription = subscription or make_subscription()
    made = make_key(subscription.environment.environment_class)
    credential = Credential(
        subscription=subscription, key_id=made.key_id, prefix=made.prefix, issued_by="test", **fields
    )
    credential.digest, credential.digest_key = key_digest(made.value)
    credential.sealed = seal_key(made.value, credential.public_id)
    credential.value_digest = value_digest(made.value)
    credential.save()
    return credential, made.value


def make_gateway(
    slug: str = "edge", kind: str = Gateway.Kind.MEMORY, *, token: str = "agent-token-for-tests-" + "x" * 20
) -> Gateway:
    """A gateway that listens for production (8080) and sandbox (8090)."""
    gateway = Gateway(slug=slug, name=slug.capitalize(), kind=kind)
    put_token(gateway, token)
    gateway.save()
    for environment, port in (("production", 8080), ("sandbox", 8090)):
        GatewayListener.objects.create(
            gateway=gateway,
            environment=make_environment(environment),
            port=port,
            public_url=f"http://{slug}.example.test:{port}",
        )
    return gateway


def make_node(gateway: Gateway, name: str = "edge-1") -> GatewayNode:
    """A node that has just reported; nobody listens at its address."""
    return GatewayNode.objects.create(
        gateway=gateway, name=name, agent_url="http://127.0.0.1:1", serving=True, heartbeat_at=timezone.now()
    )


def make_publication(version: ApiVersion, gateway: Gateway, environment: str = "production") -> Publication:
    """`version` published on `gateway` under its default base path."""
    api = version.api
    path = f"/{api.team.slug}/{api.slug}/v{version.major}"
    claim, _made = BasePathClaim.objects.get_or_create(
        gateway=gateway, host="", path=path, defaults={"team": api.team, "api": api}
    )
    return Publication.objects.create(
        api_version=version,
        gateway=gateway,
        environment=make_environment(environment),
        claim=claim,
        revision=version.revisions.first() or make_revision(version),
    )


def make_budget(target: Any, *, team: Team | None = None, name: str = "Budget", **values: Any) -> Budget:
    """A hard budget of a thousand US dollars a month for `target`."""
    usual = {"limit": 1_000_000_000_000, "currency": "USD", **values}
    return set_budget(name, target, BudgetValues(**usual), actor=SYSTEM, team=team)
