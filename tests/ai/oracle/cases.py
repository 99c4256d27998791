"""What LiteLLM is asked to read: every golden body of a vendor, and variants of them that are priced otherwise."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ai.clients.made import made_clients
from tests.ai.dialects.support import read, stream_of
from tests.ai.vendor import Reply

CLAUDE_ON_BEDROCK = "anthropic.claude-sonnet-4-5-20250929-v1:0"
_TYPES = {
    "bedrock_stream.json": "application/vnd.amazon.eventstream",
    **{f"{name}_stream.sse": "text/event-stream" for name in ("openai", "azure", "anthropic", "gemini")},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One body: `dialect` is ours, `model` is LiteLLM's word for vendor and model. `usage` replaces counts in it."""

    name: str
    dialect: str
    body: str
    model: str
    usage: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_stream(self) -> bool:
        return self.body in _TYPES

    @property
    def bytes(self) -> bytes:
        """The body as the vendor sends it, without the notes on where it is documented."""
        if self.is_stream:
            lines = stream_of(self.body).split(b"\n")
            is_text = self.body.endswith(".sse")
            return b"\n".join(line for line in lines if not (is_text and line.startswith(b":")))
        plain = json.loads(read(self.body))
        key = "usageMetadata" if self.dialect == "gemini" else "usage"
        plain[key] = {**plain[key], **self.usage}
        if "model" in plain:  # LiteLLM goes by the prices of the model that answered
            plain["model"] = self.model.partition("/")[2]
        return json.dumps(plain).encode()

    @property
    def reply(self) -> Reply:
        """The whole answer of the vendor."""
        kind = _TYPES.get(self.body, "application/json")
        return Reply(headers={"content-type": kind}, pieces=[self.bytes])

    def asked(self, vendor_url: str) -> dict[str, Any]:
        """As the script with LiteLLM takes it."""
        options = OPTIONS[self.model.partition("/")[0]](f"{vendor_url}/{self.name}")
        return asked(self.name, self.model, options, stream=self.is_stream)


def asked(
    name: str, model: str, options: Mapping[str, Any], *, stream: bool, question: str = "Weather?"
) -> dict[str, Any]:
    """A case as the script with LiteLLM takes it."""
    return {"name": name, "model": model, "options": options, "stream": stream, "question": question}


OPTIONS: Mapping[str, Any] = {
    "openai": lambda url: {"api_base": f"{url}/v1", "api_key": "sk"},
    "deepseek": lambda url: {"api_base": f"{url}/v1", "api_key": "sk"},
    "xai": lambda url: {"api_base": f"{url}/v1", "api_key": "sk"},
    "azure": lambda url: {"api_base": url, "api_key": "sk", "api_version": "2024-10-21"},
    "anthropic": lambda url: {"api_base": f"{url}/v1/messages", "api_key": "sk"},
    "gemini": lambda url: {"api_base": f"{url}/v1beta", "api_key": "sk"},
    "bedrock": lambda url: {
        "aws_bedrock_runtime_endpoint": url,
        "aws_access_key_id": "AKIA0",
        "aws_secret_access_key": "secret",
        "aws_region_name": "eu-central-1",
    },
}
"""By vendor: how LiteLLM is led to a vendor at an address."""


def _cases() -> list[Case]:
    claude, bedrock = "anthropic/claude-sonnet-4-5-20250929", f"bedrock/{CLAUDE_ON_BEDROCK}"
    pro = "gemini/gemini-2.5-pro"
    cached = {"prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0}}
    thought = {"thinking_tokens": 40}
    return [
        *_golden("openai", "openai/gpt-5.1", "whole.json", "tools.json", "bare.json", "stream.sse"),
        *_golden("openai", "openai/gpt-audio", "audio.json"),
        Case("azure_whole", "azure", "openai_whole.json", "azure/gpt-5.1"),
        Case("azure_tools", "azure", "openai_tools.json", "azure/gpt-5.1"),
        *_golden("azure", "azure/gpt-4o", "stream.sse"),
        Case("deepseek_whole", "openai", "deepseek_whole.json", "deepseek/deepseek-chat"),
        Case("xai_whole", "openai", "xai_whole.json", "xai/grok-4.3"),
        *_golden("anthropic", claude, "whole.json", "tools.json"),
        *_golden("anthropic", "anthropic/claude-opus-4-6", "stream.sse"),
        *_golden("gemini", "gemini/gemini-2.5-flash", "whole.json", "tools.json", "blocked.json"),
        *_golden("gemini", pro, "stream.sse"),
        *_golden("bedrock", bedrock, "whole.json", "tools.json", "stream.json"),
        Case(
            "anthropic_counted",
            "anthropic",
            "anthropic_tools.json",
            claude,
            {"output_tokens_details": thought},
        ),
        # Dear from 200,000 tokens of input on, just below and just above; with what is cached and what is not.
        Case("gemini_at_tier", "gemini", "gemini_tools.json", pro, _gemini_counts(200_000)),
        Case("gemini_above_tier", "gemini", "gemini_tools.json", pro, _gemini_counts(200_001)),
        Case("bedrock_at_tier", "bedrock", "bedrock_whole.json", bedrock, {"inputTokens": 198_900}),
        Case("bedrock_above_tier", "bedrock", "bedrock_whole.json", bedrock, {"inputTokens": 198_901}),
        Case(
            "openai_long",
            "openai",
            "openai_whole.json",
            "openai/gpt-5.5",
            {"prompt_tokens": 300_000, **cached},
        ),
    ]


def _golden(dialect: str, model: str, *endings: str) -> list[Case]:
    return [
        Case(f"{dialect}_{ending.partition('.')[0]}", dialect, f"{dialect}_{ending}", model)
        for ending in endings
    ]


def _gemini_counts(inputs: int) -> dict[str, int]:
    cached = inputs // 2
    return {
        "promptTokenCount": inputs,
        "cachedContentTokenCount": cached,
        "thoughtsTokenCount": 500,
        "totalTokenCount": inputs + 530,
    }


CASES = {case.name: case for case in _cases()}


def asked_litellm(cases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What LiteLLM reads in the answers to `cases`, by name."""
    python = made_clients("compared") / "litellm" / "bin" / "python"
    script = Path(__file__).parent / "litellm_answers.py"
    clean = {"PATH": os.environ["PATH"], "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [python, script, json.dumps(cases)],
        env=clean,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))
