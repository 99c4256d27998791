"""What was found when somebody asked whether the portal can work in an account, and nobody else by its role."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, TonedChoices
from aws.models.account import AwsAccount

if TYPE_CHECKING:
    from teams.models import Actor


class Outcome(TonedChoices):
    """Of one finding."""

    GOOD = "good", "live", _("as it should be")
    WARNING = "warning", "hold", _("warning")
    BAD = "bad", "fail", _("refused")


class AccountProofQuerySet(RecordQuerySet["AccountProof"]):
    def visible_to(self, actor: Actor) -> AccountProofQuerySet:
        return self.filter(account__in=AwsAccount.objects.visible_to(actor))

    def unfinished(self) -> AccountProofQuerySet:
        return self.filter(state__in=(AccountProof.State.QUEUED, AccountProof.State.RUNNING))


class AccountProof(Record):
    """One look at an account: who we are there, whether the external id is asked for, and how far its quotas are used.

    `findings` is a list of `{"check", "outcome", "words"}` in the order of the look; `quotas` one of `{"region",
    "name", "label", "used", "limit", "raisable", "unit"}`. `regions` and `features` are those it was made for: what was
    switched on later is not proven by it. `waits_on` says which limit of AWS a queued one waits on.
    """

    public_id_prefix = "awsp"
    locked_after = ("account",)

    class State(TonedChoices):
        QUEUED = "queued", "push", _("Queued")
        RUNNING = "running", "push", _("Looking")
        PROVEN = "proven", "live", _("Proven")
        WARNED = "warned", "hold", _("Proven, with a warning")
        REFUSED = "refused", "fail", _("Refused")
        BROKEN = "broken", "fail", _("Could not be carried out")

    ENDED: ClassVar = (State.PROVEN, State.WARNED, State.REFUSED, State.BROKEN)

    account = models.ForeignKey(AwsAccount, on_delete=models.PROTECT, related_name="proofs")
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    findings = models.JSONField(default=list, blank=True)
    quotas = models.JSONField(default=list, blank=True)
    regions = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    features = ArrayField(models.CharField(max_length=16), default=list, blank=True)
    identity = models.CharField(max_length=600, blank=True)
    waits_on = models.CharField(max_length=200, blank=True)
    asked_by = models.CharField(max_length=200)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[AccountProofQuerySet] = AccountProofQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["account", "-id"], name="aws_proof_of_account")]

    def __str__(self) -> str:
        return f"{self.account}: {self.state}"

    @property
    def audit_team_id(self) -> str:
        return ""

    @property
    def is_over(self) -> bool:
        return self.state in self.ENDED
