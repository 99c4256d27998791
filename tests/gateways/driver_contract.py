"""The suite that every driver passes: a subclass says how to reach a gateway, the tests say what it owes.

A subclass of `DriverContract` gives a `gateway` fixture that returns a `GatewayUnderTest`. Every test publishes
a document of its own with fresh ids, through the same calls as a reconcile: adapt, observe, diff, apply, verify.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import pytest

from gateways.drivers.agents import client
from gateways.drivers.agents.known import DocumentCache
from gateways.engine.changes import ChangeSet
from gateways.engine.diff import diff
from gateways.engine.document import Document, Item, Key, Ref, ref
from gateways.engine.drift import differences
from gateways.engine.driver import Driver, DriverError, Verdict
from tests.gateways import documents as make


@dataclass(frozen=True, slots=True)
class Answer:
    """How a gateway answered a call. `reached` is what the upstream saw; empty when it saw nothing."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    reached: Mapping[str, Any] = field(default_factory=dict)


class GatewayUnderTest(Protocol):
    """One real gateway of the kind under test."""

    upstream_url: str

    def driver(self) -> Driver:
        """A driver as the next reconcile would get it."""

    def unreachable(self) -> Driver:
        """A driver whose gateway does not answer."""

    def refused(self) -> tuple[Driver, Item]:
        """A driver, and an object that its gateway refuses though `adapt` lets it pass."""

    def call(self, path: str, key: str = "", environment: str = "production") -> Answer:
        """Call the gateway as anybody would."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A small catalogue with names of its own: two routes, one plan, one application, a key with access to one."""

    gateway: GatewayUnderTest
    name: str

    @property
    def base(self) -> list[Item]:
        return [
            make.upstream(self.name, self.gateway.upstream_url),
            make.limit(self.name),
            make.consumer(self.name),
            make.route(self.name, at=self.name),
            make.route(f"{self.name}-other", at=self.name),
        ]

    @property
    def path(self) -> str:
        return f"/shop/orders-{self.name}/v1"

    def grant(self, name: str, *routes: str) -> Item:
        return make.grant(f"{self.name}-{name}", *routes, plan=self.name, application=self.name)

    def key(self, name: str, subscription: str = "") -> Key:
        number = f"{self.name}{sum(name.encode()):04d}"
        made = make.key(number, f"{self.name}-{subscription or name}")
        assert isinstance(made, Key)
        return made


def publish(gateway: GatewayUnderTest, *items: Item) -> tuple[ChangeSet, Verdict]:
    """One whole reconcile of one document; everything must be confirmed."""
    driver = gateway.driver()
    changes = planned(driver, Document.of(items))
    driver.apply(changes, quietly)
    verdict = driver.verify(changes)
    assert not verdict.unconfirmed
    assert verdict.confirmed == changes.refs()
    return changes, verdict


def quietly(step: str, sentence: str) -> None:
    """Take progress in without a word."""


def planned(driver: Driver, desired: Document) -> ChangeSet:
    adapted = driver.adapt(desired)
    assert not adapted.notes
    return diff(driver.observe(None), adapted.document)


class DriverContract:
    """What every driver owes."""

    @pytest.fixture
    def shop(self, gateway: GatewayUnderTest) -> Shop:
        return Shop(gateway, make.fresh())

    # What is read back

    def test_what_was_applied_is_observed(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        soon = int(time.time()) + 600
        grant, key = shop.grant("a", shop.name), shop.key("a")
        document = [*shop.base, grant, key, make.block(f"{shop.name}-a", soon)]
        publish(gateway, *document)
        driver = gateway.driver()
        assert driver.observe(None) == driver.adapt(Document.of(document)).document

    def test_a_second_reconcile_finds_nothing_to_do(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        document = [*shop.base, shop.grant("a", shop.name), shop.key("a")]
        publish(gateway, *document)
        assert planned(gateway.driver(), Document.of(document)).is_empty

    def test_the_gateway_tells_which_push_it_holds(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        """A portal restored from a backup has forgotten; every node must know by itself."""
        changes, _verdict = publish(gateway, *shop.base)
        marks = gateway.driver().marks()
        assert marks
        assert {mark.digest for mark in marks.values()} == {changes.desired.digest()}

    def test_observing_a_scope_shows_that_scope(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        publish(gateway, *shop.base)
        wanted = ref(shop.base[0])
        assert set(gateway.driver().observe(frozenset({wanted})).items) == {wanted}

    def test_a_gateway_hands_out_no_keys(
        self, gateway: GatewayUnderTest, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The process that pushed them may know them still; another one gets none."""
        publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
        monkeypatch.setattr(client, "documents", DocumentCache())
        observed = gateway.driver().observe(None)
        assert [key.value for key in observed.of_kind(Key)] == [""]

    def test_what_was_applied_is_what_an_inspection_finds(
        self, gateway: GatewayUnderTest, shop: Shop
    ) -> None:
        """Read from the gateway's own configuration: nothing differs, on no node, and no key has a value."""
        soon = int(time.time()) + 600
        grant, key = shop.grant("a", shop.name), shop.key("a")
        publish(gateway, *shop.base, grant, key, make.block(f"{shop.name}-a", soon))
        driver = gateway.driver()
        expected = driver.observe(None)
        readings = driver.inspect(expected)
        assert readings
        for reading in readings:
            assert reading.unread == ""
            assert differences(expected, reading) == []
            assert [key.value for key in reading.document.of_kind(Key)] == [""]

    def test_a_gateway_that_does_not_answer_is_unread(self, gateway: GatewayUnderTest) -> None:
        assert all(reading.unread for reading in gateway.unreachable().inspect(Document()))

    def test_applying_twice_is_the_same_as_once(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        changes, _ = publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
        driver = gateway.driver()
        driver.apply(changes, quietly)
        assert not driver.verify(changes).unconfirmed

    def test_everything_can_be_taken_away(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
        publish(gateway)
        assert len(gateway.driver().observe(None)) == 0
        assert gateway.call(shop.path, shop.key("a").value).status == 404

    # Who is let in

    def test_a_key_with_a_subscription_reaches_the_upstream(
        self, gateway: GatewayUnderTest, shop: Shop
    ) -> None:
        publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
        assert gateway.call(f"{shop.path}/orders/7", shop.key("a").value).status == 200

    def test_a_foreign_key_is_refused_at_none_one_and_again_none_subscriptions(
        self, gateway: GatewayUnderTest, shop: Shop
    ) -> None:
        """An empty list of clients must not let everybody in."""
        foreign = [shop.grant("far", f"{shop.name}-other"), shop.key("far")]
        own = [shop.grant("near", shop.name), shop.key("near")]
        for document in (foreign, [*foreign, *own], foreign):
            publish(gateway, *shop.base, *document)
            assert gateway.call(shop.path, shop.key("far").value).status == 403
            assert gateway.call(f"{shop.path}-x", shop.key("far").value).status == 404

    def test_a_subscription_without_a_route_opens_none(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        publish(gateway, *shop.base, shop.grant("a"), shop.key("a"))
        assert gateway.call(shop.path, shop.key("a").value).status == 403

    @pytest.mark.parametrize("key", ["", "x", "ghs0000000000000001", "-nobody-"])
    def test_no_key_and_unknown_keys_are_refused(
        self, gateway: GatewayUnderTest, shop: Shop, key: str
    ) -> None:
        for document in ([], [shop.grant("a", shop.name), shop.key("a")]):
            publish(gateway, *shop.base, *document)
            assert gateway.call(shop.path, key).status == 401

    def test_a_revoked_key_is_refused_once_the_removal_is_verified(
        self, gateway: GatewayUnderTest, shop: Shop
    ) -> None:
        document = [*shop.base, shop.grant("a", shop.name), shop.key("b", "a")]
        publish(gateway, *document, shop.key("a"))
        publish(gateway, *document)
        assert gateway.call(shop.path, shop.key("a").value).status == 401
        assert gateway.call(shop.path, shop.key("b").value).status == 200

    def test_a_closed_subscription_takes_its_keys_along(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
        publish(gateway, *shop.base)
        assert gateway.call(shop.path, shop.key("a").value).status == 401

    def test_a_subscription_that_loses_a_route_loses_it(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        other = f"{shop.name}-other"
        publish(gateway, *shop.base, shop.grant("a", shop.name, other), shop.key("a"))
        publish(gateway, *shop.base, shop.grant("a", other), shop.key("a"))
        assert gateway.call(shop.path, shop.key("a").value).status == 403
        assert gateway.call(f"/shop/orders-{other}/v1", shop.key("a").value).status == 200

    # Where calls go

    @pytest.mark.parametrize("beside", ["0", "/../v10", "x/orders"])
    def test_a_base_path_is_matched_by_whole_segments(
        self, gateway: GatewayUnderTest, shop: Shop, beside: str
    ) -> None:
        publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
        assert gateway.call(f"{shop.path}{beside}", shop.key("a").value).status == 404

    def test_an_unknown_path_is_404_with_and_without_a_key(
        self, gateway: GatewayUnderTest, shop: Shop
    ) -> None:
        publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
        assert gateway.call("/nothing/here", shop.key("a").value).status == 404
        assert gateway.call("/nothing/here").status == 404

    def test_the_longest_path_wins(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        inner = make.route(f"{shop.name}-in", f"{shop.path}/inner", at=shop.name)
        publish(gateway, *shop.base, inner, shop.grant("a", f"{shop.name}-in"), shop.key("a"))
        assert gateway.call(f"{shop.path}/inner/x", shop.key("a").value).status == 200
        assert gateway.call(f"{shop.path}/other", shop.key("a").value).status == 403

    @pytest.mark.parametrize("beside", ["x", "x/y", "-1", "/../inne/x"])
    def test_a_path_beside_a_longer_base_path_belongs_to_the_shorter(
        self, gateway: GatewayUnderTest, shop: Shop, beside: str
    ) -> None:
        inner = make.route(f"{shop.name}-in", f"{shop.path}/inner", at=shop.name)
        publish(gateway, *shop.base, inner, shop.grant("a", shop.name), shop.key("a"))
        assert gateway.call(f"{shop.path}/inner{beside}", shop.key("a").value).status == 200
        assert gateway.call(f"{shop.path}/inner/{beside.strip('/.')}", shop.key("a").value).status == 403
        assert gateway.call(f"{shop.path}/inner", shop.key("a").value).status == 403

    def test_environments_are_apart(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        sandbox = make.route(f"{shop.name}-sand", f"{shop.path}-sand", "sandbox", at=shop.name)
        publish(gateway, *shop.base, sandbox, shop.grant("a", shop.name, f"{shop.name}-sand"), shop.key("a"))
        key = shop.key("a").value
        assert gateway.call(f"{shop.path}-sand", key, "sandbox").status == 200
        assert gateway.call(f"{shop.path}-sand", key, "production").status == 404
        assert gateway.call(shop.path, key, "sandbox").status == 404

    def test_an_unpublished_route_is_gone(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        grants = [shop.grant("a", shop.name), shop.key("a")]
        publish(gateway, *shop.base, *grants)
        publish(
            gateway, *(i for i in shop.base if i.id != f"pub_{shop.name}"), shop.grant("a"), shop.key("a")
        )
        assert gateway.call(shop.path, shop.key("a").value).status == 404

    # How much

    def limited(self, shop: Shop, burst: int) -> list[Item]:
        plan = make.limit(shop.name, calls=1, period_s=60, burst=burst)
        return [plan if item.id == plan.id else item for item in shop.base]

    def test_calls_over_the_rate_are_refused_and_told_when_to_return(
        self, gateway: GatewayUnderTest, shop: Shop
    ) -> None:
        publish(gateway, *self.limited(shop, 2), shop.grant("a", shop.name), shop.key("a"))
        answers = [gateway.call(shop.path, shop.key("a").value) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].headers["x-ratelimit-limit"] == "2"

    def test_two_keys_of_a_subscription_share_its_rate(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        keys = [shop.key("a"), shop.key("b", "a")]
        publish(gateway, *self.limited(shop, 2), shop.grant("a", shop.name), *keys)
        statuses = [gateway.call(shop.path, key.value).status for key in (*keys, keys[0], keys[1])]
        assert statuses == [200, 200, 429, 429]

    def test_two_subscriptions_of_a_plan_do_not_share(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        grants = [shop.grant("a", shop.name), shop.grant("b", shop.name)]
        publish(gateway, *self.limited(shop, 1), *grants, shop.key("a"), shop.key("b"))
        statuses = [gateway.call(shop.path, shop.key(name).value).status for name in "aabb"]
        assert statuses == [200, 429, 200, 429]

    def test_a_block_answers_429_with_its_end_until_it_is_lifted(
        self, gateway: GatewayUnderTest, shop: Shop
    ) -> None:
        until = int(time.time()) + 3600
        grants = [shop.grant(name, shop.name) for name in "ab"]
        document = [*shop.base, *grants, shop.key("a"), shop.key("b")]
        publish(gateway, *document, make.block(f"{shop.name}-a", until))
        blocked = gateway.call(shop.path, shop.key("a").value)
        assert blocked.status == 429
        end = parsedate_to_datetime(blocked.headers["retry-after"])
        assert end == datetime.fromtimestamp(until, UTC)
        assert gateway.call(shop.path, shop.key("b").value).status == 200
        publish(gateway, *document)
        assert gateway.call(shop.path, shop.key("a").value).status == 200

    # Under traffic

    def test_changes_beside_a_key_never_refuse_it(self, gateway: GatewayUnderTest, shop: Shop) -> None:
        """No false 401, 403 or 404 for a caller whose own access does not change."""
        document = [*shop.base, shop.grant("a", shop.name), shop.key("a")]
        publish(gateway, *document)
        statuses: list[int] = []
        done = threading.Event()

        def keep_calling() -> None:
            while not done.is_set():
                statuses.append(gateway.call(shop.path, shop.key("a").value).status)

        caller = threading.Thread(target=keep_calling)
        caller.start()
        try:
            for _ in range(3):
                publish(gateway, *document, shop.grant("n", shop.name), shop.key("n"))
                # The new key works at once: no 403 of a route that does not know it yet.
                assert gateway.call(shop.path, shop.key("n").value).status == 200
                publish(gateway, *document)
        finally:
            done.set()
            caller.join()
        assert set(statuses) == {200}

    # When it does not work

    def test_a_gateway_that_does_not_answer_is_worth_another_try(self, gateway: GatewayUnderTest) -> None:
        with pytest.raises(DriverError) as error:
            gateway.unreachable().observe(None)
        assert not error.value.permanent

    def test_a_refusal_is_permanent_names_the_offender_and_leaves_the_old_in_force(
        self, gateway: GatewayUnderTest, shop: Shop
    ) -> None:
        document = [*shop.base, shop.grant("a", shop.name), shop.key("a")]
        publish(gateway, *document)
        driver, offender = gateway.refused()
        changes = planned(driver, Document.of([*document, offender]))
        with pytest.raises(DriverError) as error:
            driver.apply(changes, quietly)
        assert error.value.permanent
        assert error.value.offenders == (Ref(offender.kind, offender.id),)
        assert gateway.call(shop.path, shop.key("a").value).status == 200
        # The corrected document recovers without a restart.
        publish(gateway, *document, shop.grant("b", shop.name))
