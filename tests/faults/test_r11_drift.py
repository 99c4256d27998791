"""R11: what somebody changes on a gateway behind our back is found by the next look, and put right or reported.

The gateway in memory here; a real Envoy in `test_r11_drift_envoy.py`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from apis.models import UpstreamBinding
from audit.models import ActionRefused, AuditEvent, TransitionNotAllowed
from gateways.actions import (
    adopt_drift,
    ignore_drift,
    inspect_after_push,
    inspect_gateway,
    mark_behind,
    overwrite_drift,
    reconcile,
    request_comparison,
    sweep_drift,
)
from gateways.actions.lease import release_lease, take_lease
from gateways.drivers.memory import MemoryGateway, forget_gateways, memory_gateway
from gateways.enforcement import enforcement_of
from gateways.engine.document import (
    Block,
    Consumer,
    Grant,
    Item,
    Key,
    Kind,
    Limit,
    Ref,
    Route,
    Target,
    Upstream,
    ref,
    value_digest,
)
from gateways.models import Deployment, DriftFinding, Gateway, Publication
from subscriptions.models import Block as BlockRow
from subscriptions.models import Credential, Subscription
from teams.models import Notice, TeamRole, User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db

SECRET = "ghp" + "a1b2c3d4e5f6g7h8" + "Sesame9" * 7


@pytest.fixture(autouse=True)
def _no_gateways() -> Iterator[None]:
    forget_gateways()
    yield
    forget_gateways()


@pytest.fixture
def edge() -> Gateway:
    return factories.make_gateway("edge")


@pytest.fixture
def subscription(edge: Gateway) -> Subscription:
    """One API on the edge with one subscription, pushed and proven."""
    team = factories.make_team("Shop")
    version = factories.make_version(factories.make_api(team, "Orders"))
    factories.make_publication(version, edge)
    subscription = factories.make_subscription(plan_revision=factories.make_plan(version.api))
    factories.make_credential(subscription)
    push(edge)
    return subscription


@pytest.fixture
def held(subscription: Subscription) -> MemoryGateway:
    return memory_gateway("edge")


def push(gateway: Gateway) -> Deployment | None:
    mark_behind([gateway.pk])
    return reconcile(gateway, whether_due=True)


def work(gateway: Gateway) -> None:
    """What the worker does when the bell rings."""
    reconcile(gateway, whether_due=True)
    inspect_after_push(gateway)


def look(gateway: Gateway) -> list[DriftFinding]:
    found = inspect_gateway(gateway)
    assert found is not None, "the gateway was at rest"
    return found


def only(gateway: MemoryGateway, item_type: type[Any]) -> Any:
    return next(item for item in gateway.items.values() if isinstance(item, item_type))


def put(gateway: MemoryGateway, item: Item) -> None:
    gateway.items[ref(item)] = item


def ghost_key(grant: str, value: str = SECRET) -> Key:
    return Key("crd_ghost", value[3:19], grant, value_digest(value), value)


def actor(user: User) -> Any:
    return actor_of_user(user)


# ---- 50 edits ----


ADDED: dict[Kind, Any] = {
    Kind.UPSTREAM: lambda name, _held: Upstream(f"bnd_{name}", "", (Target("http://127.0.0.1:9"),)),
    Kind.LIMIT: lambda name, _held: Limit(f"plr_{name}", "", 1, 1, 1),
    Kind.CONSUMER: lambda name, _held: Consumer(f"app_{name}", ""),
    Kind.ROUTE: lambda name, held: replace(only(held, Route), id=f"pub_{name}", base_path=f"/x/{name}"),
    Kind.GRANT: lambda name, held: replace(only(held, Grant), id=f"sub_{name}"),
    Kind.KEY: lambda name, held: replace(
        only(held, Key),
        id=f"crd_{name}",
        value=f"{SECRET}{name}",
        value_digest=value_digest(f"{SECRET}{name}"),
    ),
    Kind.BLOCK: lambda name, held: Block(f"blk_{name}", only(held, Grant).id, "quota_day", 1_900_000_000),
}
CHANGED: dict[Kind, Any] = {
    Kind.UPSTREAM: lambda item: replace(item, timeout_ms=item.timeout_ms + 1),
    Kind.LIMIT: lambda item: replace(item, calls=item.calls + 1),
    Kind.CONSUMER: lambda item: replace(item, label="renamed"),
    Kind.ROUTE: lambda item: replace(item, base_path=f"{item.base_path}/moved"),
    Kind.GRANT: lambda item: replace(item, routes=(*item.routes, "pub_elsewhere")),
    Kind.KEY: lambda item: replace(item, value_digest=value_digest("another")),
    Kind.BLOCK: lambda item: replace(item, until=item.until - 60),
}


def make_catalogue(edge: Gateway, count: int) -> None:
    team = factories.make_team("Shop")
    for number in range(count):
        version = factories.make_version(factories.make_api(team, f"Orders {number}"))
        factories.make_publication(version, edge)
        subscription = factories.make_subscription(plan_revision=factories.make_plan(version.api))
        factories.make_credential(subscription)
        until = timezone.now() + timedelta(hours=1)
        BlockRow.objects.create(subscription=subscription, reason="quota_day", until=until)


@pytest.mark.parametrize("seed", [11])
def test_fifty_edits_are_all_found_by_one_sweep_and_nothing_else_is(edge: Gateway, seed: int) -> None:
    make_catalogue(edge, 8)
    push(edge)
    assert sweep_drift() == [edge.pk]
    assert not DriftFinding.objects.exists(), "a clean gateway has none"
    held, chance = memory_gateway("edge"), random.Random(seed)
    originals = sorted(held.items)
    edited: dict[tuple[str, str], str] = {}
    for name in chance.sample(originals, 30):
        item = held.items[name]
        if chance.random() < 0.5:
            del held.items[name]
            edited[str(name.kind), name.id] = "missing"
        else:
            put(held, CHANGED[name.kind](item))
            edited[str(name.kind), name.id] = "changed"
    for number in range(20):
        kind = list(ADDED)[number % len(ADDED)]
        item = ADDED[kind](f"ghost{number}", held)
        put(held, item)
        edited[str(kind), item.id] = "ghost"
    assert len(edited) == 50
    Gateway.objects.update(inspect_at=None)
    assert sweep_drift() == [edge.pk]
    found = {(row.kind, row.object_id): row.sort for row in DriftFinding.objects.all()}
    keys = {name for name in found if name[0] == "key" and found[name] == "ghost"}
    assert len(keys) == sum(1 for (kind, _), sort in edited.items() if kind == "key" and sort == "ghost")
    assert found.keys() - keys == {n for n, s in edited.items() if not (n[0] == "key" and s == "ghost")}
    assert all(found[name] == edited[name] for name in found.keys() - keys)


def test_a_sweep_reads_each_gateway_once_a_minute(edge: Gateway, subscription: Subscription) -> None:
    assert sweep_drift() == [edge.pk]
    assert sweep_drift() == []
    edge.refresh_from_db()
    assert edge.inspected_at is not None


# ---- policy ----


def test_an_unknown_key_is_recorded_and_taken_away_at_once(
    edge: Gateway, held: MemoryGateway, subscription: Subscription, ada: User
) -> None:
    put(held, ghost_key(subscription.public_id))
    [finding] = look(edge)
    assert (finding.sort, finding.urgent, finding.state) == ("ghost", True, "open")
    work(edge)
    assert Ref(Kind.KEY, "crd_ghost") not in held.items
    finding.refresh_from_db()
    assert finding.state == "overwritten"
    assert finding.decided_by == "push 2"
    names = list(AuditEvent.objects.filter(target_id=finding.public_id).values_list("name", flat=True))
    assert sorted(names) == ["drift.found", "drift.overwritten"]
    assert Notice.objects.filter(user=ada, name="drift.found").count() == 1
    deployment = Deployment.objects.first()
    assert deployment is not None
    assert deployment.cause_label.startswith("drift.found")


def test_a_revoked_key_written_back_is_known_by_name_and_shown_as_drifted(
    edge: Gateway, held: MemoryGateway, subscription: Subscription
) -> None:
    credential, value = factories.make_credential(subscription)
    push(edge)
    key = held.items[Ref(Kind.KEY, credential.public_id)]
    Credential.objects.filter(pk=credential.pk).update(state="revoked", ended_at=timezone.now())
    push(edge)
    put(held, key)
    [finding] = look(edge)
    assert finding.object_id == credential.public_id
    assert "revoked" in finding.label
    [segment] = enforcement_of(Credential.objects.get(pk=credential.pk)).segments
    assert segment.state == "drifted"
    work(edge)
    [segment] = enforcement_of(Credential.objects.get(pk=credential.pk)).segments
    assert segment.state == "removed"
    assert value not in repr(list(DriftFinding.objects.values()))


def test_missing_access_is_put_back_at_once(edge: Gateway, held: MemoryGateway) -> None:
    key = only(held, Key)
    del held.items[ref(key)]
    [finding] = look(edge)
    assert (finding.sort, finding.urgent) == ("missing", True)
    assert [segment.state for segment in enforcement_of(Credential.objects.get()).segments] == ["drifted"]
    work(edge)
    assert ref(key) in held.items
    assert [segment.state for segment in enforcement_of(Credential.objects.get()).segments] == ["live"]


def test_a_mere_difference_waits_and_is_never_shown_as_live(
    edge: Gateway, held: MemoryGateway, subscription: Subscription
) -> None:
    upstream = only(held, Upstream)
    put(held, replace(upstream, timeout_ms=60_000))
    [finding] = look(edge)
    assert (finding.sort, finding.urgent) == ("changed", False)
    assert ("timeout_ms", "15000", "60000") in finding.fields
    edge.refresh_from_db()
    assert edge.behind_since is None, "the look itself pushes nothing"
    for target in (Credential.objects.get(), subscription, Publication.objects.get()):
        [segment] = enforcement_of(target).segments
        assert segment.state == "drifted"
    work(edge)
    assert only(held, Upstream).timeout_ms == 60_000


def test_the_policy_overwrite_waits_for_nobody(edge: Gateway, held: MemoryGateway) -> None:
    Gateway.objects.update(drift_policy="overwrite")
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    look(edge)
    work(edge)
    assert only(held, Upstream).timeout_ms == 15_000
    assert DriftFinding.objects.get().state == "overwritten"


def test_any_push_ends_what_it_goes_over_and_says_so(
    edge: Gateway, held: MemoryGateway, subscription: Subscription
) -> None:
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    [finding] = look(edge)
    factories.make_credential(subscription)
    mark_behind([edge.pk])
    work(edge)
    finding.refresh_from_db()
    assert (finding.state, finding.decided_by) == ("overwritten", "push 2")
    assert finding.fields, "what was there stays in the record"


def test_what_somebody_puts_right_by_hand_is_gone(edge: Gateway, held: MemoryGateway) -> None:
    upstream = only(held, Upstream)
    put(held, replace(upstream, timeout_ms=60_000))
    [finding] = look(edge)
    put(held, upstream)
    assert look(edge) == []
    finding.refresh_from_db()
    assert finding.state == "gone"


# ---- when it is looked at ----


def test_a_gateway_that_is_not_at_rest_is_not_read(edge: Gateway, held: MemoryGateway) -> None:
    put(held, ghost_key("sub_x"))
    lease = take_lease(edge.pk)
    assert lease is not None
    assert inspect_gateway(edge) is None
    release_lease(lease)
    mark_behind([edge.pk])
    assert inspect_gateway(edge) is None
    assert not DriftFinding.objects.exists()


def test_what_was_decided_and_not_yet_pushed_is_no_drift(
    edge: Gateway, held: MemoryGateway, subscription: Subscription
) -> None:
    """A key that has expired a moment ago stands on the gateway; that is a push to come, not a ghost."""
    Credential.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert inspect_gateway(edge) is None
    assert not DriftFinding.objects.exists()
    edge.refresh_from_db()
    assert edge.behind_since is not None, "and it is rung for"


def test_what_a_push_changes_in_the_midst_of_a_look_is_no_drift(
    edge: Gateway, held: MemoryGateway, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateways.actions import inspection

    whole, pushes = inspection._read, iter([True])

    def read_slowly(expected: Any) -> Any:
        if next(pushes, False):
            factories.make_credential(subscription)
            push(edge)
        return whole(expected)

    monkeypatch.setattr(inspection, "_read", read_slowly)
    assert look(edge) == [], "it was read again, after the push"


def test_a_gateway_that_does_not_answer_is_unread_and_not_clean(edge: Gateway, held: MemoryGateway) -> None:
    put(held, ghost_key("sub_x"))
    look(edge)
    before = Gateway.objects.get().inspected_at
    push(edge)
    Gateway.objects.update(options={"unreachable": "yes"})
    [finding] = look(edge)
    assert finding.state == "open", "nobody knows whether it is gone"
    edge.refresh_from_db()
    assert edge.unread == [{"node": "", "why": "The gateway does not answer."}]
    assert edge.inspected_at == before
    Gateway.objects.update(options={})
    assert look(edge) == []
    edge.refresh_from_db()
    assert edge.unread == []


def test_what_is_held_back_is_not_drift(edge: Gateway, held: MemoryGateway) -> None:
    other = factories.make_publication(factories.make_version(url="http://169.254.169.254"), edge)
    push(edge)
    assert look(edge) == []
    assert [segment.state for segment in enforcement_of(other).segments] == ["held_back"]


# ---- the guard: mass deletion waits, a revocation never ----


def test_many_routes_of_unknown_origin_wait_and_the_access_with_them_does_not(
    edge: Gateway, held: MemoryGateway, subscription: Subscription, ada: User
) -> None:
    """Twelve routes by hand are more than 30 %: a push would delete them all, so a person has to look first."""
    for number in range(12):
        put(held, ADDED[Kind.ROUTE](f"ghost{number}", held))
    grant = only(held, Grant)
    put(held, replace(grant, routes=(*grant.routes, "pub_ghost1")))
    put(held, ghost_key(subscription.public_id))
    found = look(edge)
    work(edge)
    assert Ref(Kind.KEY, "crd_ghost") not in held.items
    assert held.items[ref(grant)] == grant
    assert Ref(Kind.ROUTE, "pub_ghost1") in held.items, "it waits"
    with pytest.raises(ActionRefused):
        overwrite_drift(found[-1], actor=actor(ada))
    request_comparison(edge, actor=actor(ada), forced=True)
    work(edge)
    assert Ref(Kind.ROUTE, "pub_ghost1") not in held.items
    assert not DriftFinding.objects.standing().exists()


def test_publications_that_vanish_without_an_event_are_held_and_a_revoked_key_goes(edge: Gateway) -> None:
    make_catalogue(edge, 12)
    push(edge)
    held = memory_gateway("edge")
    Publication.objects.filter(pk__in=list(Publication.objects.values_list("pk", flat=True)[:6])).update(
        state="withdrawn"
    )
    credential = Credential.objects.last()
    Credential.objects.filter(pk=credential.pk).update(state="revoked", ended_at=timezone.now())
    deployment = push(edge)
    assert deployment is not None
    assert "routes would be deleted" in deployment.message
    assert sum(1 for name in held.items if name.kind is Kind.ROUTE) == 12
    assert Ref(Kind.KEY, credential.public_id) not in held.items
    assert inspect_gateway(edge) is None, "a gateway at which a person has to look first is not at rest"


# ---- the life of a finding ----


def test_the_same_drift_is_one_row_and_told_once(edge: Gateway, held: MemoryGateway, ada: User) -> None:
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    [first] = look(edge)
    [again] = look(edge)
    assert again.pk == first.pk
    assert again.last_seen > first.last_seen
    assert Notice.objects.filter(user=ada).count() == 1
    assert AuditEvent.objects.filter(name="drift.found").count() == 1


def test_ignored_stays_ignored_until_something_else_is_there(
    edge: Gateway, held: MemoryGateway, ada: User
) -> None:
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    [finding] = look(edge)
    ignore_drift(finding, actor=actor(ada), reason="Until the backend is faster.")
    [finding] = look(edge)
    assert (finding.state, finding.reason) == ("ignored", "Until the backend is faster.")
    [segment] = enforcement_of(Publication.objects.get()).segments
    assert segment.state == "drifted", "an ignored difference is still a difference"
    put(held, replace(only(held, Upstream), timeout_ms=90_000))
    [finding] = look(edge)
    assert (finding.state, finding.reason) == ("open", "")
    assert Notice.objects.filter(user=ada).count() == 2


@pytest.mark.parametrize("end", ["adopted", "overwritten", "gone"])
def test_what_has_ended_moves_no_more(edge: Gateway, held: MemoryGateway, ada: User, end: str) -> None:
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    [finding] = look(edge)
    DriftFinding.objects.update(state=end, decided_at=timezone.now())
    finding.refresh_from_db()
    for state in DriftFinding.State.values:
        assert not finding.may_move_to(state)
    for act in (overwrite_drift, adopt_drift):
        with pytest.raises(TransitionNotAllowed):
            act(finding, actor=actor(ada))
    with pytest.raises(TransitionNotAllowed):
        ignore_drift(finding, actor=actor(ada), reason="no")
    [another] = look(edge)
    assert another.pk != finding.pk, "the same drift after an end is a row of its own"


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "ignored", "reason": "", "decided_at": timezone.now()},
        {"state": "gone", "decided_at": None},
        {"last_seen": timezone.now() - timedelta(days=400)},
    ],
)
def test_the_database_refuses_findings_that_make_no_sense(
    edge: Gateway, held: MemoryGateway, wrong: dict[str, Any]
) -> None:
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    look(edge)
    with pytest.raises(IntegrityError), transaction.atomic():
        DriftFinding.objects.update(**wrong)


def test_one_object_has_one_standing_finding(edge: Gateway, held: MemoryGateway) -> None:
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    [finding] = look(edge)
    finding.pk, finding.public_id = None, "drf_twin"
    finding._state.adding = True
    with pytest.raises(IntegrityError), transaction.atomic():
        finding.save()


# ---- what a person does ----


def test_overwrite_pushes_what_was_decided(edge: Gateway, held: MemoryGateway, ada: User) -> None:
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    [finding] = look(edge)
    deployment = overwrite_drift(finding, actor=actor(ada))
    assert deployment.forced
    finding.refresh_from_db()
    assert finding.state == "open", "it is overwritten when a look has seen it"
    with pytest.raises(ActionRefused):
        overwrite_drift(finding, actor=actor(ada))
    work(edge)
    finding.refresh_from_db()
    assert (finding.state, finding.decided_by) == ("overwritten", "Ada")
    assert only(held, Upstream).timeout_ms == 15_000
    deployment.refresh_from_db()
    assert deployment.state == Deployment.State.SUCCEEDED


def test_adopt_makes_it_the_decision(edge: Gateway, held: MemoryGateway, ada: User) -> None:
    targets = (Target("http://127.0.0.1:9301", 70), Target("http://127.0.0.1:9302", 30))
    put(held, replace(only(held, Upstream), timeout_ms=60_000, targets=targets))
    [finding] = look(edge)
    with pytest.raises(PermissionDenied):
        adopt_drift(finding, actor=actor(ada))  # the upstream is not hers
    binding = UpstreamBinding.objects.get(public_id=only(held, Upstream).id)
    factories.join(binding.upstream.team, ada, TeamRole.PUBLISHER)
    adopt_drift(finding, actor=actor(ada))
    binding.refresh_from_db()
    assert binding.timeout_ms == 60_000
    assert binding.targets == [
        {"url": "http://127.0.0.1:9301", "weight": 70},
        {"url": "http://127.0.0.1:9302", "weight": 30},
    ]
    finding.refresh_from_db()
    assert (finding.state, finding.decided_by) == ("adopted", "Ada")
    push(edge)
    assert look(edge) == []
    assert [segment.state for segment in enforcement_of(Publication.objects.get()).segments] == ["live"]


def test_an_address_that_calls_must_not_go_to_is_not_adopted(
    edge: Gateway, held: MemoryGateway, ada: User
) -> None:
    put(held, replace(only(held, Upstream), targets=(Target("http://169.254.169.254"),)))
    [finding] = look(edge)
    binding = UpstreamBinding.objects.get(public_id=only(held, Upstream).id)
    factories.join(binding.upstream.team, ada, TeamRole.PUBLISHER)
    with pytest.raises(ValidationError):
        adopt_drift(finding, actor=actor(ada))
    finding.refresh_from_db()
    assert finding.state == "open"


@pytest.mark.parametrize("kind", [kind for kind in ADDED if kind is not Kind.UPSTREAM])
def test_nothing_but_an_upstream_is_adopted(
    edge: Gateway, held: MemoryGateway, ada: User, kind: Kind
) -> None:
    if kind is Kind.BLOCK:
        put(held, ADDED[kind]("ghost", held))
    else:
        item = next(item for item in held.items.values() if item.kind is kind)
        put(held, CHANGED[kind](item))
    [finding] = look(edge)
    assert not finding.is_adoptable
    with pytest.raises(ActionRefused):
        adopt_drift(finding, actor=actor(ada))


def test_ignoring_takes_a_reason_and_access_is_never_ignored(
    edge: Gateway, held: MemoryGateway, ada: User
) -> None:
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    put(held, ghost_key("sub_x"))
    rows = {row.kind: row for row in look(edge)}
    with pytest.raises(ValidationError):
        ignore_drift(rows["upstream"], actor=actor(ada), reason="  ")
    with pytest.raises(ActionRefused):
        ignore_drift(rows["key"], actor=actor(ada), reason="I made it myself")
    ignore_drift(rows["upstream"], actor=actor(ada), reason="known")
    event = AuditEvent.objects.get(name="drift.ignored")
    assert (event.note, event.actor_label) == ("known", "Ada")


@pytest.mark.parametrize("person", ["alice", "frank", "erin", "charlie"])
def test_only_administrators_do_any_of_it(
    edge: Gateway, held: MemoryGateway, person: str, request: pytest.FixtureRequest
) -> None:
    factories.make_team("Other")
    user = factories.make_user(f"{person}2@example.test")
    user.platform_roles = {"frank": ["auditor"], "erin": ["approver"]}.get(person, [])
    user.save()
    if person == "alice":
        factories.join(UpstreamBinding.objects.all()[0].upstream.team, user, TeamRole.OWNER)
    put(held, replace(only(held, Upstream), timeout_ms=60_000))
    [finding] = look(edge)
    for act in (
        lambda: overwrite_drift(finding, actor=actor(user)),
        lambda: adopt_drift(finding, actor=actor(user)),
        lambda: ignore_drift(finding, actor=actor(user), reason="no"),
    ):
        with pytest.raises(PermissionDenied):
            act()
    finding.refresh_from_db()
    assert finding.state == "open"


# ---- secrets ----


def test_no_key_is_written_down_anywhere(
    edge: Gateway, held: MemoryGateway, subscription: Subscription, ada: User, client_of: Any, api_of: Any
) -> None:
    put(held, ghost_key(subscription.public_id))
    put(held, Key("letmein", "", subscription.public_id, value_digest("letmein"), "letmein"))
    put(held, replace(only(held, Upstream), label=f"Bearer {SECRET}"))
    with structlog.testing.capture_logs() as logs:
        rows = look(edge)
    assert len(rows) == 3
    texts = [
        repr(logs),
        repr(list(DriftFinding.objects.values())),
        repr(list(AuditEvent.objects.values())),
        repr(list(Notice.objects.values())),
        client_of(ada).get("/drift/").content.decode(),
        api_of(ada).get("/api/v1/gateways/edge/drift").content.decode(),
    ]
    for text in texts:
        assert SECRET[19:] not in text
        assert value_digest(SECRET) not in text
        assert value_digest("letmein") not in text
