"""What is published of a function, and the names that stand for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from aws.models.function import LambdaFunction

if TYPE_CHECKING:
    from teams.models import Actor

ALIAS_NAME = RegexValidator(
    r"^(?![0-9]+$)[a-zA-Z0-9-_]+$",
    _("Write letters, digits, dashes and underscores, and not digits alone."),
)


class FunctionVersionQuerySet(RecordQuerySet["FunctionVersion"]):
    def visible_to(self, actor: Actor) -> FunctionVersionQuerySet:
        return self.filter(function__in=LambdaFunction.objects.visible_to(actor))

    def wanted(self) -> FunctionVersionQuerySet:
        return self.filter(state=FunctionVersion.State.WANTED)

    def published(self) -> FunctionVersionQuerySet:
        """Those that are in AWS."""
        return self.filter(state=FunctionVersion.State.PUBLISHED)


class FunctionVersion(Stateful, Record):
    """A frozen version. AWS gives the number; until then it is wanted. Where nothing had changed since the last one,
    AWS makes none: the row says so, and which one stands for it."""

    public_id_prefix = "lfv"
    locked_after = ("function",)

    class State(TonedChoices):
        WANTED = "wanted", "push", _("Being published")
        PUBLISHED = "published", "live", _("Published")
        SAME = "same", "off", _("Nothing had changed")
        PRUNING = "pruning", "push", _("Being deleted")
        PRUNED = "pruned", "off", _("Deleted")

    moves: ClassVar = {
        State.WANTED: frozenset({State.PUBLISHED, State.SAME}),
        State.PUBLISHED: frozenset({State.PRUNING, State.PRUNED}),
        State.SAME: frozenset(),
        State.PRUNING: frozenset({State.PRUNED, State.PUBLISHED}),
        State.PRUNED: frozenset(),
    }

    function = models.ForeignKey(LambdaFunction, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=9, choices=State, default=State.WANTED)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    runtime = models.CharField(max_length=32, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    author = models.CharField(max_length=200, blank=True)
    same_as = models.ForeignKey("self", on_delete=models.PROTECT, null=True)
    published_at = models.DateTimeField(null=True)

    objects: ClassVar[FunctionVersionQuerySet] = FunctionVersionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["function", "number"], name="function_version_once"),
            models.UniqueConstraint(
                fields=["function"], condition=Q(state="wanted"), name="function_version_wanted_once"
            ),
        ]

    def __str__(self) -> str:
        return _("version %(n)s") % {"n": self.number} if self.number else str(_("a new version"))

    @property
    def audit_team_id(self) -> str:
        return self.function.audit_team_id


class FunctionAliasQuerySet(RecordQuerySet["FunctionAlias"]):
    def visible_to(self, actor: Actor) -> FunctionAliasQuerySet:
        return self.filter(function__in=LambdaFunction.objects.visible_to(actor))

    def current(self) -> FunctionAliasQuerySet:
        """Those that shall be there."""
        return self.filter(removed_at=None)


class FunctionAlias(Record):
    """A name for a version; `second` takes `weight` of a hundred calls, where it is set.

    `previous` is what it stood for before, for the way back. AWS keeps warm environments (`provisioned`) only while
    there is no second version.
    """

    public_id_prefix = "lfa"
    locked_after = ("function",)

    function = models.ForeignKey(LambdaFunction, on_delete=models.PROTECT, related_name="aliases")
    name = models.CharField(_("name"), max_length=128, validators=[ALIAS_NAME])
    version = models.ForeignKey(
        FunctionVersion, on_delete=models.PROTECT, related_name="aliases", verbose_name=_("version")
    )
    second = models.ForeignKey(
        FunctionVersion,
        on_delete=models.PROTECT,
        related_name="second_aliases",
        null=True,
        blank=True,
        verbose_name=_("second version"),
    )
    weight = models.PositiveSmallIntegerField(
        _("share of the second version (%)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(99)],
    )
    previous = models.ForeignKey(
        FunctionVersion, on_delete=models.PROTECT, related_name="previous_aliases", null=True, blank=True
    )
    provisioned = models.PositiveIntegerField(
        _("provisioned concurrency"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    removed_at = models.DateTimeField(null=True, editable=False)
    is_gone = models.BooleanField(default=False, editable=False)

    objects: ClassVar[FunctionAliasQuerySet] = FunctionAliasQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["function", "name"],
                condition=Q(removed_at=None),
                name="function_alias_once",
                violation_error_message=_("The function has an alias of this name. Change that one."),
            ),
            models.CheckConstraint(
                condition=Q(second=None, weight=None) | Q(second__isnull=False, weight__isnull=False),
                name="function_alias_second_has_weight",
            ),
            models.CheckConstraint(
                condition=Q(second=None) | ~Q(second=F("version")),
                name="function_alias_two_versions",
                violation_error_message=_("Choose two versions that differ."),
            ),
            models.CheckConstraint(
                condition=Q(second=None) | Q(provisioned=None),
                name="function_alias_weighted_or_warm",
                violation_error_message=_(
                    "AWS keeps no provisioned concurrency while two versions share an alias. End one of them first."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_team_id(self) -> str:
        return self.function.audit_team_id
