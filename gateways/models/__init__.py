"""The data planes, what is published on them, and the proof of what they serve."""

from gateways.models.deployment import Deployment, DeploymentQuerySet, DeploymentStep
from gateways.models.drift import DriftFinding, DriftFindingQuerySet
from gateways.models.gateway import Gateway, GatewayListener, GatewayNode, GatewayQuerySet
from gateways.models.handed_out import HandedOut
from gateways.models.proof import AppliedObject, EnforcementState
from gateways.models.publication import BasePathClaim, Publication, PublicationQuerySet
from gateways.models.remote import RemoteObject

__all__ = [
    "AppliedObject",
    "BasePathClaim",
    "Deployment",
    "DeploymentQuerySet",
    "DeploymentStep",
    "DriftFinding",
    "DriftFindingQuerySet",
    "EnforcementState",
    "Gateway",
    "GatewayListener",
    "GatewayNode",
    "GatewayQuerySet",
    "HandedOut",
    "Publication",
    "PublicationQuerySet",
    "RemoteObject",
]
