"""Sequences of decisions against a model: after each, every key ever issued on every route is answered as it should be.

The model is this file's own reading of the rules, in a few lines; the portal, the engine and the gateway are real.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db.models import QuerySet
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from apis.models import Api, ApiVersion, Plan, Revision
from gateways.actions import mark_behind, publish, reconcile, roll_back, withdraw
from gateways.connections import counted_nodes, driver_for
from gateways.drivers.memory import MemoryDriver, forget_gateways
from gateways.enforcement import objects_of, of_credentials
from gateways.engine.document import Route
from gateways.models import Gateway, GatewayListener, GatewayNode, Publication
from subscriptions.actions import (
    abort_rotation,
    approve_request,
    close_subscription,
    end_rotations,
    extend_rotation,
    finish_rotation,
    issue_credential,
    reject_request,
    request_access,
    resume_subscription,
    revoke_credential,
    start_rotation,
    suspend_subscription,
    withdraw_request,
)
from subscriptions.models import AccessRequest, Credential, Rotation, Subscription
from teams.models import Actor, Team, TeamRole
from teams.queries import actor_of_user
from tests import factories
from tests.faults.prober import UNREACHED, Caller
from tests.gateways.gateway_node import TOKEN, RunningNode, echo_upstream, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

APIS, APPLICATIONS = 2, 2
MOST_KEYS = 3
FORMER_KEYS = 4
"""So many keys of earlier sequences, others each time, are tried after each decision; all of them in the end."""
OVERLAP = timedelta(days=1)
_numbers = itertools.count(1)


# ---- the gateways ----


@dataclass
class UnderTest:
    """A gateway as the machine sees it: its row, how a call is answered, where its routes lead."""

    gateway: Gateway
    call: Callable[[str, str], int]
    upstream_url: str
    former: list[tuple[str, str]] = field(default_factory=list)
    """Every key of the sequences that are over, with the path that it was for. None of them opens anything."""
    tried: int = 0

    def some_former(self) -> list[str]:
        """The next few of them, until all have had their turn."""
        if not self.former:
            return []
        self.tried += FORMER_KEYS
        return [self.former[(self.tried + number) % len(self.former)][0] for number in range(FORMER_KEYS)]


@contextmanager
def memory(_state: Path, _portal: str) -> Iterator[UnderTest]:
    forget_gateways()
    gateway = factories.make_gateway("edge")

    driver = driver_for(gateway)
    assert isinstance(driver, MemoryDriver)

    def call(path: str, key: str) -> int:
        return driver.decide(path, key, environment="production").status

    yield UnderTest(gateway, call, "http://127.0.0.1:9201")
    forget_gateways()


@contextmanager
def running(kind: Gateway.Kind, state: Path, portal: str) -> Iterator[UnderTest]:
    """One node, which serves all sequences."""
    node = RunningNode(state / "agent", kind, portal_url=portal)
    gateway = factories.make_gateway("edge", kind, token=TOKEN)
    gateway.options = {"listen": "127.0.0.1"}
    gateway.save()
    for listener in GatewayListener.objects.select_related("environment"):
        sandbox = listener.environment.slug == "sandbox"
        listener.port = node.sandbox_port if sandbox else node.production_port
        listener.save()
    with ExitStack() as stack:
        upstream_url = stack.enter_context(echo_upstream())
        node.start()
        stack.callback(node.stop)
        wait_for(GatewayNode.objects.filter(gateway=gateway).exists)
        caller = Caller()
        stack.callback(caller.close)

        def call(path: str, key: str) -> int:
            status = caller.call(key, path, [f"127.0.0.1:{node.production_port}"]).status
            return 404 if status == UNREACHED else status  # nothing is published, so nobody listens

        yield UnderTest(gateway, call, upstream_url)


envoy = partial(running, Gateway.Kind.ENVOY)
nginx = partial(running, Gateway.Kind.NGINX)

GATEWAYS = [
    pytest.param(memory, id="memory"),
    pytest.param(envoy, id="envoy", marks=pytest.mark.envoy),
    pytest.param(nginx, id="nginx"),
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
class ModelRotation:
    """A rotation that runs: both keys work."""

    row: Rotation
    old: ModelKey
    new: ModelKey


@dataclass
class ModelAccess:
    """What one application has to do with one API: a request that waits, or a subscription and all keys ever."""

    request: AccessRequest | None = None
    subscription: Subscription | None = None
    suspended: bool = False
    keys: list[ModelKey] = field(default_factory=list)
    rotations: list[ModelRotation] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        return self.subscription is not None and not self.suspended

    @property
    def usable(self) -> list[ModelKey]:
        return [key for key in self.keys if not key.revoked] if self.subscription else []

    @property
    def has_room(self) -> bool:
        return self.is_active and len(self.usable) < MOST_KEYS

    @property
    def rotatable(self) -> list[ModelKey]:
        """Keys that another may be made for: usable, and in no rotation."""
        taken = [key for rotation in self.rotations for key in (rotation.old, rotation.new)]
        return [key for key in self.usable if key not in taken] if self.has_room else []

    def end(self, key: ModelKey) -> None:
        """It opens nothing any more. A rotation that loses one of its keys is over, and the other one stays."""
        key.revoked = True
        self.rotations = [one for one in self.rotations if key not in (one.old, one.new)]


@dataclass
class ModelApi:
    row: Api
    version: ApiVersion
    plan: Plan
    revision: str = ""
    """What is served; empty while nothing is."""
    revisions: list[Revision] = field(default_factory=list)

    @property
    def others(self) -> list[Revision]:
        """What it may be rolled back to."""
        return [one for one in self.revisions if self.revision and one.public_id != self.revision]

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
        self.issued: list[tuple[str, str]] = []
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

    @precondition(lambda self: self._where(lambda a: a.has_room))
    @rule(data=st.data())
    def issue(self, data: st.DataObject) -> None:
        self._issue(self._some(data, lambda a: a.has_room))

    @precondition(lambda self: self._where(lambda a: a.usable))
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        access = self._some(data, lambda a: a.usable)
        key = data.draw(st.sampled_from(access.usable))
        revoke_credential(key.row, actor=self.caller)
        access.end(key)

    @precondition(lambda self: self._where(lambda a: a.subscription))
    @rule(data=st.data(), by_owner=st.booleans())
    def close(self, data: st.DataObject, by_owner: bool) -> None:
        access = self._some(data, lambda a: a.subscription)
        actor = self.owner if by_owner else self.caller
        close_subscription(access.subscription, actor=actor, reason="Over.")
        for key in access.usable:
            access.end(key)
        access.subscription, access.suspended = None, False

    def _issue(self, access: ModelAccess) -> None:
        self._take(access, *issue_credential(access.subscription, actor=self.caller, name="k"))

    def _take(self, access: ModelAccess, row: Credential, value: str) -> ModelKey:
        access.keys.append(ModelKey(row, value))
        number = next(api for (_application, api), found in self.accesses.items() if found is access)
        self.issued.append((value, self.apis[number].path))
        return access.keys[-1]

    # ---- rotation ----

    @precondition(lambda self: self._where(lambda a: a.rotatable))
    @rule(data=st.data(), overlap=st.sampled_from([OVERLAP, timedelta(0)]))
    def start_rotation(self, data: st.DataObject, overlap: timedelta) -> None:
        access = self._some(data, lambda a: a.rotatable)
        old = data.draw(st.sampled_from(access.rotatable))
        row, value = start_rotation(old.row, actor=self.caller, overlap=overlap)
        new = self._take(access, row.new, value)
        if overlap:
            access.rotations.append(ModelRotation(row, old, new))
        else:
            access.end(old)

    @precondition(lambda self: self._where(lambda a: a.rotations))
    @rule(data=st.data(), finished=st.booleans())
    def end_rotation_early(self, data: st.DataObject, finished: bool) -> None:
        """Said twice it is done once."""
        access, rotation = self._some_rotation(data)
        end = finish_rotation if finished else abort_rotation
        for _ in range(2):
            end(rotation.row, actor=self.caller)
        access.end(rotation.old if finished else rotation.new)

    @precondition(lambda self: self._where(lambda a: a.rotations))
    @rule(data=st.data())
    def extend_rotation(self, data: st.DataObject) -> None:
        _access, rotation = self._some_rotation(data)
        later = rotation.row.ends_at + timedelta(hours=1)
        rotation.row = extend_rotation(rotation.row, actor=self.caller, ends_at=later)

    @precondition(lambda self: self._where(lambda a: a.rotations))
    @rule(data=st.data())
    def let_overlap_end(self, data: st.DataObject) -> None:
        """The clock passes the end of one rotation; others that end by then end with it."""
        _access, rotation = self._some_rotation(data)
        now = rotation.row.ends_at
        end_rotations(now=now)
        for access in self.accesses.values():
            for over in [one for one in access.rotations if one.row.ends_at <= now]:
                access.end(over.old)

    def _some_rotation(self, data: st.DataObject) -> tuple[ModelAccess, ModelRotation]:
        access = self._some(data, lambda a: a.rotations)
        return access, data.draw(st.sampled_from(access.rotations))

    # ---- publishing ----

    @rule(number=st.integers(0, APIS - 1))
    def publish_again(self, number: int) -> None:
        self._publish(self.apis[number])

    def _publish(self, api: ModelApi) -> None:
        policies = {"cors_origins": [f"https://n{next(_numbers)}.example.test"]}
        gateway = Gateway.objects.get(pk=self.under_test.gateway.pk)
        made = publish(api.version, gateway, self.environment, actor=self.owner, policies=policies)
        if made.revision not in api.revisions:
            api.revisions.append(made.revision)
        api.revision = made.revision.public_id

    @precondition(lambda self: any(api.others for api in self.apis))
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        api = data.draw(st.sampled_from([api for api in self.apis if api.others]))
        revision = data.draw(st.sampled_from(api.others))
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
            for former in self.under_test.some_former():
                expected[former, api.path] = expected["", api.path]
                answered[former, api.path] = self.under_test.call(f"{api.path}/orders", former)
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
        published = Publication.objects.filter(api_version__in=[api.version for api in self.apis])
        names = dict(published.values_list("api_version", "public_id"))
        wanted = {names[api.version.pk]: api.revision for api in self.apis if api.revision}
        assert served == wanted

    def _keys_at(self, route: ModelApi) -> Iterator[tuple[ModelKey, int]]:
        for (_application, number), access in self.accesses.items():
            own = self.apis[number]
            for key in access.keys:
                works = access.is_active and not key.revoked and own.revision
                right = (200 if own is route else 403) if works else 401
                yield key, right if route.revision else 404

    def _page_says_so(self) -> None:
        right: dict[int, set[str]] = {}
        for (_application, number), access in self.accesses.items():
            for key in access.keys:
                works = access.is_active and not key.revoked and self.apis[number].revision
                right[key.row.pk] = {"live"} if works else {"removed"}
        pages = of_credentials(objects_of("credential", self.caller).filter(pk__in=right))
        said = {pk: {str(segment.state) for segment in page.segments} for pk, page in pages.items()}
        # A key that ended before it was ever on the gateway is not said to be removed from it.
        assert {pk: states or right[pk] - {"live"} for pk, states in said.items()} == right

    def teardown(self) -> None:
        """The next sequence finds an empty gateway, on which no key of any sequence opens anything."""
        if not hasattr(self, "accesses"):
            return
        for access in self.accesses.values():
            if access.subscription:
                close_subscription(access.subscription, actor=self.caller, reason="Over.")
        for api in self.apis:
            if api.revision:
                withdraw(api.publications.get(), actor=self.owner, reason="Over.")
                api.revision = ""
        self._push()
        self.under_test.former += self.issued


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
        assert len(under_test.former) >= sequences
        no_key_opens_anything(under_test)


def no_key_opens_anything(under_test: UnderTest) -> None:
    """Neither its own route, which is gone, nor one that is published now."""
    former = under_test.former
    assert {under_test.call(f"{path}/orders", key) for key, path in former} == {404}
    api = factories.make_api(factories.make_team("Last"), "Orders")
    publication = factories.make_publication(
        factories.make_version(api, url=under_test.upstream_url), under_test.gateway
    )
    mark_behind([under_test.gateway.pk])
    reconcile(under_test.gateway, whether_due=True)
    path = f"{publication.claim.path}/orders"
    assert {under_test.call(path, key) for key, _path in former} == {401}


@pytest.mark.parametrize("make", GATEWAYS)
def test_sequences_of_decisions(make: Any, tmp_path: Path, live_server: Any) -> None:
    run(make, tmp_path, live_server.url, sequences=3, steps=8)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("make", "sequences"),
    [
        pytest.param(memory, 1_200, id="memory"),
        pytest.param(envoy, 400, id="envoy", marks=pytest.mark.envoy),
        pytest.param(nginx, 400, id="nginx"),
    ],
)
def test_two_thousand_sequences(make: Any, sequences: int, tmp_path: Path, live_server: Any) -> None:
    run(make, tmp_path, live_server.url, sequences=sequences, steps=10)
