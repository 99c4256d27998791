"""A data plane, where it listens, and its processes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apis.models import Environment
from audit.models import Record, RecordQuerySet, TonedChoices
from aws.models import AwsAccount
from teams.models import Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor

HEARTBEAT_LIMIT = timedelta(seconds=20)
"""A node that was silent for longer is counted as away."""


class GatewayQuerySet(RecordQuerySet["Gateway"]):
    def visible_to(self, actor: Actor) -> GatewayQuerySet:
        """Gateways are shared by all teams: whoever may publish or oversees the platform sees them."""
        return self if actor.may(Verb.GATEWAY_VIEW) else self.none()

    def manageable_by(self, actor: Actor) -> GatewayQuerySet:
        return self if actor.everywhere(Verb.GATEWAY_MANAGE) else self.none()

    def active(self) -> GatewayQuerySet:
        return self.filter(retired_at=None)

    def for_publishers(self) -> GatewayQuerySet:
        """Those that an API can be published on: AI runtimes stand behind them and are no choice."""
        return self.active().exclude(kind=Gateway.Kind.AI_RUNTIME)


class Gateway(Record):
    """A data plane. `token_sealed` opens its agents, which prove themselves with it too (`token_digest`).

    `version` orders pushes. A reconcile holds the lease (`lease_owner` until `lease_until`); it is taken by
    a conditional UPDATE and never by a transaction held across network calls. `behind_since` is set when
    something that concerns this gateway was decided and not yet confirmed, `rung_at` when that happened
    last: a run clears the former only if the latter has not moved meanwhile. `retry_at` is when a failed or
    partial run is to be repeated, `failures` how many failed in a row, `compared_at` when desired and proven
    state were last compared. `pushed_version` and `pushed_digest` are what the last push made every node
    serve, `pushed_setup` is the digest of the listeners, options and number of nodes that it was made for.
    `drift_policy` says what becomes of drift that is not urgent, `inspect_at` when its configuration is read
    next, `inspected_at` when all of it was read last, `unread` (`[{"node", "why"}]`) what could not be since.
    While `held_since` is set nothing goes out but the end of access that this database knows of: the gateway
    was found to know more than the database (`held_reason`), and a person has to look first.
    One of kind `aws` is API Gateway in one Region of an account.
    """

    public_id_prefix = "gw"

    class Kind(models.TextChoices):
        ENVOY = "envoy", _("Envoy")
        NGINX = "nginx", _("nginx")
        AI_RUNTIME = "ai_runtime", _("AI runtime")
        AWS = "aws", _("AWS API Gateway")
        MEMORY = "memory", _("Memory")

    class DriftPolicy(models.TextChoices):
        REPORT = "report", _("Report it and wait for a person")
        OVERWRITE = "overwrite", _("Overwrite it at once")

    slug = models.CharField(_("short name"), max_length=48, unique=True, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    options = models.JSONField(_("options"), default=dict, blank=True)
    aws_account = models.ForeignKey(
        AwsAccount,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="gateways",
        verbose_name=_("AWS account"),
    )
    aws_region = models.CharField(_("Region"), max_length=24, blank=True, db_default="", default="")
    version = models.PositiveBigIntegerField(default=0, editable=False)
    token_sealed = models.BinaryField(default=bytes, editable=False)
    token_digest = models.BinaryField(max_length=32, default=bytes, editable=False)
    token_digest_key = models.PositiveSmallIntegerField(default=0, editable=False)
    lease_owner = models.CharField(max_length=64, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    behind_since = models.DateTimeField(null=True, editable=False)
    rung_at = models.DateTimeField(null=True, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False)
    compared_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    pushed_version = models.PositiveBigIntegerField(default=0, editable=False)
    pushed_digest = models.CharField(max_length=64, blank=True, editable=False)
    pushed_setup = models.CharField(max_length=64, blank=True, editable=False)
    drift_policy = models.CharField(
        _("drift"), max_length=9, choices=DriftPolicy, default=DriftPolicy.REPORT, db_default="report"
    )
    inspect_at = models.DateTimeField(null=True, editable=False)
    inspected_at = models.DateTimeField(null=True, editable=False)
    unread = models.JSONField(
        default=list, db_default=Value([], models.JSONField()), blank=True, editable=False
    )
    held_since = models.DateTimeField(null=True, editable=False)
    held_reason = models.CharField(max_length=300, blank=True, db_default="", default="", editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[GatewayQuerySet] = GatewayQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="aws", aws_account__isnull=False) & ~Q(aws_region="")
                | ~Q(kind="aws") & Q(aws_account=None, aws_region=""),
                name="gateway_aws_account",
                violation_error_message=_(
                    "AWS API Gateway needs an account and a Region, and no other kind has them."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_at_aws(self) -> bool:
        """Whether it is API Gateway: no agents and ports, and each publication gets an address of its own."""
        return self.kind == self.Kind.AWS

    @property
    def has_nodes(self) -> bool:
        """Whether processes of it report to the portal."""
        return self.kind not in (self.Kind.AWS, self.Kind.MEMORY)

    @property
    def audit_team_id(self) -> str:
        """Gateways belong to no team."""
        return ""


class GatewayListener(Record):
    """Where one Environment is served: `port` on every node, `public_url` is what callers use.

    A gateway at AWS has neither: that there is a listener says that the Environment is served there, and the address
    comes with each publication (`gateways/queries/addresses.py`).
    """

    public_id_prefix = "lsn"

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="listeners")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="listeners")
    port = models.PositiveIntegerField(_("port"), null=True, blank=True)
    host = models.CharField(_("host"), max_length=253, blank=True)
    public_url = models.CharField(_("public address"), max_length=300, blank=True)

    class Meta:
        ordering = ["gateway", "environment__position"]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "environment"], name="gateway_listener_environment_once"
            ),
            models.UniqueConstraint(fields=["gateway", "port", "host"], name="gateway_listener_address_once"),
            models.CheckConstraint(
                condition=Q(port=None, host="", public_url="") | Q(port__isnull=False) & ~Q(public_url=""),
                name="gateway_listener_port_with_address",
                violation_error_message=_("A listener has both a port and an address, or neither."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.environment} on {self.gateway}"


class GatewayNode(Record):
    """One process of a gateway and its last heartbeat. `version` and `digest` are what it says it serves."""

    public_id_prefix = "node"

    class State(TonedChoices):
        SERVING = "serving", "live", _("Serving")
        STARTING = "starting", "push", _("Starting")
        AWAY = "away", "fail", _("Silent")

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="nodes")
    name = models.CharField(max_length=80)
    agent_url = models.CharField(max_length=300)
    software = models.CharField(max_length=80, blank=True)
    serving = models.BooleanField(default=False)
    version = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["gateway", "name"]
        constraints = [models.UniqueConstraint(fields=["gateway", "name"], name="gateway_node_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> State:
        """Worked out from the heartbeat, never stored."""
        if self.heartbeat_at is None or timezone.now() - self.heartbeat_at > HEARTBEAT_LIMIT:
            return self.State.AWAY
        return self.State.SERVING if self.serving else self.State.STARTING

    @staticmethod
    def alive() -> Q:
        """Nodes that count: not retired, heard of lately."""
        return Q(retired_at=None, heartbeat_at__gt=timezone.now() - HEARTBEAT_LIMIT)
