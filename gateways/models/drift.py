"""What a gateway was seen to do that nobody decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from gateways.models.gateway import Gateway

if TYPE_CHECKING:
    from teams.models import Actor

STANDING = ("open", "ignored")


class DriftFindingQuerySet(RecordQuerySet["DriftFinding"]):
    def visible_to(self, actor: Actor) -> DriftFindingQuerySet:
        """Findings of visible gateways; what they name of other teams is left to those who oversee all."""
        return self.filter(gateway__in=Gateway.objects.visible_to(actor))

    def standing(self) -> DriftFindingQuerySet:
        """Those that are still there: open ones, and ignored ones that the gateway still shows."""
        return self.filter(state__in=STANDING)

    def open(self) -> DriftFindingQuerySet:
        """Those that wait for somebody."""
        return self.filter(state="open")


class DriftFinding(Stateful, Record):
    """One thing that a node of a gateway was seen to do and nobody decided, from first to last sight.

    `kind` and `object_id` name an object of the engine, or a part of the gateway's own configuration (`file`,
    `listener`, `cluster`...). `digest` names what is there: the same drift again is the same row, another one
    opens an ignored row again. `difference` is `{"fields": [[name, before, after]], "seen": {...}}`, never with
    a secret; `seen` is kept only of what can be adopted. `doubts` are the kinds of object that nobody can
    vouch for while it stands, `urgent` says that access is at stake, so that it is put right at once.
    `seen_version` is the last push before it was last seen: one that is gone after a later push was overwritten.
    `node` is empty for a gateway without nodes.
    """

    public_id_prefix = "drf"

    class Sort(TonedChoices):
        GHOST = "ghost", "fail", _("Not known here")
        MISSING = "missing", "fail", _("Missing")
        CHANGED = "changed", "hold", _("Changed")
        FOREIGN = "foreign", "hold", _("Foreign")

    class State(TonedChoices):
        OPEN = "open", "fail", _("Open")
        IGNORED = "ignored", "off", _("Ignored")
        ADOPTED = "adopted", "live", _("Adopted")
        OVERWRITTEN = "overwritten", "live", _("Overwritten")
        GONE = "gone", "off", _("Gone by itself")

    moves: ClassVar = {
        State.OPEN: frozenset({State.IGNORED, State.ADOPTED, State.OVERWRITTEN, State.GONE}),
        State.IGNORED: frozenset({State.OPEN, State.ADOPTED, State.OVERWRITTEN, State.GONE}),
        State.ADOPTED: frozenset(),
        State.OVERWRITTEN: frozenset(),
        State.GONE: frozenset(),
    }

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="drift_findings")
    node = models.CharField(max_length=80, blank=True)
    kind = models.CharField(max_length=16)
    object_id = models.CharField(max_length=120)
    label = models.CharField(max_length=200)
    sort = models.CharField(max_length=8, choices=Sort)
    digest = models.CharField(max_length=64)
    difference = models.JSONField(default=dict, blank=True)
    doubts = models.JSONField(default=list, blank=True)
    urgent = models.BooleanField(default=False)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    seen_version = models.PositiveBigIntegerField(default=0)
    state = models.CharField(max_length=11, choices=State, default=State.OPEN)
    reason = models.CharField(max_length=400, blank=True)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[DriftFindingQuerySet] = DriftFindingQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-urgent", "-first_seen", "-id"]
        indexes = [
            models.Index(fields=["gateway", "-id"], name="drift_finding_history"),
            models.Index(
                fields=["kind", "object_id"], name="drift_finding_standing", condition=Q(state__in=STANDING)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "node", "kind", "object_id"],
                name="drift_finding_standing_once",
                condition=Q(state__in=STANDING),
            ),
            models.CheckConstraint(
                condition=~Q(state="ignored") | ~Q(reason=""), name="drift_finding_ignored_with_reason"
            ),
            models.CheckConstraint(
                condition=Q(state="open") | Q(decided_at__isnull=False), name="drift_finding_end_has_time"
            ),
            models.CheckConstraint(
                condition=Q(last_seen__gte=models.F("first_seen")), name="drift_finding_seen_in_order"
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def audit_team_id(self) -> str:
        """Gateways, and what is found on them, belong to no team."""
        return ""

    @property
    def is_standing(self) -> bool:
        return self.state in STANDING

    @property
    def fields(self) -> list[tuple[str, str, str]]:
        """(name, before, after) of what differs."""
        return [(str(name), str(old), str(new)) for name, old, new in self.difference.get("fields", [])]

    @property
    def seen(self) -> dict[str, Any]:
        """What is there, where it can be adopted; empty otherwise."""
        found = self.difference.get("seen")
        return found if isinstance(found, dict) else {}

    @property
    def is_adoptable(self) -> bool:
        """Whether the portal could take it over. Only the addresses and times of an upstream ever are."""
        return self.is_standing and bool(self.seen)
