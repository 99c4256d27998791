"""AI vendors and their models, what they cost, the aliases that calls name, and prompts."""

from ai.models.catalogue import AiModel, ModelPrice
from ai.models.prompt import Prompt, PromptLabel, PromptVersion
from ai.models.provider import Provider, ProviderKey
from ai.models.route import ModelRoute, RouteTarget
from ai.models.testing import Check, TestCase, TestResult, TestRun

__all__ = [
    "AiModel",
    "Check",
    "ModelPrice",
    "ModelRoute",
    "Prompt",
    "PromptLabel",
    "PromptVersion",
    "Provider",
    "ProviderKey",
    "RouteTarget",
    "TestCase",
    "TestResult",
    "TestRun",
]
