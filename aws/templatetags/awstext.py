"""What pages about AWS accounts say the same way everywhere. `{% load awstext %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from aws.models import Feature, Outcome

register = template.Library()

FEATURES = {
    Feature.REST: _lazy("API Gateway with keys, usage plans and request templates"),
    Feature.HTTP: _lazy("API Gateway's cheaper and faster kind, without keys and plans of its own"),
    Feature.FUNCTIONS: _lazy(
        "Makes functions whose names begin with the portal's prefix, and their versions"
    ),
    Feature.ADOPTED: _lazy("Changes functions that you have given the ownership tag yourself"),
    Feature.INVOKE: _lazy("Calls functions from the portal's pages"),
    Feature.VPC: _lazy("Reads which subnets and security groups there are"),
    Feature.IMAGES: _lazy("Reads images in your registry (ECR)"),
    Feature.ROLES: _lazy("Makes roles, never beyond a boundary that it cannot change"),
    Feature.SERVICES: _lazy("Lets such roles send messages and start executions"),
    Feature.TRACING: _lazy("Lets such roles send traces"),
    Feature.USAGE: _lazy("Reads metrics and access logs, so that calls stand on the charts"),
}
POLICIES = {
    "base": (_lazy("Every account"), _lazy("Reads the quotas of the account")),
    "never": (
        _lazy("Denied, whatever else is allowed"),
        _lazy("Other Regions, its own role, the boundary, secrets"),
    ),
}
CHECKS = {"identity": _lazy("Who the portal is there"), "external_id": _lazy("External id")}


@register.filter
def feature_name(name: str) -> str:
    """A feature, or a policy of the template, in words."""
    return str(POLICIES[name][0] if name in POLICIES else Feature(name).label)


@register.filter
def feature_words(name: str) -> str:
    """What it allows, in a sentence."""
    return str(POLICIES[name][1] if name in POLICIES else FEATURES[Feature(name)])


@register.filter
def check_name(check: str) -> str:
    """What a finding is about; a Region is its own name."""
    return str(CHECKS.get(check, check))


@register.filter
def outcome_of(finding: dict[str, Any]) -> Outcome:
    """For a pill."""
    return Outcome(finding["outcome"])


@register.filter
def amount_of(number: int, unit: str) -> str:
    """Bytes as GiB, everything else as it is, with commas."""
    if unit != "bytes":
        return f"{number:,}"
    return _("%(gib)s GiB") % {"gib": f"{number / 1024**3:,.1f}"}
