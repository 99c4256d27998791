"""Enforcement as pages and REST show it: one part for each gateway, and all of them in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from gateways.models import EnforcementState

State = EnforcementState


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One process of a gateway, as it last reported."""

    name: str
    state: str
    label: Any
    tone: str
    version: int
    heartbeat_at: datetime | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One gateway's part. `note` says in words what is the matter, where something is."""

    gateway: str
    slug: str
    state: State
    confirmed_at: datetime | None = None
    asked_at: datetime | None = None
    note: str = ""
    nodes: tuple[NodeLine, ...] = ()

    @property
    def label(self) -> str:
        return str(self.state.label).lower()

    @property
    def tone(self) -> str:
        return self.state.tone

    @property
    def took(self) -> timedelta | None:
        """From the decision to the read-back, where both are known and it is over."""
        if self.state not in (State.LIVE, State.REMOVED) or not self.confirmed_at or not self.asked_at:
            return None
        return max(self.confirmed_at - self.asked_at, timedelta(0))


@dataclass(frozen=True, slots=True)
class Enforcement:
    """All gateways that have to do with one object. `remark` qualifies "live": a standing block, for one."""

    kind: str
    public_id: str
    segments: tuple[Segment, ...] = ()
    remark: str = ""

    @property
    def moving(self) -> bool:
        """Whether it will look different soon, so that a page keeps asking."""
        return any(
            segment.state in (State.PUSHING, State.REMOVING, State.FAILED) for segment in self.segments
        )

    @property
    def is_live(self) -> bool:
        """Whether it is in force on every gateway that it should be on, and there is one."""
        return bool(self.segments) and all(segment.state is State.LIVE for segment in self.segments)

    @property
    def sentence(self) -> str:
        """In words: "live on 2 of 3 gateways"."""
        return sentence_of([segment.state for segment in self.segments])


def sentence_of(states: Sequence[State]) -> str:
    """Sum up the states of several gateways; what still has to happen is said before what is done."""
    total, gone = len(states), states.count(State.REMOVED)
    if not total:
        return _("not on a gateway")
    if gone + states.count(State.REMOVING) == total:
        if gone == total:
            return ngettext("removed from %(n)s gateway", "removed from all %(n)s gateways", total) % {
                "n": total
            }
        return _("removed from %(count)s of %(total)s gateways") % {"count": gone, "total": total}
    live = states.count(State.LIVE)
    if live == total:
        return ngettext("live on %(n)s gateway", "live on all %(n)s gateways", total) % {"n": total}
    return _("live on %(count)s of %(total)s gateways") % {"count": live, "total": total}


# ---- of what ----
