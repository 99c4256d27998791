"""A gateway of its own for one test: a team that publishes, one that calls, keys, and the prober outside."""

from __future__ import annotations

import itertools
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection
from django.db.models import QuerySet

from gateways.actions import mark_behind, ring, sweep
from gateways.actions.sweep import differs
from gateways.connections import counted_nodes, driver_for
from gateways.desired import desired_objects
from gateways.drivers.agents.known import documents
from gateways.enforcement import enforcement_of, objects_of
from gateways.models import Deployment, EnforcementState, Gateway, GatewayListener, GatewayNode, Publication
from subscriptions.actions import issue_credential, revoke_credential
from subscriptions.models import Credential, Subscription
from teams.models import TeamRole
from teams.queries import actor_of_user
from tests import factories
from tests.faults.kinds import FaultyNode, GatewayKind
from tests.faults.parts import Portal, until
from tests.faults.prober import ALLOWED, FOREIGN, REFUSED, Prober
from tests.gateways.gateway_node import TOKEN

_numbers = itertools.count(1)
State = EnforcementState


@dataclass
class IssuedKey:
    """A key as its holder has it."""

    credential: Credential
    value: str = field(repr=False)

    @property
    def home(self) -> Subscription:
        return self.credential.subscription


class Scene:
    """Two APIs on one gateway. `key` and `revoke` are decisions; what the prober is promised follows the page."""

    def __init__(self, portal: Portal, kind: GatewayKind, state: Path, upstream_url: str) -> None:
        self.portal, self.kind, self.state, self.upstream_url = portal, kind, state, upstream_url
        self.name = f"{next(_numbers)}-{secrets.token_hex(2)}"
        self.prober = Prober()
        self.keys: list[IssuedKey] = []
        self.token = TOKEN + self.name
        self.gateway = factories.make_gateway(f"edge-{self.name}", kind.kind, token=self.token)
        self.gateway.options = {"listen": "127.0.0.1"}
        self.gateway.save()
        self.shop = factories.make_team(f"Shop {self.name}")
        self.logistics = factories.make_team(f"Logistics {self.name}")
        owner = factories.make_user(f"alice-{self.name}@example.test", name="Alice")
        caller = factories.make_user(f"dana-{self.name}@example.test", name="Dana")
        factories.join(self.shop, owner, TeamRole.OWNER)
        factories.join(self.logistics, caller, TeamRole.OWNER)
        self.owner, self.caller = actor_of_user(owner), actor_of_user(caller)
        self.owner_user, self.caller_user = owner, caller
        self.nodes: list[FaultyNode] = []
        self.publications: list[Publication] = []

    # ---- the gateway ----

    @property
    def node(self) -> FaultyNode:
        return self.nodes[0]

    def add_node(self, name: str = "node-1") -> FaultyNode:
        """One more node of the gateway, running and known to the portal."""
        more = {"GATEHOUSE_FAILPOINTS": str(self.portal.orders), "GATEHOUSE_AGENT_TOKEN": self.token}
        node = self.kind.node(self.state / name, portal_url=self.portal.url, name=name, more=more)
        self.nodes.append(node)
        if len(self.nodes) == 1:
            self._listen_at(node)
        node.start()
        until(lambda: self._rows().filter(name=name).exists(), f"{name} has reported")
        return node

    def _listen_at(self, node: FaultyNode) -> None:
        for listener in GatewayListener.objects.filter(gateway=self.gateway).select_related("environment"):
            listener.port = (
                node.production_port if listener.environment.slug == "production" else node.sandbox_port
            )
            listener.public_url = f"http://127.0.0.1:{listener.port}"
            listener.save()

    def bring_back(self, node: FaultyNode, *, empty: bool = False) -> None:
        """Wait for the end of an agent that was killed, and of its gateway; then start it again.

        `empty`: with nothing on its disk.
        """
        assert node.process is not None
        node.process.wait(30)
        until(lambda: not node.admin_answers(), "the killed agent's gateway is gone")
        if empty:
            shutil.rmtree(node.state)
        node.start()

    def _rows(self) -> QuerySet[GatewayNode]:
        return GatewayNode.objects.filter(gateway=self.gateway)

    @property
    def bases(self) -> tuple[str, ...]:
        """Where callers find it."""
        return tuple(f"127.0.0.1:{node.production_port}" for node in self.nodes)

    def fresh(self) -> Gateway:
        """The gateway's row as it is now."""
        return Gateway.objects.get(pk=self.gateway.pk)

    # ---- what is published, and who may call it ----

    def publish(self, count: int = 1) -> list[Publication]:
        """More APIs, live on the gateway."""
        made = self.announce(count)
        self.wait_in_step()
        self.publications += made
        for issued in self.keys:
            self._show(issued)
        return made

    def announce(self, count: int = 1) -> list[Publication]:
        """APIs of which the gateway only hears, and the prober does not."""
        made = []
        for _ in range(count):
            number = next(_numbers)
            api = factories.make_api(self.shop, f"Orders {number}")
            version = factories.make_version(api, url=self.upstream_url)
            factories.make_plan(api, rate_calls=1_000_000, burst=1_000_000)
            made.append(factories.make_publication(version, self.gateway))
        self.ring()
        return made

    def path(self, publication: Publication) -> str:
        return f"{publication.claim.path}/orders"

    def subscribe(self, publication: Publication) -> Subscription:
        """An active subscription to it."""
        terms = publication.api_version.api.plans.get().revisions.get()
        return factories.make_subscription(factories.make_application(self.logistics), terms)

    def key(self, subscription: Subscription) -> IssuedKey:
        """A new key, which the prober knows from now on."""
        credential, value = issue_credential(subscription, actor=self.caller, name="k")
        return self.take(credential, value)

    def take(self, credential: Credential, value: str) -> IssuedKey:
        """Let the prober know a key that was issued elsewhere."""
        issued = IssuedKey(credential, value)
        self.keys.append(issued)
        self._show(issued)
        return issued

    def _show(self, issued: IssuedKey) -> None:
        for publication in self.publications:
            self.prober.know(issued.value, self.path(publication), *self.bases)

    def revoke(self, issued: IssuedKey) -> None:
        """Take a key back; until the page says removed it may still work."""
        self.prober.withdraw_all(issued.value)
        revoke_credential(issued.credential, actor=self.caller, reason="leaked")

    # ---- what the page says ----

    def said(self, issued: IssuedKey) -> list[str]:
        """What the page says of a key, per gateway."""
        credential = objects_of("credential", self.caller).get(pk=issued.credential.pk)
        return [str(segment.state) for segment in enforcement_of(credential).segments]

    def wait_until_live(self, issued: IssuedKey, seconds: float = 60) -> None:
        """Until the page says live; from then on the key opens its own route and no other."""
        until(
            lambda: self.said(issued) == [State.LIVE],
            lambda: f"live, not {self.said(issued)}; {self._why()}",
            seconds,
        )
        self.promise_live(issued)

    def promise_live(self, issued: IssuedKey) -> None:
        for publication in self.publications:
            own = publication.api_version_id == issued.home.api_version_id
            self.prober.promise(issued.value, self.path(publication), ALLOWED if own else FOREIGN)

    def wait_until_removed(self, issued: IssuedKey, seconds: float = 60) -> None:
        """Until the page says removed; from then on the key opens nothing."""
        until(
            lambda: self._is_gone(issued),
            lambda: f"removed, not {self.said(issued)}; {self._why()}",
            seconds,
        )
        for publication in self.publications:
            self.prober.promise(issued.value, self.path(publication), REFUSED)

    def _is_gone(self, issued: IssuedKey) -> bool:
        """Said to be removed; a key that was taken back before any push was never on the gateway."""
        said = self.said(issued)
        return said == [State.REMOVED] or (not said and self.is_in_step())

    # ---- what must hold in the end ----

    def ring(self) -> None:
        """Have the worker look."""
        ring(mark_behind([self.gateway.pk]))

    def pass_time(self) -> None:
        """Let leases and waits of a run that died be over, and sweep, as the clock and beat would do in a minute."""
        Gateway.objects.filter(pk=self.gateway.pk).update(lease_owner="", lease_until=None, retry_at=None)
        sweep()

    def help_on(self) -> None:
        """Until everything is proven, let each wait be over as soon as a run has failed."""
        until(self._is_helped, lambda: f"in step; {self._why()}")

    def _is_helped(self) -> bool:
        row = self.fresh()
        if row.retry_at is not None and row.lease_until is None:
            self.pass_time()
        return self.is_in_step()

    def wait_in_step(self, seconds: float = 60) -> None:
        """Until everything that is desired is proven."""
        until(self.is_in_step, lambda: f"in step; {self._why()}", seconds)

    def is_in_step(self) -> bool:
        row = self.fresh()
        return row.behind_since is None and row.lease_until is None and not differs(row)

    def _why(self) -> str:
        row = self.fresh()
        last = Deployment.objects.filter(gateway=row).order_by("-id").values_list("state", "message")[:3]
        waits = f"behind {row.behind_since}, retry {row.retry_at}, lease {row.lease_until}"
        return f"{waits}, failures {row.failures}, {list(last)}"

    def assert_desired_is_observed(self) -> None:
        """What the gateway holds is what is wanted, byte for byte, and all of it is proven."""
        row = self.fresh()
        nodes, away = counted_nodes(row)
        assert not away
        driver = driver_for(row, nodes=nodes)
        wanted = driver.adapt(desired_objects(row)).document
        documents._documents.clear()
        observed = driver.observe(None)
        assert observed.digest() == wanted.digest()
        assert not differs(row)

    def assert_nothing_was_wrong(self) -> None:
        """After another round of calls the history holds no answer that was not promised."""
        self.prober.whole_round()
        assert self.prober.judged() > 0
        assert self.prober.wrong() == []

    def close(self) -> None:
        self.prober.stop()
        if self.portal.postgres.process is None:
            self.portal.postgres.start()
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.kill()
                node.process.wait()
        connection.close()
        Gateway.objects.filter(pk=self.gateway.pk).update(
            retired_at=self.gateway.created_at, behind_since=None
        )
