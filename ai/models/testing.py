"""What a prompt must answer before it goes out, and what it did answer."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from ai.models.catalogue import AiModel
from ai.models.prompt import Prompt, PromptVersion
from audit.models import Record, TonedChoices


class Check(models.TextChoices):
    """How an output is compared with what is expected."""

    EXACT = "exact", _("is exactly")
    CONTAINS = "contains", _("contains")
    REGEX = "regex", _("matches the expression")
    JSON_SCHEMA = "json_schema", _("follows the JSON Schema")


class TestCase(Record):
    """Values for the variables of a prompt, and what its output must be. `expected` is a text, or JSON for a schema."""

    __test__ = False  # not a test of ours: pytest takes classes by their names
    public_id_prefix = "tcs"
    locked_after = ("prompt",)

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="test_cases")
    name = models.CharField(_("name"), max_length=80)
    values = models.JSONField(_("values"), default=dict)
    check_kind = models.CharField(_("check"), max_length=12, choices=Check, default=Check.CONTAINS)
    expected = models.TextField(_("expected"), max_length=20_000)
    is_required = models.BooleanField(_("must pass before publishing"), default=True)
    retired_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["prompt", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.prompt.team.public_id


class TestRun(Record):
    """All test cases of a prompt, run against one version and one model (null: the models of its route)."""

    __test__ = False
    public_id_prefix = "trn"

    class State(TonedChoices):
        QUEUED = "queued", "push", _("Queued")
        RUNNING = "running", "push", _("Running")
        PASSED = "passed", "live", _("Passed")
        FAILED = "failed", "fail", _("Failed")
        BROKEN = "broken", "fail", _("Could not be run")

    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="test_runs")
    version = models.ForeignKey(PromptVersion, on_delete=models.PROTECT, related_name="test_runs")
    model = models.ForeignKey(AiModel, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    problem = models.CharField(max_length=300, blank=True)
    started_by = models.CharField(max_length=200)
    finished_at = models.DateTimeField(null=True)

    ENDED: ClassVar = (State.PASSED, State.FAILED, State.BROKEN)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.version}: {self.state}"

    @property
    def audit_team_id(self) -> str:
        return self.prompt.team.public_id


class TestResult(models.Model):
    """One case of a run. `latency_ms`, `cost_nano` (1e-9 of `currency`): as the runtime told; null: not known."""

    __test__ = False

    run = models.ForeignKey(TestRun, on_delete=models.CASCADE, related_name="results")
    case = models.ForeignKey(TestCase, on_delete=models.PROTECT, related_name="results")
    passed = models.BooleanField()
    output = models.TextField(blank=True)
    problem = models.CharField(max_length=400, blank=True)
    model_name = models.CharField(max_length=220, blank=True)
    latency_ms = models.FloatField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    cost_nano = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        ordering = ["run", "case_id"]
        constraints = [models.UniqueConstraint(fields=["run", "case"], name="test_result_once")]

    def __str__(self) -> str:
        return f"{self.case}: {'passed' if self.passed else 'failed'}"
