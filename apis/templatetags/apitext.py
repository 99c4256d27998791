"""Texts that publishers wrote, made safe to show: `{% load apitext %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from apis.markdown import safe_html
from apis.models import QUOTA_OVERSHOOT

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown as HTML. The only way in which a text of a publisher becomes markup: apis.markdown sanitises it."""
    return mark_safe(safe_html(text))  # noqa: S308  sanitised by nh3 inside


@register.simple_tag
def plan_limits(plan: Any) -> Any:
    """The limits on offer of a plan that was read with `newest`."""
    return plan.newest[0]


@register.simple_tag
def quota_bound() -> str:
    """How exactly a quota is kept, wherever one is shown."""
    seconds = int(QUOTA_OVERSHOOT.total_seconds())
    return _(
        "Quotas are counted from the gateways' logs: calls may pass for up to %(n)s seconds after one is used up."
    ) % {"n": seconds}
