"""The abstract record: public id, row version, times; and the states that some records have."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.models.errors import TransitionNotAllowed

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32 without i, l, o, u


def new_public_id(prefix: str) -> str:
    """`prefix_` and 26 characters: 48 bits of milliseconds, 80 random bits, so that ids sort by time (ULID)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    digits = "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{digits}"


class PublicIdField(TextField):
    """The only id seen outside. Made with the instance, before insert, and never used again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(max_length=40, unique=True, editable=False)
        super().__init__(*args, **kwargs)
        self.prefix = ""

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        self.prefix = getattr(cls, "public_id_prefix", "")

    def has_default(self) -> bool:
        return True

    def get_default(self) -> str:
        return new_public_id(self.prefix)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("max_length", "unique", "editable"):
            kwargs.pop(fixed, None)
        return name, path, args, kwargs


class RecordQuerySet[M: models.Model](models.QuerySet[M]):
    """Base of every QuerySet; subclasses add `visible_to(actor)` and `manageable_by(actor)`."""


class Record(models.Model):
    """A row with a public id and a version that every save raises (the ETag of the REST API)."""

    public_id_prefix: ClassVar[str]
    locked_after: ClassVar[tuple[str, ...]] = ()
    """Foreign keys whose rows every action locks before this one; who locks a row for itself keeps that order."""

    public_id = PublicIdField()
    row_version = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.row_version += 1
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "row_version", "updated_at"}
        super().save(*args, **kwargs)


class TonedChoices(models.TextChoices):
    """Choices that carry a tone beside value and label: `LIVE = "live", "live", _("Live")`.

    Tones are those of the look: live, push, hold, fail, off. A template reads them, it never decides.
    """

    tone: str

    def __new__(cls, value: str, tone: str = "off") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.tone = tone
        return member


class Stateful(models.Model):
    """A record with a `state` and a dict of legal `moves`. The caller holds the row lock."""

    moves: ClassVar[Mapping[str, frozenset[str]]]
    state: Any

    class Meta:
        abstract = True

    def may_move_to(self, state: str) -> bool:
        """Whether the move is legal from where this object is now."""
        return state in self.moves.get(self.state, frozenset())

    def move_to(self, state: str) -> None:
        """Set `state` (not saved). Raises TransitionNotAllowed when the move is not legal."""
        if not self.may_move_to(state):
            raise TransitionNotAllowed(
                _(
                    "%(object)s is %(now)s and cannot become %(then)s. Reload the page to see its present state."
                )
                % {"object": self, "now": self.state, "then": state}
            )
        self.state = state
