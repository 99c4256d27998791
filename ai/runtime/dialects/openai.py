"""OpenAI's dialect, and that of everybody who is compatible with it: most vendors, vLLM, Ollama, LM Studio, LiteLLM.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ai.pricing import Usage
from ai.runtime.dialects.contract import (
    MOST_MESSAGE_CHARACTERS,
    Answer,
    Json,
    Outgoing,
    joined_url,
    malformed,
    retry_after_seconds,
)
from ai.runtime.errors import VendorError, VendorFailure
from ai.runtime.snapshot import Model, Provider
from ai.runtime.sse import Event, EventReader

COOL_S = 20.0
"""How long a key rests after a 429 that names no time."""


class OpenAIDialect:
    """Chat completions and embeddings as OpenAI has them."""

    passes_chat = True

    def chat(self, model: Model, key: str, body: Json, *, stream: bool) -> Outgoing:
        """The body as it is, for this model. Usage is always asked for: without it a stream costs nobody knows what."""
        sent = {**body, "model": model.remote}
        if stream:
            sent["stream"] = True
            if "stream_options" not in model.provider.options.get("lacks", ""):
                sent["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return self.outgoing(model, key, "chat/completions", sent)

    def embeddings(self, model: Model, key: str, body: Json) -> Outgoing:
        """Likewise."""
        return self.outgoing(model, key, "embeddings", {**body, "model": model.remote})

    def outgoing(self, model: Model, key: str, path: str, body: Json) -> Outgoing:
        """A request to one of the vendor's paths."""
        url = self.url(model, path)
        return Outgoing(
            url, {**common_headers(model.provider), **auth_headers(model.provider, key)}, orjson.dumps(body)
        )

    def url(self, model: Model, path: str) -> str:
        """The address of a path."""
        return joined_url(model.provider.base_url, path)

    def answer(self, body: bytes) -> Answer:
        """A `chat.completion`. Some vendors answer 200 with an error in it."""
        plain = loaded(body)
        raise_error_within(plain)
        if not isinstance(plain.get("choices"), list):
            raise malformed("it has no choices")
        return Answer(plain, usage_of(plain.get("usage")))

    def embedded(self, body: bytes) -> Answer:
        """A list of embeddings."""
        plain = loaded(body)
        raise_error_within(plain)
        if not isinstance(plain.get("data"), list):
            raise malformed("it has no data")
        return Answer(plain, usage_of(plain.get("usage")))

    def framing(self) -> EventReader:
        """Server-sent events."""
        return EventReader()

    def reader(self) -> OpenAIReader:
        """A reader of chunks."""
        return OpenAIReader()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> VendorFailure:
        """The `error` member, or the text."""
        message, code = error_of(body)
        cool = (retry_after_seconds(headers) or COOL_S) if status == 429 else 0.0
        return VendorFailure(
            status, message or f"The vendor answered {status}.", code, cool, headers=dict(headers)
        )


class OpenAIReader:
    """Chunks as they come; usage from whichever chunk carries it (BerriAI/litellm#36168)."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.is_complete = False

    def read(self, event: Event) -> Iterator[Json]:
        """The chunk of an event."""
        if event.data == b"[DONE]":
            self.is_complete = True
            return
        chunk = loaded(event.data)
        raise_error_within(chunk)
        self.note(chunk)
        yield chunk

    def note(self, chunk: Json) -> None:
        """Take down what a chunk says of usage and of the end."""
        if chunk.get("usage"):
            self.usage = usage_of(chunk["usage"])
        for choice in chunk.get("choices") or ():
            if choice.get("finish_reason"):
                self.is_complete = True


def common_headers(provider: Provider) -> dict[str, str]:
    """Headers that hold no secret. `identity`: a compressed stream would be held back (Kong/kong#14893)."""
    return {"content-type": "application/json", "accept-encoding": "identity", **dict(provider.headers)}


def auth_headers(provider: Provider, key: str) -> dict[str, str]:
    """The header with the key: `bearer`, `header:NAME`, or `none`."""
    if not key or provider.auth == "none":
        return {}
    if provider.auth.startswith("header:"):
        return {provider.auth.removeprefix("header:"): key}
    return {"authorization": f"Bearer {key}"}


def loaded(body: bytes) -> Json:
    """A JSON object. Raises VendorError."""
    try:
        plain = orjson.loads(body)
    except ValueError:
        raise malformed("it is no JSON") from None
    if not isinstance(plain, dict):
        raise malformed("it is no object")
    return plain


def raise_error_within(plain: Json) -> None:
    """Raise VendorError for an error that came with status 200 (Portkey#267)."""
    error = plain.get("error")
    if not error:
        return
    message, code = _error(error)
    status = code_status(error.get("code") if isinstance(error, dict) else None)
    raise VendorError(VendorFailure(status, message or "The model answered with an error.", code))


def code_status(code: object) -> int:
    """The HTTP status that an error within an answer names, else 502."""
    try:
        number = int(str(code))
    except ValueError:
        return 429 if "rate" in str(code) else 502
    return number if 400 <= number < 600 else 502


def error_of(body: bytes) -> tuple[str, str]:
    """Message and code of an error body, whatever its form."""
    try:
        plain = orjson.loads(body)
    except ValueError:
        return body[:MOST_MESSAGE_CHARACTERS].decode("utf-8", "replace").strip(), ""
    if isinstance(plain, list) and plain:
        plain = plain[0]
    if not isinstance(plain, dict):
        return "", ""
    return _error(plain.get("error") or plain)


def _error(error: Any) -> tuple[str, str]:
    if not isinstance(error, dict):
        return str(error)[:MOST_MESSAGE_CHARACTERS], ""
    message = error.get("message") or error.get("detail") or error.get("Message") or ""
    code = error.get("code") or error.get("type") or error.get("status") or error.get("__type") or ""
    return str(message)[:MOST_MESSAGE_CHARACTERS], str(code)


def usage_of(plain: Any) -> Usage | None:
    """OpenAI's usage: cached tokens are within the prompt's, reasoning is within the completion's."""
    if not isinstance(plain, dict):
        return None
    inputs, outputs = plain.get("prompt_tokens_details") or {}, plain.get("completion_tokens_details") or {}
    return Usage(
        input=number(plain.get("prompt_tokens")),
        output=number(plain.get("completion_tokens")),
        cached_input=number(inputs.get("cached_tokens") or plain.get("prompt_cache_hit_tokens")),
        cache_write=number(inputs.get("cache_write_tokens")),
        reasoning=number(outputs.get("reasoning_tokens")),
        input_audio=number(inputs.get("audio_tokens")),
        output_audio=number(outputs.get("audio_tokens")),
    )


def number(value: Any) -> int:
    """A count; 0 for anything that is none."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0


def usage_plain(usage: Usage) -> Json:
    """The inverse of `usage_of`."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input, "audio_tokens": usage.input_audio},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.output_audio,
        },
    }
