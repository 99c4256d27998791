"""Azure OpenAI: OpenAI's bodies at the address of a deployment, with a key header of its own.

https://learn.microsoft.com/en-us/azure/ai-services/openai/reference
"""

from __future__ import annotations

from urllib.parse import quote

from ai.runtime.dialects.openai import OpenAIDialect
from ai.runtime.snapshot import Model

API_VERSION = "2024-10-21"


class AzureDialect(OpenAIDialect):
    """The model's remote name is the name of the deployment. Option `api_version` picks another version."""

    def url(self, model: Model, path: str) -> str:
        """`{base}/openai/deployments/{deployment}/{path}?api-version=...`."""
        version = model.provider.options.get("api_version") or API_VERSION
        deployment = quote(model.remote, safe="")
        return f"{model.provider.base_url}/openai/deployments/{deployment}/{path}?api-version={quote(version, safe='')}"
