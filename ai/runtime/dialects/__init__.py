"""How vendors are spoken to, by the word that a provider's configuration has for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ai.runtime.dialects.anthropic import AnthropicDialect
from ai.runtime.dialects.azure import AzureDialect
from ai.runtime.dialects.bedrock import BedrockDialect
from ai.runtime.dialects.contract import Dialect
from ai.runtime.dialects.gemini import GeminiDialect
from ai.runtime.dialects.openai import OpenAIDialect

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": OpenAIDialect(),
        "azure": AzureDialect(),
        "anthropic": AnthropicDialect(),
        "gemini": GeminiDialect(),
        "bedrock": BedrockDialect(),
    }
)
