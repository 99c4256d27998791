"""What a rule answers: a call to make, a rest until AWS has done its part, or something that was found done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aws.pushes.reality import FUNCTION, Reality
from aws.pushes.wanted import Wanted

POLL_S = 2.0
"""How often a state of Lambda is looked at again."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `name` is the step of the journal, `forgets` the parts of what was read that it makes stale.

    `missing_is_done`: it deletes what may be gone already.
    """

    name: str
    service: str
    operation: str
    params: Mapping[str, Any]
    detail: str = ""
    forgets: tuple[str, ...] = (FUNCTION,)
    missing_is_done: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing can be done until AWS has done its part."""

    why: str
    forgets: tuple[str, ...] = (FUNCTION,)
    seconds: float = POLL_S


@dataclass(frozen=True, slots=True)
class Published:
    """The wanted version is there, as AWS tells it."""

    version_id: str
    told: Mapping[str, Any]


type Move = Call | Rest | Published
type Rule = Callable[[Wanted, Reality], Move | None]
