"""The next thing to do for a function: the first rule that finds a difference names it.

The order is that of the calls that AWS needs: role, function, code, configuration, version, aliases, warm environments,
what is no longer needed. Lambda's states: https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html.
"""

from __future__ import annotations

from aws.pushes.alias_moves import aliases, drop_aliases, events, prune, warm
from aws.pushes.function_moves import (
    code,
    configuration,
    create,
    delete_function,
    delete_role,
    loosen_reserved,
    publish,
    role,
    settled,
    tags,
    tighten_reserved,
)
from aws.pushes.reality import Reality
from aws.pushes.values import Move, Rule
from aws.pushes.wanted import Wanted

STAYING: tuple[Rule, ...] = (
    role,
    create,
    settled,
    tags,
    code,
    configuration,
    loosen_reserved,
    publish,
    aliases,
    warm,
    tighten_reserved,
    events,
    drop_aliases,
    prune,
)
LEAVING: tuple[Rule, ...] = (delete_function, delete_role)


def next_move(wanted: Wanted, reality: Reality) -> Move | None:
    """What is to be done next; None when AWS is as decided. Raises AwsError for what no push can put right."""
    rules = LEAVING if wanted.is_gone else STAYING
    return next((move for rule in rules if (move := rule(wanted, reality)) is not None), None)
