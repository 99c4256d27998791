"""What is published: APIs with their versions, revisions and plans, where their traffic goes, and environments."""

from apis.models.api import Api, ApiQuerySet, ApiShare, ApiVersion, ApiVersionQuerySet, Visibility
from apis.models.environment import Environment, EnvironmentClass
from apis.models.plan import QUOTA_OVERSHOOT, Plan, PlanLimits, PlanQuerySet, PlanRevision
from apis.models.revision import Revision
from apis.models.spec import Operation, SpecDocument
from apis.models.upstream import Upstream, UpstreamBinding, UpstreamQuerySet

__all__ = [
    "QUOTA_OVERSHOOT",
    "Api",
    "ApiQuerySet",
    "ApiShare",
    "ApiVersion",
    "ApiVersionQuerySet",
    "Environment",
    "EnvironmentClass",
    "Operation",
    "Plan",
    "PlanLimits",
    "PlanQuerySet",
    "PlanRevision",
    "Revision",
    "SpecDocument",
    "Upstream",
    "UpstreamBinding",
    "UpstreamQuerySet",
    "Visibility",
]
