"""Lambda functions of teams, and the code that was handed in for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from aws.client.regions import partition_of
from aws.models.account import AwsAccount
from teams.models import Team, Verb
from teams.models.team import slug_validator

if TYPE_CHECKING:
    from teams.models import Actor


class LambdaFunctionQuerySet(RecordQuerySet["LambdaFunction"]):
    def visible_to(self, actor: Actor) -> LambdaFunctionQuerySet:
        """A team's own; all to whoever oversees the platform."""
        if actor.everywhere(Verb.FUNCTION_VIEW):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.FUNCTION_VIEW))

    def manageable_by(self, actor: Actor) -> LambdaFunctionQuerySet:
        if actor.everywhere(Verb.FUNCTION_EDIT):
            return self
        return self.filter(team_id__in=actor.team_ids(Verb.FUNCTION_EDIT))

    def current(self) -> LambdaFunctionQuerySet:
        """Those that are not gone."""
        return self.exclude(state=LambdaFunction.State.GONE)


class LambdaFunction(Stateful, Record):
    """A function of a team in one account and Region, as it shall be; pushes bring AWS to it.

    The environment is sealed (`aws/environments.py`); its names alone are shown. `role_arn` empty: the portal makes a
    role for it. `generation` rises with each decision, so that a push knows whether it carried out the last one. `seen`
    is what the last push read back: `{"sha256", "triggers", "open_policies", "unread", ...}`. Adopted ones were made by
    others: they are changed, and let go, but never deleted.
    """

    public_id_prefix = "lfn"

    class State(TonedChoices):
        NEW = "new", "push", _("Being made")
        ACTIVE = "active", "live", _("In AWS")
        LEAVING = "leaving", "push", _("Being deleted")
        GONE = "gone", "off", _("Gone")

    class Origin(models.TextChoices):
        CREATED = "created", _("made by the portal")
        ADOPTED = "adopted", _("adopted")

    class Package(models.TextChoices):
        ZIP = "zip", _("Zip")
        IMAGE = "image", _("Container image")

    class Architecture(models.TextChoices):
        X86 = "x86_64", "x86_64"
        ARM = "arm64", "arm64"

    moves: ClassVar = {
        State.NEW: frozenset({State.ACTIVE, State.LEAVING, State.GONE}),
        State.ACTIVE: frozenset({State.LEAVING, State.GONE}),
        State.LEAVING: frozenset({State.GONE}),
        State.GONE: frozenset(),
    }

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="functions", verbose_name=_("team"))
    account = models.ForeignKey(
        AwsAccount, on_delete=models.PROTECT, related_name="functions", verbose_name=_("AWS account")
    )
    region = models.CharField(_("Region"), max_length=32)
    slug = models.CharField(_("short name"), max_length=48, validators=[slug_validator])
    name = models.CharField(_("name"), max_length=80)
    remote_name = models.CharField(_("name in AWS"), max_length=64)
    origin = models.CharField(max_length=8, choices=Origin, default=Origin.CREATED)
    state = models.CharField(max_length=8, choices=State, default=State.NEW)
    package = models.CharField(_("package"), max_length=5, choices=Package, default=Package.ZIP)
    runtime = models.CharField(_("runtime"), max_length=32, blank=True)
    handler = models.CharField(_("handler"), max_length=128, blank=True)
    architecture = models.CharField(
        _("architecture"), max_length=8, choices=Architecture, default=Architecture.X86
    )
    memory_mb = models.PositiveIntegerField(
        _("memory (MB)"), default=256, validators=[MinValueValidator(128), MaxValueValidator(10_240)]
    )
    timeout_s = models.PositiveIntegerField(
        _("longest run (s)"), default=10, validators=[MinValueValidator(1), MaxValueValidator(900)]
    )
    role_arn = models.CharField(_("role"), max_length=600, blank=True)
    environment_sealed = models.BinaryField(default=bytes, editable=False)
    environment_names = ArrayField(models.CharField(max_length=256), default=list, blank=True)
    layers = ArrayField(
        models.CharField(max_length=200), verbose_name=_("layers"), default=list, blank=True, size=5
    )
    subnets = ArrayField(models.CharField(max_length=40), verbose_name=_("subnets"), default=list, blank=True)
    security_groups = ArrayField(
        models.CharField(max_length=40), verbose_name=_("security groups"), default=list, blank=True
    )
    dead_letter_arn = models.CharField(_("dead-letter queue or topic"), max_length=300, blank=True)
    on_success_arn = models.CharField(_("where results go"), max_length=300, blank=True)
    on_failure_arn = models.CharField(_("where failures go"), max_length=300, blank=True)
    tracing = models.BooleanField(_("X-Ray traces"), default=False)
    tags = models.JSONField(_("tags"), default=dict, blank=True)
    dropped_tags = ArrayField(models.CharField(max_length=128), default=list, blank=True)
    reserved = models.PositiveIntegerField(_("reserved concurrency"), null=True, blank=True)
    keeps_versions = models.PositiveSmallIntegerField(
        _("old versions to keep"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(500)],
    )
    events_set = models.BooleanField(default=False, editable=False)
    generation = models.PositiveBigIntegerField(default=1, editable=False)
    seen = models.JSONField(default=dict, blank=True)
    seen_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[LambdaFunctionQuerySet] = LambdaFunctionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slug"],
                condition=~Q(state="gone"),
                name="lambda_function_slug_once",
                violation_error_message=_("The team has a function with this short name. Choose another."),
            ),
            models.UniqueConstraint(
                fields=["account", "region", "remote_name"],
                condition=~Q(state="gone"),
                name="lambda_function_remote_once",
                violation_error_message=_(
                    "The portal has this function of the account already. Look for it in its team."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id

    @property
    def arn(self) -> str:
        """Without a qualifier."""
        partition = partition_of(self.region)
        return f"arn:{partition}:lambda:{self.region}:{self.account.number}:function:{self.remote_name}"

    @property
    def is_adopted(self) -> bool:
        return self.origin == self.Origin.ADOPTED

    @property
    def is_image(self) -> bool:
        return self.package == self.Package.IMAGE

    @property
    def is_leaving(self) -> bool:
        """Whether nothing may be decided about it any more."""
        return self.state in (self.State.LEAVING, self.State.GONE)

    @property
    def code(self) -> FunctionCode | None:
        """What was handed in last; None for an adopted one whose code nobody replaced. Its bytes stay unread."""
        return self.codes.defer("content").order_by("-id").first()


class FunctionCode(Record):
    """Code that was handed in: a zip, or where a container image is.

    `sha256` is AWS's CodeSha256: of a zip it is known beforehand, of an image when AWS has taken it. The bytes of a zip
    are dropped when a later one is in AWS: what was published is kept there.
    """

    public_id_prefix = "lfc"

    function = models.ForeignKey(LambdaFunction, on_delete=models.CASCADE, related_name="codes")
    image_uri = models.CharField(max_length=400, blank=True)
    content = models.BinaryField(default=bytes, editable=False)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    files = models.PositiveIntegerField(default=0)
    handed_in_by = models.CharField(max_length=200)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.image_uri or self.sha256[:12]

    @property
    def audit_team_id(self) -> str:
        return self.function.audit_team_id
