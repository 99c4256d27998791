"""Who may call: applications, what they asked for, what they were granted, their keys and blocks."""

from subscriptions.models.application import Application, ApplicationQuerySet
from subscriptions.models.credential import Credential, CredentialQuerySet
from subscriptions.models.request import AccessRequest, AccessRequestQuerySet, DecisionStep
from subscriptions.models.subscription import Block, Subscription, SubscriptionQuerySet

__all__ = [
    "AccessRequest",
    "AccessRequestQuerySet",
    "Application",
    "ApplicationQuerySet",
    "Block",
    "Credential",
    "CredentialQuerySet",
    "DecisionStep",
    "Subscription",
    "SubscriptionQuerySet",
]
