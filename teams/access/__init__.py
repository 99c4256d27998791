"""Who may enter a route: every page and every REST action declares its rule here. A route without one fails CI.

Together with `models`, `actions` and `queries` this is what other apps may import of `teams`.
"""

from teams.access.pages import HtmxHttpRequest, htmx_partial, page
from teams.access.rest import ResourceViewSet, rule_of_view
from teams.access.rules import AGENT, MONITOR, OPEN, SIGNED_IN, Rule, platform_wide

__all__ = [
    "AGENT",
    "MONITOR",
    "OPEN",
    "SIGNED_IN",
    "HtmxHttpRequest",
    "ResourceViewSet",
    "Rule",
    "htmx_partial",
    "page",
    "platform_wide",
    "rule_of_view",
]
