"""Sequences of decisions against a model: after each, every key ever issued on every route is answered as it should be.

The model is this file's own reading of the rules, in a few lines; the portal, the engine and the gateway are real.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db.models import QuerySet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from apis.models import Api, ApiVersion, Plan
from gateways.actions import mark_behind, publish, reconcile, roll_back, withdraw
from gateways.connections import counted_nodes, driver_for
from gateways.drivers.memory import MemoryDriver, forget_gateways
from gateways.enforcement import enforcement_of, objects_of
from gateways.engine.document import Route
from gateways.models import Gateway, GatewayListener, GatewayNode, Publication
from subscriptions.actions import (
    approve_request,
    close_subscription,
    issue_credential,
    reject_request,
    request_access,
    resume_subscription,
    revoke_credential,
    suspend_subscription,
    withdraw_request,
)
from subscriptions.models import AccessRequest, Credential, Subscription
from teams.models import Actor, Team, TeamRole
from teams.queries import actor_of_user
from tests import factories
from tests.gateways.gateway_node import TOKEN, RunningNode, echo_upstream, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("faults")]

APIS, APPLICATIONS = 2, 2
MOST_KEYS = 3
_numbers = itertools.count(1)


# ---- the gateways ----


@dataclass
class UnderTest:
    """A gateway as the machine sees it: its row, how a call is answered, where its routes lead."""

    gateway: Gateway
    call: Callable[[str, str], int]
    upstream_url: str
    everything: list[tuple[str, str]] = field(default_factory=list)
    """Every key that was ever issued, of all sequences, with the path that it was for."""


@contextmanager
def memory(_state: Path, _portal: str) -> Iterator[UnderTest]:
    forget_gateways()
    gateway = factories.make_gateway("edge")

    def call(path: str, key: str) -> int:
        driver = driver_for(gateway)
        assert isinstance(driver, MemoryDriver)
        return driver.decide(path, key, environment="production").status

    yield UnderTest(gateway, call, "http://127.0.0.1:9201")
    forget_gateways()


@contextmanager
def envoy(state: Path, portal: str) -> Iterator[UnderTest]:
    node = RunningNode(state / "agent", portal_url=portal)
    gateway = factories.make_gateway("edge", Gateway.Kind.ENVOY, token=TOKEN)
    gateway.options = {"listen": "127.0.0.1"}
    gateway.save()
    for listener in GatewayListener.objects.select_related("environment"):
        sandbox = listener.environment.slug == "sandbox"
        listener.port = node.sandbox_port if sandbox else node.production_port
        listener.save()
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=20))
        upstream_url = stack.enter_context(echo_upstream())
        node.start()
        stack.callback(node.stop)
        wait_for(GatewayNode.objects.filter(gateway=gateway).exists)

        def call(path: str, key: str) -> int:
            headers = {"x-api-key": key} if key else {}
            try:
                return client.get(
                    f"http://127.0.0.1:{node.production_port}{path}", headers=headers
                ).status_code
            except httpx.ConnectError:
                return 404  # nothing is published, so nobody listens

        yield UnderTest(gateway, call, upstream_url)


GATEWAYS = [
    pytest.param(memory, id="memory"),
    pytest.param(envoy, id="envoy", marks=pytest.mark.envoy),
]


@dataclass(frozen=True)
class People:
    """Who decides, on both sides."""

    shop: Team
    logistics: Team
    owner: Actor
    caller: Actor


def make_people() -> People:
    shop, logistics = factories.make_team("Shop"), factories.make_team("Logistics")
    alice, dana = factories.make_user(), factories.make_user()
    factories.join(shop, alice, TeamRole.OWNER)
    factories.join(logistics, dana, TeamRole.OWNER)
    return People(shop, logistics, actor_of_user(alice), actor_of_user(dana))


# ---- the model ----


@dataclass
class ModelKey:
    row: Credential
    value: str
    revoked: bool = False


@dataclass
class ModelAccess:
    """What one application has to do with one API: a request that waits, or a subscription and all keys ever."""

    request: AccessRequest | None = None
    subscription: Subscription | None = None
    suspended: bool = False
    keys: list[ModelKey] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        return self.subscription is not None and not self.suspended

    @property
    def usable(self) -> list[ModelKey]:
        return [key for key in self.keys if not key.revoked] if self.subscription else []


@dataclass
class ModelApi:
    row: Api
    version: ApiVersion
    plan: Plan
    revision: str = ""
    """What is served; empty while nothing is."""

    @property
    def path(self) -> str:
        return f"/{self.row.team.slug}/{self.row.slug}/v1"

    @property
    def publications(self) -> QuerySet[Publication]:
        return Publication.objects.filter(api_version=self.version)


class Decisions(RuleBasedStateMachine):
    """Every rule is one decision that is legal now; then the gateway is brought up to date and called."""

    under_test: UnderTest
    people: People

    @initialize()
    def begin(self) -> None:
        """Two APIs are published, and the first application has a key of the first."""
        self.owner, self.caller = self.people.owner, self.people.caller
        self.environment = factories.make_environment()
        logistics = self.people.logistics
        self.applications = [factories.make_application(logistics) for _ in range(APPLICATIONS)]
        self.apis = [self._make_api() for _ in range(APIS)]
        pairs = itertools.product(range(APPLICATIONS), range(APIS))
        self.accesses = {pair: ModelAccess() for pair in pairs}
        for api in self.apis:
            self._publish(api)
        self._request((0, 0))
        self._approve(self.accesses[0, 0])

    def _make_api(self) -> ModelApi:
        api = factories.make_api(self.people.shop, f"Orders {next(_numbers)}")
        terms = factories.make_plan(api, rate_calls=1_000_000, burst=1_000_000)
        return ModelApi(api, factories.make_version(api, url=self.under_test.upstream_url), terms.plan)

    # ---- asking and deciding ----

    def _some(self, data: st.DataObject, holds: Callable[[ModelAccess], object]) -> ModelAccess:
        return self.accesses[data.draw(st.sampled_from(self._where(holds)))]

    def _where(self, holds: Callable[[ModelAccess], object]) -> list[tuple[int, int]]:
        return [pair for pair, access in self.accesses.items() if holds(access)]

    @precondition(lambda self: self._where(lambda a: not a.request and not a.subscription))
    @rule(data=st.data())
    def request(self, data: st.DataObject) -> None:
        self._request(data.draw(st.sampled_from(self._where(lambda a: not a.request and not a.subscription))))

    def _request(self, pair: tuple[int, int]) -> None:
        application, api = self.applications[pair[0]], self.apis[pair[1]]
        self.accesses[pair].request = request_access(
            application, api.version, self.environment, api.plan, actor=self.caller, reason="Tours."
        )

    @precondition(lambda self: self._where(lambda a: a.request))
    @rule(data=st.data())
    def approve(self, data: st.DataObject) -> None:
        self._approve(self._some(data, lambda a: a.request))

    def _approve(self, access: ModelAccess) -> None:
        access.subscription, access.suspended = approve_request(access.request, actor=self.owner), False
        access.request = None
        self._issue(access)

    @precondition(lambda self: self._where(lambda a: a.request))
    @rule(data=st.data(), by_owner=st.booleans())
    def turn_down(self, data: st.DataObject, by_owner: bool) -> None:
        access = self._some(data, lambda a: a.request)
        if by_owner:
            reject_request(access.request, actor=self.owner, note="No.")
        else:
            withdraw_request(access.request, actor=self.caller)
        access.request = None

    # ---- subscriptions and keys ----

    @precondition(lambda self: self._where(lambda a: a.is_active))
    @rule(data=st.data())
    def suspend(self, data: st.DataObject) -> None:
        access = self._some(data, lambda a: a.is_active)
        suspend_subscription(access.subscription, actor=self.owner, reason="Hold.")
        access.suspended = True

    @precondition(lambda self: self._where(lambda a: a.suspended))
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        access = self._some(data, lambda a: a.suspended)
        resume_subscription(access.subscription, actor=self.owner)
        access.suspended = False

    @precondition(lambda self: self._where(lambda a: a.is_active and len(a.usable) < MOST_KEYS))
    @rule(data=st.data())
    def issue(self, data: st.DataObject) -> None:
        self._issue(self._some(data, lambda a: a.is_active and len(a.usable) < MOST_KEYS))

    @precondition(lambda self: self._where(lambda a: a.usable))
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        self._revoke(self._some(data, lambda a: a.usable))

    @precondition(lambda self: self._where(lambda a: a.is_active and 0 < len(a.usable) < MOST_KEYS))
    @rule(data=st.data())
    def rotate(self, data: st.DataObject) -> None:
        """A new key in the place of the oldest, in one push."""
        access = self._some(data, lambda a: a.is_active and 0 < len(a.usable) < MOST_KEYS)
        self._issue(access)
        self._revoke(access)

    @precondition(lambda self: self._where(lambda a: a.subscription))
    @rule(data=st.data(), by_owner=st.booleans())
    def close(self, data: st.DataObject, by_owner: bool) -> None:
        access = self._some(data, lambda a: a.subscription)
        actor = self.owner if by_owner else self.caller
        close_subscription(access.subscription, actor=actor, reason="Over.")
        access.subscription, access.suspended = None, False
        for key in access.keys:
            key.revoked = True

    def _issue(self, access: ModelAccess) -> None:
        row, value = issue_credential(access.subscription, actor=self.caller, name="k")
        access.keys.append(ModelKey(row, value))
        number = next(api for (_application, api), found in self.accesses.items() if found is access)
        self.under_test.everything.append((value, self.apis[number].path))

    def _revoke(self, access: ModelAccess) -> None:
        key = access.usable[0]
        revoke_credential(key.row, actor=self.caller)
        key.revoked = True

    # ---- publishing ----

    @rule(number=st.integers(0, APIS - 1))
    def publish_again(self, number: int) -> None:
        self._publish(self.apis[number])

    def _publish(self, api: ModelApi) -> None:
        policies = {"cors_origins": [f"https://n{next(_numbers)}.example.test"]}
        gateway = Gateway.objects.get(pk=self.under_test.gateway.pk)
        made = publish(api.version, gateway, self.environment, actor=self.owner, policies=policies)
        api.revision = made.revision.public_id

    @precondition(lambda self: any(api.revision and api.version.revisions.count() > 1 for api in self.apis))
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        fit = [api for api in self.apis if api.revision and api.version.revisions.count() > 1]
        api = data.draw(st.sampled_from(fit))
        others = api.version.revisions.exclude(public_id=api.revision).order_by("number")
        revision = data.draw(st.sampled_from(list(others)))
        roll_back(api.publications.get(), revision, actor=self.owner)
        api.revision = revision.public_id

    @precondition(lambda self: any(api.revision for api in self.apis))
    @rule(data=st.data())
    def unpublish(self, data: st.DataObject) -> None:
        api = data.draw(st.sampled_from([api for api in self.apis if api.revision]))
        withdraw(api.publications.get(), actor=self.owner, reason="Moved.")
        api.revision = ""

    # ---- what must hold ----

    @invariant()
    def every_key_on_every_route_is_answered_as_decided(self) -> None:
        if not hasattr(self, "accesses"):
            return
        self._push()
        expected, answered = {}, {}
        for api in self.apis:
            expected["", api.path] = 401 if api.revision else 404
            answered["", api.path] = self.under_test.call(f"{api.path}/orders", "")
            for key, right in self._keys_at(api):
                expected[key.row.key_id, api.path] = right
                answered[key.row.key_id, api.path] = self.under_test.call(f"{api.path}/orders", key.value)
        assert answered == expected
        self._page_says_so()

    def _push(self) -> None:
        mark_behind([self.under_test.gateway.pk])
        reconcile(self.under_test.gateway, whether_due=True)
        row = Gateway.objects.get(pk=self.under_test.gateway.pk)
        assert row.behind_since is None, "one run is enough"
        nodes, _away = counted_nodes(row)
        served = {
            route.id: route.revision for route in driver_for(row, nodes=nodes).observe(None).of_kind(Route)
        }
        wanted = {api.publications.get().public_id: api.revision for api in self.apis if api.revision}
        assert served == wanted

    def _keys_at(self, route: ModelApi) -> Iterator[tuple[ModelKey, int]]:
        for (_application, number), access in self.accesses.items():
            own = self.apis[number]
            for key in access.keys:
                works = access.is_active and not key.revoked and own.revision
                right = (200 if own is route else 403) if works else 401
                yield key, right if route.revision else 404

    def _page_says_so(self) -> None:
        for (_application, number), access in self.accesses.items():
            for key in access.keys:
                row = objects_of("credential", self.caller).get(pk=key.row.pk)
                said = {str(segment.state) for segment in enforcement_of(row).segments}
                if access.is_active and not key.revoked and self.apis[number].revision:
                    assert said == {"live"}
                else:
                    assert said <= {"removed"}

    def teardown(self) -> None:
        """The next sequence finds an empty gateway, on which no key of any sequence opens anything."""
        if not hasattr(self, "accesses"):
            return
        for api in self.apis:
            if api.revision:
                withdraw(api.publications.get(), actor=self.owner, reason="Over.")
                api.revision = ""
        self._push()


def run(make: Any, state: Path, portal: str, *, sequences: int, steps: int) -> None:
    with make(state, portal) as under_test:
        machine = type("Sequences", (Decisions,), {"under_test": under_test, "people": make_people()})
        run_machine(
            machine,
            settings=settings(
                max_examples=sequences,
                stateful_step_count=steps,
                derandomize=True,
                database=None,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
        ever = under_test.everything
        assert len(ever) >= sequences
        assert {under_test.call(f"{path}/orders", key) for key, path in ever} == {404}


@pytest.mark.parametrize("make", GATEWAYS)
def test_sequences_of_decisions(make: Any, tmp_path: Path, live_server: Any) -> None:
    run(make, tmp_path, live_server.url, sequences=3, steps=8)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("make", "sequences"),
    [
        pytest.param(memory, 1_700, id="memory"),
        pytest.param(envoy, 300, id="envoy", marks=pytest.mark.envoy),
    ],
)
def test_two_thousand_sequences(make: Any, sequences: int, tmp_path: Path, live_server: Any) -> None:
    run(make, tmp_path, live_server.url, sequences=sequences, steps=10)
