"""Gateways as a page shows them: in step or not, which nodes, what is published, what was pushed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apis.models import PlanRevision, Revision, UpstreamBinding
from audit.models import TonedChoices
from aws.models import AwsAccount
from gateways.models import (
    AppliedObject,
    Deployment,
    DriftFinding,
    Gateway,
    GatewayListener,
    GatewayNode,
    Publication,
)
from subscriptions.models import Application, Block, Credential, Subscription
from teams.models import Actor, Verb


class Sync(TonedChoices):
    """Whether a gateway has got what was decided. Worked out, never stored."""

    IN_STEP = "in_step", "live", _("In step")
    PUSHING = "pushing", "push", _("Pushing")
    WAITING = "waiting", "hold", _("Waits for a limit")
    HELD_BACK = "held_back", "hold", _("In part held back")
    HELD = "held", "hold", _("Held: restored")
    FAILING = "failing", "fail", _("Not reached")
    DRIFTED = "drifted", "fail", _("Drifted")
    SILENT = "silent", "fail", _("No node reports")
    EMPTY = "empty", "off", _("Nothing published")
    RETIRED = "retired", "off", _("Retired")


@dataclass(frozen=True, slots=True)
class Overview:
    """One gateway in a list."""

    gateway: Gateway
    sync: Sync
    nodes: tuple[GatewayNode, ...]
    listeners: tuple[GatewayListener, ...]
    publications: int
    held_back: int
    findings: int = 0
    """Open findings: what was seen there and nobody decided."""
    waiting: Deployment | None = None
    """A push that goes on when a limit of a vendor lets it."""
    account: AwsAccount | None = None
    """Where it is at AWS, as far as the reader may know of it."""

    @property
    def serving(self) -> int:
        """Nodes that serve now."""
        return sum(1 for node in self.nodes if node.state == GatewayNode.State.SERVING)


def overviews(gateways: QuerySet[Gateway], actor: Actor | None = None) -> list[Overview]:
    """Every gateway of a queryset, with its AWS account where `actor` may know of it; a fixed number of queries."""
    counted = gateways.annotate(
        published=Count("publications", filter=Q(publications__state=Publication.State.PUBLISHED))
    )
    found = list(counted)
    nodes = _by_gateway(GatewayNode.objects.filter(gateway__in=found, retired_at=None).order_by("name"))
    listeners = _by_gateway(
        GatewayListener.objects.filter(gateway__in=found)
        .select_related("environment")
        .order_by("environment__position", "pk")
    )
    held = Counter(
        AppliedObject.objects.filter(gateway__in=found)
        .exclude(held_back_reason="")
        .values_list("gateway_id", flat=True)
    )
    drifted = Counter(
        DriftFinding.objects.open().filter(gateway__in=found).values_list("gateway_id", flat=True)
    )
    pushes = Deployment.objects.waiting().filter(gateway__in=found).select_related("gateway")
    waiting = {one.gateway_id: one for one in pushes}
    accounts = _accounts(found, actor) if actor is not None else {}
    return [
        Overview(
            gateway,
            _sync(gateway, nodes[gateway.pk], held[gateway.pk], drifted[gateway.pk], gateway.pk in waiting),
            tuple(nodes[gateway.pk]),
            tuple(listeners[gateway.pk]),
            gateway.published,
            held[gateway.pk],
            drifted[gateway.pk],
            waiting.get(gateway.pk),
            accounts.get(gateway.aws_account_id or 0),
        )
        for gateway in found
    ]


def _accounts(gateways: Iterable[Gateway], actor: Actor) -> dict[int, AwsAccount]:
    wanted = {gateway.aws_account_id for gateway in gateways if gateway.aws_account_id}
    if not wanted:
        return {}
    return {account.pk: account for account in AwsAccount.objects.visible_to(actor).filter(pk__in=wanted)}


def _sync(gateway: Any, nodes: Iterable[GatewayNode], held: int, drifted: int, is_waiting: bool) -> Sync:
    if gateway.retired_at is not None:
        return Sync.RETIRED
    if gateway.has_nodes and not any(n.state != GatewayNode.State.AWAY for n in nodes):
        return Sync.SILENT
    if gateway.held_since is not None:
        return Sync.HELD
    if gateway.failures:
        return Sync.FAILING
    if is_waiting:
        return Sync.WAITING
    waits = gateway.retry_at is not None  # for a person, or for an address that may become reachable
    if gateway.behind_since is not None and not waits:
        return Sync.PUSHING
    if drifted:
        return Sync.DRIFTED
    if held or waits:
        return Sync.HELD_BACK
    return Sync.IN_STEP if gateway.published or gateway.pushed_version else Sync.EMPTY


def _by_gateway(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.gateway_id].append(row)
    return found


# ---- what of a push its reader may see ----


@dataclass(frozen=True, slots=True)
class VisibleChanges:
    """The changes of a push that belong to the reader's teams, and how many do not."""

    changes: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    others: int
    whole: bool
    """Whether the reader may see all of it, the gateway's own words included."""


def visible_part(
    changes: Iterable[Mapping[str, Any]], notes: Iterable[Mapping[str, Any]], total: int, actor: Actor
) -> VisibleChanges:
    """What `actor` may see of the recorded changes: gateways are shared, and what is on them is not.

    `total` counts all changes, also those that were not kept.
    """
    shown = [dict(change) for change in changes]
    said = [dict(note) for note in notes]
    if actor.everywhere(Verb.GATEWAY_VIEW):
        return VisibleChanges(shown, said, total - len(shown), whole=True)
    mine = _visible_names({(row["kind"], row["id"]) for row in [*shown, *said]}, actor)
    own = [change for change in shown if (change["kind"], change["id"]) in mine]
    told = [note for note in said if (note["kind"], note["id"]) in mine]
    return VisibleChanges(own, told, total - len(own), whole=len(own) == total)


def _visible_names(names: set[tuple[str, str]], actor: Actor) -> set[tuple[str, str]]:
    """Those of `names` (kind, public id) that stand for objects of the actor's own teams."""
    ids: dict[str, set[str]] = defaultdict(set)
    for kind, public_id in names:
        ids[kind].add(public_id)
    found: set[tuple[str, str]] = set()
    for kind, wanted in ids.items():
        rows = own_rows(kind, actor)
        if rows is not None:
            found |= {
                (kind, public_id)
                for public_id in rows.filter(public_id__in=wanted).values_list("public_id", flat=True)
            }
    return found


OWN_KINDS = ("route", "definition", "upstream", "limit", "grant", "consumer", "key", "block")
"""The kinds of object behind which stands a row of some team."""


def own_rows(kind: str, actor: Actor) -> QuerySet[Any] | None:
    """The rows behind a kind of object that belong to teams of `actor`, on either side."""
    apis, applications = actor.team_ids(Verb.API_VIEW), actor.team_ids(Verb.APPLICATION_VIEW)
    given = Q(api_version__api__team__in=apis) | Q(application__team__in=applications)
    subscriptions = Subscription.objects.filter(given)
    rows: dict[str, QuerySet[Any]] = {
        "route": Publication.objects.filter(api_version__api__team__in=apis),
        "definition": Revision.objects.filter(api_version__api__team__in=apis),
        "upstream": UpstreamBinding.objects.filter(upstream__team__in=apis),
        "limit": PlanRevision.objects.filter(plan__api__team__in=apis),
        "grant": subscriptions,
        "consumer": Application.objects.filter(
            Q(team__in=applications) | Q(subscriptions__in=subscriptions)
        ).distinct(),
        "key": Credential.objects.filter(subscription__in=subscriptions),
        "block": Block.objects.filter(subscription__in=subscriptions),
    }
    return rows.get(kind)


def newest_deployments(gateway: Gateway) -> QuerySet[Deployment]:
    """The history of a gateway, newest first."""
    return Deployment.objects.filter(gateway=gateway).order_by("-id")
