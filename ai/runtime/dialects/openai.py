"""OpenAI's dialect, and that of everybody who is compatible with it: most vendors, vLLM, Ollama, LM Studio, LiteLLM.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ai.pricing import Usage
from ai.runtime.dialects.chat import texts
from ai.runtime.dialects.contract import (
    MOST_MESSAGE_CHARACTERS,
    Answer,
    Json,
    Outgoing,
    joined_url,
    malformed,
    reading,
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
        lacks = model.provider.options.get("lacks", "")
        if "max_completion_tokens" in lacks and sent.get("max_completion_tokens"):
            sent["max_tokens"] = sent.pop("max_completion_tokens")
        if stream:
            sent["stream"] = True
            if "stream_options" not in lacks:
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
        if not isinstance(plain.get("choices"), list) or not plain["choices"]:
            raise malformed("it has no choices")
        with reading():
            choices = [_choice(place, choice) for place, choice in enumerate(plain["choices"])]
            head = {"object": "chat.completion", "created": int(time.time())}
            return Answer({**head, **plain, "choices": choices}, usage_of(plain.get("usage")))

    def embedded(self, body: bytes) -> Answer:
        """A list of embeddings."""
        plain = loaded(body)
        raise_error_within(plain)
        if not isinstance(plain.get("data"), list):
            raise malformed("it has no data")
        with reading():
            if any(not isinstance(one["embedding"], list | str) for one in plain["data"]):
                raise malformed("it has no embeddings")
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
        with reading():
            self.note(chunk)
        yield chunk

    def note(self, chunk: Json) -> None:
        """Take down what a chunk says of usage and of the end."""
        if chunk.get("usage"):
            self.usage = usage_of(chunk["usage"])
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            _flatten(delta)
            for place, call in enumerate(delta.get("tool_calls") or ()):
                call.setdefault("index", place)
                texts((call.get("function") or {}).get("arguments") or "")
            if choice.get("finish_reason"):
                self.is_complete = True


def _choice(place: int, choice: Json) -> Json:
    """A choice with all that clients rely on, some of which compatible servers leave out."""
    message = choice["message"]
    _flatten(message)
    for call in message.get("tool_calls") or ():
        arguments = call["function"]["arguments"]
        if isinstance(arguments, dict):
            arguments = call["function"]["arguments"] = orjson.dumps(arguments).decode()
        call["id"] = call.get("id") or f"call_{uuid.uuid4().hex[:24]}"
        texts(call["id"], call["function"]["name"], arguments)
    said = {"role": "assistant", "content": None, "refusal": None, **message}
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    return {"index": place, "finish_reason": finish, "logprobs": None, **choice, "message": said}


def _flatten(said: Json) -> None:
    """Content in parts, as Mistral's, becomes one text; what it thought stands beside it."""
    content = said.get("content")
    if isinstance(content, list):
        said["content"] = "".join(part.get("text", "") for part in content)
    texts(said.get("content") or "")


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
    names = ("code", "type", "status", "__type")
    found = [error[name] for name in names if isinstance(error.get(name), str) and error[name]]
    code = found[0] if found else error.get("code") or ""
    return str(message)[:MOST_MESSAGE_CHARACTERS], str(code)


def usage_of(plain: Any) -> Usage | None:
    """OpenAI's usage: cached tokens are within the prompt's, reasoning is within the completion's.

    xAI's reasoning is beside the completion (BerriAI/litellm#14874), which shows in the total.
    """
    if not isinstance(plain, dict):
        return None
    inputs, outputs = plain.get("prompt_tokens_details") or {}, plain.get("completion_tokens_details") or {}
    asked, said = number(plain.get("prompt_tokens")), number(plain.get("completion_tokens"))
    reasoning = number(outputs.get("reasoning_tokens"))
    is_beside = reasoning > 0 and number(plain.get("total_tokens")) == asked + said + reasoning
    return Usage(
        input=asked,
        output=said + reasoning if is_beside else said,
        cached_input=number(inputs.get("cached_tokens") or plain.get("prompt_cache_hit_tokens")),
        cache_write=number(inputs.get("cache_write_tokens")),
        reasoning=reasoning,
        input_audio=number(inputs.get("audio_tokens")),
        output_audio=number(outputs.get("audio_tokens")),
    ).if_any()


def number(value: Any) -> int:
    """A count; 0 for anything that is none."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0


def usage_plain(usage: Usage) -> Json:
    """The inverse of `usage_of`."""
    written = {"cache_write_tokens": usage.cache_write} if usage.cache_write else {}
    inputs = {"cached_tokens": usage.cached_input, "audio_tokens": usage.input_audio, **written}
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": inputs,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.output_audio,
        },
    }
