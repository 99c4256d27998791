"""What agents tell and fetch: heartbeats, and the configuration of a node that starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F
from django.utils import timezone

from gateways.actions.proofs import proven_objects
from gateways.actions.restored import hold_if_unknown, remember_handed_out
from gateways.actions.ringing import mark_behind, ring, try_again_now
from gateways.comparison import refusal_of_upstream, weigh
from gateways.connections import counted_nodes, driver_for
from gateways.desired import desired_objects
from gateways.egress import refusal_of_target
from gateways.engine.document import Document, Upstream, digest, ref
from gateways.engine.driver import Mark
from gateways.engine.failpoints import failpoint
from gateways.models import Gateway, GatewayNode
from gateways.queries.due import lease_is_free


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What an agent says of itself. `version` and `digest` are what its gateway serves, 0 and "" for nothing."""

    node: str
    agent_url: str
    software: str
    started_at: datetime | None
    version: int
    digest: str
    serving: bool


def record_heartbeat(gateway: Gateway, beat: Heartbeat) -> tuple[GatewayNode, str]:
    """Keep what a node says, and answer whether it should fetch its configuration: "fetch" or "same".

    No audit event: it is a measurement, several times a minute. A node that is new, was silent or serves
    something else than was pushed last has the worker look at the gateway.
    """
    before = GatewayNode.objects.filter(gateway=gateway, name=beat.node).first()
    node, _made = GatewayNode.objects.update_or_create(
        gateway=gateway,
        name=beat.node,
        defaults={
            "agent_url": beat.agent_url,
            "software": beat.software[:80],
            "started_at": beat.started_at,
            "version": beat.version,
            "digest": beat.digest,
            "serving": beat.serving,
            "heartbeat_at": timezone.now(),
            "retired_at": None,
        },
    )
    stale = beat.digest != gateway.pushed_digest
    came_back = before is None or before.retired_at is not None or before.state == GatewayNode.State.AWAY
    if came_back:
        mark_behind([gateway.pk])
        try_again_now(gateway.pk)
        ring([gateway.pk])
    if beat.version and not (beat.version == gateway.pushed_version and not stale):
        hold_if_unknown(gateway, [Mark(beat.version, beat.digest)], wake=True)
    if gateway.held_since is not None:
        return node, "same"
    at_rest = Gateway.objects.filter(lease_is_free(), pk=gateway.pk).exists()
    return node, "fetch" if stale and at_rest and gateway.pushed_version else "same"


def fetch_config(gateway: Gateway, node: str = "") -> bytes | None:
    """What `node` of `gateway` should serve now, as its agent takes it; None while there is nothing to fetch, and
    while the gateway is held: what this database says may bring back what was taken away.

    It is desired state without what is held back. Where that is not what was pushed last, the worker is asked:
    its push compares, guards against mass deletion and proves. A node that serves something waits for it, one
    that serves nothing gets what is desired at once, under a number of its own so that no older push can undo
    it: for callers that is better than nothing, whatever the guard may say.
    """
    if not gateway.pushed_version or gateway.held_since is not None:
        return None
    nodes, _away = counted_nodes(gateway)
    version = gateway.pushed_version
    pushable = _pushable(gateway, nodes)
    if pushable.digest() != gateway.pushed_digest:
        mark_behind([gateway.pk])
        ring([gateway.pk])
        if gateway.nodes.filter(name=node, version__gt=0).exists():
            return None
        failpoint("fetch.before-number")
        version = _next_version(gateway)
        # Read again after the number was taken: a push with a lower one may have taken a key away meanwhile.
        pushable = _pushable(gateway, nodes)
    remember_handed_out(gateway.pk, Mark(version, pushable.digest()))
    return driver_for(gateway, version=version, nodes=nodes).snapshot(pushable)


def _pushable(gateway: Gateway, nodes: list[GatewayNode]) -> Document:
    """Desired state as this gateway can be given it now, without what is known to be held back, and without
    upstreams that no push has carried there yet and that may not be called."""
    desired = desired_objects(gateway, with_values=True)
    adapted = driver_for(gateway, nodes=nodes).adapt(desired)
    proven = proven_objects(gateway.pk)
    held = {name: proof.held_back_reason for name, proof in proven.items() if proof.held_back_reason}
    for upstream in adapted.document.of_kind(Upstream):
        name = ref(upstream)
        if name not in proven or proven[name].digest != digest(upstream):
            reason = refusal_of_upstream(upstream, refusal_of_target)
            held |= {name: reason} if reason else {}
    return weigh(desired, adapted, Document(), held).changes.desired


def _next_version(gateway: Gateway) -> int:
    Gateway.objects.filter(pk=gateway.pk).update(version=F("version") + 1)
    return Gateway.objects.values_list("version", flat=True).get(pk=gateway.pk)
