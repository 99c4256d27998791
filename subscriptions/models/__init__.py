"""Who may call: applications, what they asked for, what they were granted, their keys and blocks."""

from subscriptions.models.application import Application, ApplicationQuerySet
from subscriptions.models.budget import Budget, BudgetCount, BudgetQuerySet, BudgetTarget, Endpoint
from subscriptions.models.credential import Credential, CredentialQuerySet
from subscriptions.models.request import AccessRequest, AccessRequestQuerySet, DecisionStep
from subscriptions.models.rotation import MOST_OVERLAP, Rotation, RotationQuerySet
from subscriptions.models.subscription import Block, Subscription, SubscriptionQuerySet

__all__ = [
    "MOST_OVERLAP",
    "AccessRequest",
    "AccessRequestQuerySet",
    "Application",
    "ApplicationQuerySet",
    "Block",
    "Budget",
    "BudgetCount",
    "BudgetQuerySet",
    "BudgetTarget",
    "Credential",
    "CredentialQuerySet",
    "DecisionStep",
    "Endpoint",
    "Rotation",
    "RotationQuerySet",
    "Subscription",
    "SubscriptionQuerySet",
]
