"""A portal of real processes with one gateway, and a catalogue of any size on it.

PostgreSQL (which syncs to disk here), Redis, web and a worker run as in production, the agent and its gateway beside
them; this process speaks to the same database and broker, so that an action called here is the action of a page.
The catalogue is written in bulk: the rows that the actions leave behind, without the audit trail of how they came.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import django

django.setup()

from django.db import models
from django.utils import timezone

from apis.models import Api, ApiVersion, Plan, PlanRevision, Revision, Upstream, UpstreamBinding
from embedded.keyring import Keyring
from embedded.layout import Layout, make_directories, make_private
from embedded.postgres import make_postgres
from embedded.redis_server import Redis
from gateways.actions import mark_behind, ring
from gateways.actions.sweep import differs
from gateways.models import BasePathClaim, Deployment, Gateway, GatewayListener, GatewayNode, Publication
from subscriptions.keys import key_digest, make_key, seal_key, value_digest
from subscriptions.models import Application, Credential, Subscription
from teams.models import Actor, Team, TeamRole, User
from teams.queries import actor_of_user
from tests import factories
from tests.faults.parts import Portal, spoken_to
from tests.gateways.gateway_node import TOKEN, RunningNode, echo_upstream

PUSH_S = 300.0
_BATCH = 2_000
_numbers = itertools.count(1)


@dataclass
class Stage:
    """One gateway, the two teams, and what was published and subscribed so far."""

    portal: Portal
    gateway: Gateway
    node: RunningNode | None
    upstream_url: str
    shop: Team
    logistics: Team
    owner: User
    caller: User
    publications: list[Publication] = field(default_factory=list)
    terms: list[PlanRevision] = field(default_factory=list)
    keys: int = 0

    @property
    def approver(self) -> Actor:
        return actor_of_user(self.owner)

    @property
    def holder(self) -> Actor:
        return actor_of_user(self.caller)

    def grow(self, *, apis: int, keys: int) -> None:
        """Have so many APIs published and so many keys subscribed, ten subscriptions to each application."""
        self._publish(apis - len(self.publications))
        self._subscribe(keys - self.keys)
        self.keys = max(keys, self.keys)

    def settle(self) -> None:
        """Have the worker push all that is desired, and wait until it is proven."""
        ring(mark_behind([self.gateway.pk]))
        wait_until(
            self.is_in_step, lambda: f"{self.gateway} is in step: {self.last_words}", PUSH_S, poll_s=0.25
        )

    def is_in_step(self) -> bool:
        """Whether everything that is desired is proven, and no run is under way."""
        row = Gateway.objects.get(pk=self.gateway.pk)
        return row.behind_since is None and row.lease_until is None and not differs(row)

    def is_at_rest(self) -> bool:
        """Whether no run is due or under way."""
        return Gateway.objects.filter(pk=self.gateway.pk, behind_since=None, lease_until=None).exists()

    @property
    def last_words(self) -> str:
        last = Deployment.objects.filter(gateway=self.gateway).order_by("-id").first()
        return f"{last.state} {last.message}" if last else "no push yet"

    # ---- rows as the actions leave them ----

    def _publish(self, count: int) -> None:
        production, now = factories.make_environment(), timezone.now()
        spec = factories.make_spec(self.shop)
        names = [f"orders-{next(_numbers)}" for _ in range(count)]
        apis = _write(
            Api(
                team=self.shop,
                slug=name,
                name=name.capitalize(),
                visibility="internal",
                first_published_at=now,
            )
            for name in names
        )
        upstreams = _write(Upstream(team=self.shop, name=name) for name in names)
        _write(
            UpstreamBinding(upstream=upstream, environment=production, targets=self._targets)
            for upstream in upstreams
        )
        versions = _write(
            ApiVersion(api=api, major=1, state=ApiVersion.State.PUBLISHED, spec=spec, upstream=upstream)
            for api, upstream in zip(apis, upstreams, strict=True)
        )
        revisions = _write(
            Revision(
                api_version=version, number=1, spec=spec, upstream=version.upstream, frozen_by=self.owner.name
            )
            for version in versions
        )
        plans = _write(
            Plan(api=api, slug="bronze", name="Bronze", state=Plan.State.PUBLISHED) for api in apis
        )
        self.terms += _write(
            PlanRevision(plan=plan, rate_calls=1_000, burst=1_000, published_at=now) for plan in plans
        )
        claims = _write(
            BasePathClaim(
                gateway=self.gateway, path=f"/{self.shop.slug}/{api.slug}/v1", team=self.shop, api=api
            )
            for api in apis
        )
        self.publications += _write(
            Publication(
                api_version=r.api_version,
                gateway=self.gateway,
                environment=production,
                claim=claim,
                revision=r,
            )
            for r, claim in zip(revisions, claims, strict=True)
        )

    @property
    def _targets(self) -> list[dict[str, object]]:
        return [{"url": self.upstream_url, "weight": 100}]

    def _subscribe(self, count: int) -> None:
        first = self.keys
        named = [f"tours-{next(_numbers)}" for _ in range((count + 9) // 10)]
        applications = _write(Application(team=self.logistics, slug=n, name=n.capitalize()) for n in named)
        production = factories.make_environment()
        subscriptions = _write(
            Subscription(
                application=applications[number // 10],
                api_version=self.publications[(first + number) % len(self.publications)].api_version,
                environment=production,
                plan_revision=self.terms[(first + number) % len(self.terms)],
            )
            for number in range(count)
        )
        _write(map(_credential, subscriptions))


def _credential(subscription: Subscription) -> Credential:
    made = make_key("p")
    credential = Credential(
        subscription=subscription, key_id=made.key_id, prefix=made.prefix, issued_by="bench"
    )
    credential.digest, credential.digest_key = key_digest(made.value)
    credential.sealed = seal_key(made.value, credential.public_id)
    credential.value_digest = value_digest(made.value)
    return credential


def _write[M: models.Model](rows: Iterable[M]) -> list[M]:
    made = list(rows)
    return type(made[0])._default_manager.bulk_create(made, batch_size=_BATCH) if made else []


@contextlib.contextmanager
def stage(kind: str, *, worker: bool = True) -> Iterator[Stage]:
    """All parts, running, with an empty gateway of `kind`. Without a `worker` nobody hears the bells."""
    for name in ("httpx", "django_structlog"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as directory, echo_upstream() as upstream:
        portal = _make_portal(Path(directory) / "var")
        try:
            portal.start()
            if not worker:
                portal.worker.stop()
            with spoken_to(portal):
                yield from _with_gateway(portal, kind, Path(directory), upstream)
        finally:
            portal.stop()


def _make_portal(state: Path) -> Portal:
    """As that of the fault tests, but with a PostgreSQL that syncs to disk."""
    state.parent.chmod(0o711)
    layout = Layout(state)
    make_directories(layout)
    make_private(layout.sockets, mode=0o711)
    server = make_postgres(layout, Keyring(layout.secrets, os.environ))
    return Portal(layout, server, Redis(layout))


def _with_gateway(portal: Portal, kind: str, directory: Path, upstream: str) -> Iterator[Stage]:
    gateway = factories.make_gateway("edge", kind, token=TOKEN)
    gateway.options = {"listen": "127.0.0.1"}
    gateway.save()
    shop, logistics = factories.make_team("Shop"), factories.make_team("Logistics")
    owner, caller = (factories.make_user(f"{name}@example.test", name=name) for name in ("Alice", "Dana"))
    factories.join(shop, owner, TeamRole.OWNER)
    factories.join(logistics, caller, TeamRole.OWNER)
    node = None if kind == "memory" else RunningNode(directory / "agent", kind, portal_url=portal.url)
    if node is not None:
        _listen_at(gateway, node)
        node.start()
        wait_until(
            lambda: GatewayNode.objects.filter(gateway=gateway).exists(),
            lambda: f"the agent has reported; {node.log()[-2_000:]}",
        )
    try:
        yield Stage(portal, gateway, node, upstream, shop, logistics, owner, caller)
    finally:
        if node is not None:
            node.stop()


def _listen_at(gateway: Gateway, node: RunningNode) -> None:
    ports = {"production": node.production_port, "sandbox": node.sandbox_port}
    for listener in GatewayListener.objects.filter(gateway=gateway).select_related("environment"):
        listener.port = ports[listener.environment.slug]
        listener.public_url = f"http://127.0.0.1:{listener.port}"
        listener.save()


def wait_until(
    question: Callable[[], object], what: Callable[[], str], seconds: float = 60, poll_s: float = 0.02
) -> None:
    """Ask until the answer is true. Raises AssertionError with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what()}"
        time.sleep(poll_s)
