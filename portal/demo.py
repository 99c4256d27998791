"""The demo of the embedded default: two teams, two APIs and a prompt that is a third, an application, waiting requests.

It is told through the same actions that people use, so it shows nothing that the product does not do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils import timezone

from apis.actions import BindingValues, begin_api, change_api, create_plan, give_upstream, publish_plan
from apis.models import ApiVersion, Environment, Plan, PlanLimits, PlanRevision, Visibility
from gateways.actions import PlaceToPublish, publish_to
from gateways.models import Gateway
from portal import demo_ai
from subscriptions.actions import create_application, request_access
from subscriptions.models import Application
from teams.actions import (
    accept_invitation,
    change_platform_roles,
    create_team,
    create_token,
    invite_member,
    sign_up,
)
from teams.models import SYSTEM, PlatformRole, Scope, Team, TeamRole, User
from teams.queries import actor_of_user

SPECS = Path(settings.BASE_DIR) / "embedded" / "specs"
TOKENS_LAST = timedelta(days=30)
AUTOMATIC, MANUAL = PlanRevision.Approval.AUTOMATIC, PlanRevision.Approval.MANUAL


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the demo; `part` says what they show."""

    email: str
    name: str
    part: str
    platform_roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seeded:
    """What is shown once: REST tokens of alice and dana for `examples/golden_path.py`, and the key with which dana's
    application calls the prompt."""

    tokens: Mapping[str, str]
    key: str


PEOPLE = (
    Person("alice@example.test", "Alice", "owns the team Shop and publishes its APIs"),
    Person("bob@example.test", "Bob", "is a developer of Shop"),
    Person("charlie@example.test", "Charlie", "belongs to neither team"),
    Person("dana@example.test", "Dana", "owns the team Logistics and calls APIs"),
    Person("erin@example.test", "Erin", "approves requests for the platform", (PlatformRole.APPROVER,)),
    Person("frank@example.test", "Frank", "audits the platform", (PlatformRole.AUDITOR,)),
    Person("ada@example.test", "Ada", "administers the platform", (PlatformRole.ADMINISTRATOR,)),
)


def seed(password: str, upstreams: Mapping[str, str], models: Mapping[str, str]) -> Seeded:
    """Make the demo.

    `upstreams` maps "orders" and "weather" to the addresses of the sample services, `models` "echo" and "toy" to those
    of the models; without "toy" all that is of models does without.
    """
    people = {person.name: _enter(person, password) for person in PEOPLE}
    shop = create_team(actor=actor_of_user(people["Alice"]), name="Shop", description="Sells things.")
    _bring_in(shop, people["Alice"], people["Bob"])
    logistics = create_team(
        actor=actor_of_user(people["Dana"]), name="Logistics", description="Moves things."
    )
    orders = _publish_orders(shop, people["Alice"], upstreams["orders"])
    weather = _publish_weather(shop, people["Alice"], upstreams["weather"])
    triage = demo_ai.seed_prompt(shop, people["Alice"], demo_ai.seed_models(models))
    _offer(triage, people["Alice"], "Support desk", PlanLimits(5, 10, quota_day=2_000, approval=MANUAL))
    _publish(triage, people["Alice"])
    planner = _ask(logistics, people["Dana"], orders, weather)
    key = demo_ai.grant_prompt(planner, people["Dana"], people["Alice"], triage)
    return Seeded({name.lower(): _token(people[name]) for name in ("Alice", "Dana")}, key)


def _token(user: User) -> str:
    expires = timezone.now() + TOKENS_LAST
    return create_token(
        actor=actor_of_user(user), name="Golden path", scopes=list(Scope), expires_at=expires
    )[1]


def _enter(person: Person, password: str) -> User:
    """Sign somebody up, with a confirmed address."""
    user = User.objects.create_user(person.email, password, name=person.name)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    sign_up(user)
    if person.platform_roles:
        change_platform_roles(user, actor=SYSTEM, roles=person.platform_roles)
    user.refresh_from_db()
    return user


def _bring_in(team: Team, owner: User, user: User) -> None:
    invitation = invite_member(team, actor=actor_of_user(owner), email=user.email, role=TeamRole.DEVELOPER)
    accept_invitation(invitation, actor=actor_of_user(user))


def _publish_orders(shop: Team, alice: User, url: str) -> ApiVersion:
    """An API within the company, with a plan that grants by itself in the sandbox and one that is decided."""
    version = _begin(shop, alice, "orders", url, Visibility.INTERNAL, ["shop", "orders"])
    _offer(version, alice, "Trial", PlanLimits(5, 10, quota_day=1_000, approval=AUTOMATIC), ["sandbox"])
    _offer(
        version, alice, "Bronze", PlanLimits(10, 20, quota_day=10_000, quota_month=200_000, approval=MANUAL)
    )
    gold = PlanLimits(200, 400, quota_month=2_000_000, approval=MANUAL, price_nano=84_000_000_000)
    _offer(version, alice, "Gold", gold)
    _publish(version, alice)
    return version


def _publish_weather(shop: Team, alice: User, url: str) -> ApiVersion:
    """An API for everybody, with a plan that grants by itself."""
    version = _begin(shop, alice, "weather", url, Visibility.PUBLIC, ["weather"])
    _offer(version, alice, "Free", PlanLimits(60, 20, 60, quota_day=5_000, approval=AUTOMATIC))
    _publish(version, alice)
    return version


def _begin(team: Team, owner: User, name: str, url: str, visibility: str, tags: list[str]) -> ApiVersion:
    actor = actor_of_user(owner)
    document = (SPECS / f"{name}.yaml").read_bytes()
    version = begin_api(actor=actor, team=team, slug=name, document=document, filename=f"{name}.yaml")
    change_api(version.api, actor=actor, visibility=visibility, tags=tags, support_contact=owner.email)
    bindings = [
        BindingValues(place, [{"url": url, "weight": 100}], "/healthz") for place in Environment.objects.all()
    ]
    give_upstream(version, actor=actor, name=f"{name}-backend", bindings=bindings)
    return version


def _offer(
    version: ApiVersion, owner: User, name: str, limits: PlanLimits, environments: list[str] | None = None
) -> Plan:
    actor = actor_of_user(owner)
    places = Environment.objects.filter(slug__in=environments or [])
    plan = create_plan(version.api, actor=actor, name=name, limits=limits, environments=places)
    return publish_plan(plan, actor=actor)


def _publish(version: ApiVersion, owner: User) -> None:
    """On every gateway, in every environment that it serves."""
    places = [
        PlaceToPublish(gateway, listener.environment)
        for gateway in Gateway.objects.for_publishers()
        for listener in gateway.listeners.select_related("environment")
    ]
    publish_to(version, places, actor=actor_of_user(owner), note="First publication")


def _ask(team: Team, dana: User, orders: ApiVersion, weather: ApiVersion) -> Application:
    """Dana's application may call the weather; whether it may call the orders is for somebody to decide."""
    actor, production = actor_of_user(dana), Environment.objects.get(slug="production")
    planner = create_application(team, "Route planner", actor=actor, description="Plans delivery tours.")
    free = weather.api.plans.get(name="Free")
    request_access(planner, weather, production, free, actor=actor, reason="Rain slows our tours down.")
    reason = "We re-plan delivery tours every 15 minutes and need order status for about 400 open orders each time."
    gold = orders.api.plans.get(name="Gold")
    request_access(planner, orders, production, gold, actor=actor, reason=reason)
    return planner
