"""What models of well-known families can do, by the beginning of their names. Price catalogues do not say it.

A first guess for models that are seeded: what is wrong is changed by hand on the provider's page, and stays so. Each
row holds for its prefix; the longest that fits counts. Vendors' model pages, read in autumn 2026.
"""

from __future__ import annotations

_JSON = ("json_mode", "json_schema")
_OPENAI = ("tools", *_JSON, "vision")
FAMILIES: dict[str, tuple[str, ...]] = {
    "gpt-3.5-turbo": ("tools", "json_mode"),
    "gpt-4": ("tools",),
    "gpt-4-turbo": ("tools", "json_mode", "vision"),
    "gpt-4o": _OPENAI,
    "gpt-4.1": _OPENAI,
    "gpt-5": (*_OPENAI, "reasoning"),
    "gpt-6": (*_OPENAI, "reasoning"),
    "gpt-chat": _OPENAI,
    "chatgpt-4o": _OPENAI,
    "gpt-oss": ("tools", *_JSON, "reasoning"),
    "o1": (*_OPENAI, "reasoning"),
    "o3": (*_OPENAI, "reasoning"),
    "o4": (*_OPENAI, "reasoning"),
    "claude-3": ("tools", "vision", "files"),
    "claude-": ("tools", "json_schema", "vision", "files", "reasoning"),
    "gemini-": ("tools", *_JSON, "vision", "files", "audio"),
    "gemini-2.5": ("tools", *_JSON, "vision", "files", "audio", "reasoning"),
    "gemini-3": ("tools", *_JSON, "vision", "files", "audio", "reasoning"),
    "gemini-4": ("tools", *_JSON, "vision", "files", "audio", "reasoning"),
    "gemma-3": ("json_mode", "vision"),
    "mistral-": ("tools", *_JSON),
    "ministral-": ("tools", *_JSON),
    "magistral-": ("tools", *_JSON, "reasoning"),
    "codestral": ("tools", *_JSON),
    "devstral": ("tools", *_JSON),
    "pixtral": ("tools", *_JSON, "vision"),
    "deepseek-": ("tools", "json_mode"),
    "deepseek-r": ("json_mode", "reasoning"),
    "deepseek-reasoner": ("tools", "json_mode", "reasoning"),
    "grok-": ("tools", *_JSON),
    "grok-4": ("tools", *_JSON, "vision", "reasoning"),
    "command-": ("tools", *_JSON),
    "llama-3": ("tools", "json_mode"),
    "llama-4": ("tools", "json_mode", "vision"),
    "qwen": ("tools", "json_mode"),
    "qwen3": ("tools", "json_mode", "reasoning"),
    "kimi-": ("tools", "json_mode"),
    "glm-": ("tools", "json_mode", "reasoning"),
    "minimax-": ("tools",),
    "sonar": ("json_schema",),
    "nova-": ("tools", "vision"),
}
MODES = (
    ("embedding", ("embed", "bge-", "gte-", "voyage-", "e5-")),
    ("audio", ("whisper", "transcribe", "tts", "audio", "realtime", "sonic", "voxtral", "live")),
    ("image", ("image", "dall-e", "flux", "imagen", "stable-diffusion")),
    ("moderation", ("moderation",)),
)
"""The kind of a model by a word in its name; the rest are for chat."""


def capabilities_of(remote: str) -> list[str]:
    """What the model called `remote` can do as far as known; every model for chat can stream."""
    bare = remote.lower().rsplit("/", 1)[-1]
    parts = (bare, bare.partition(".")[2], bare.rpartition("anthropic.")[2])
    fitting = [prefix for prefix in FAMILIES if any(part.startswith(prefix) for part in parts if part)]
    return ["stream", *(FAMILIES[max(fitting, key=len)] if fitting else ())]


def mode_of(remote: str) -> str:
    """`chat`, `embedding`, `audio`, `image` or `moderation`."""
    bare = remote.lower().rsplit("/", 1)[-1]
    return next((mode for mode, words in MODES if any(word in bare for word in words)), "chat")
