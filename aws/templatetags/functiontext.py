"""What pages about functions say the same way everywhere. `{% load functiontext %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from aws.models import FunctionPush
from aws.pushes.runtimes import RUNTIMES

register = template.Library()

STEPS = {
    "take_over": _lazy("Read the function"),
    "make_role": _lazy("Make the role"),
    "set_rights": _lazy("Give the role its rights"),
    "make_function": _lazy("Make the function"),
    "tag": _lazy("Set tags"),
    "untag": _lazy("Take tags away"),
    "set_code": _lazy("Hand in the code"),
    "set_configuration": _lazy("Change the configuration"),
    "set_reserved": _lazy("Reserve concurrency"),
    "drop_reserved": _lazy("Reserve no concurrency"),
    "publish": _lazy("Publish a version"),
    "make_alias": _lazy("Make an alias"),
    "set_alias": _lazy("Point an alias"),
    "drop_alias": _lazy("Take an alias away"),
    "warm": _lazy("Keep environments warm"),
    "cool": _lazy("Keep no environments warm"),
    "set_destinations": _lazy("Say where results go"),
    "drop_destinations": _lazy("Say nothing about results"),
    "prune": _lazy("Delete a version"),
    "delete_function": _lazy("Delete the function"),
    "drop_rights": _lazy("Take the role its rights"),
    "delete_role": _lazy("Delete the role"),
    "look": _lazy("Look at triggers and permissions"),
}
REASONS = {
    "create": _lazy("made"),
    "adopt": _lazy("adopted"),
    "configure": _lazy("configured"),
    "code": _lazy("code handed in"),
    "reserve": _lazy("concurrency reserved"),
    "publish": _lazy("version published"),
    "alias": _lazy("alias set"),
    "roll_back": _lazy("alias rolled back"),
    "warm": _lazy("environments kept warm"),
    "prune": _lazy("versions pruned"),
    "delete": _lazy("deleted"),
    "look": _lazy("looked at"),
    "resume": _lazy("taken up again"),
}


@register.filter
def as_steps(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps of a journal for the component that shows progress."""
    return [
        {
            "label": STEPS.get(row["step"].name, row["step"].name),
            "tone": row["step"].State(row["step"].state).tone,
            "took": row["took"],
            "detail": _detail(row["step"]),
        }
        for row in rows
    ]


def _detail(step: Any) -> str:
    """What it was about; and what became of it, where that is not simply done."""
    if step.state in (step.State.AGAIN, step.State.UNKNOWN):
        return f"{step.detail} ({step.get_state_display()})" if step.detail else str(step.get_state_display())
    return str(step.detail)


@register.filter
def reasons_of(push: FunctionPush) -> str:
    """What was decided, each once, in order."""
    names = dict.fromkeys(reason["what"] for reason in push.reasons)
    return ", ".join(str(REASONS.get(name, name)) for name in names)


@register.filter
def askers_of(push: FunctionPush) -> str:
    """Who decided it."""
    return ", ".join(dict.fromkeys(reason["by"] for reason in push.reasons))


@register.filter
def runtime_name(name: str) -> str:
    """In AWS's spelling for people."""
    return RUNTIMES[name].label if name in RUNTIMES else name


@register.filter
def megabytes(size: int) -> str:
    """Of code."""
    return (
        _("%(size)s MB") % {"size": f"{size / 1024**2:,.1f}"} if size >= 1024**2 else f"{size / 1024:,.0f} KB"
    )
