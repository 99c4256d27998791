"""Google's Gemini API. https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import base64
import mimetypes
import re
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from ai.pricing import Usage
from ai.runtime.dialects.chat import (
    Chunks,
    arguments_of,
    completion,
    data_url,
    functions,
    json_schema_of,
    max_tokens,
    parts_of,
    refuse_what_is_set,
    split_system,
    stops,
    text_of,
    tool_call,
)
from ai.runtime.dialects.contract import (
    Answer,
    Json,
    NotSupported,
    Outgoing,
    asking,
    joined_url,
    malformed,
    reading,
    retry_after_seconds,
)
from ai.runtime.dialects.openai import (
    COOL_S,
    auth_headers,
    common_headers,
    error_of,
    loaded,
    number,
    raise_error_within,
)
from ai.runtime.errors import VendorFailure
from ai.runtime.snapshot import Model
from ai.runtime.sse import Event, EventReader

_FOREIGN = ("logit_bias", "audio", "prediction", "web_search_options", "verbosity", "parallel_tool_calls")
_RETRY_DELAY = re.compile(rb'"retryDelay":\s*"(\d{1,6}(?:\.\d+)?)s"')
_FINISH = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "LANGUAGE": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
}
_SETTINGS = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}


class GeminiDialect:
    """Chat completions as contents."""

    passes_chat = False

    def chat(self, model: Model, key: str, body: Json, *, stream: bool) -> Outgoing:
        """A request to generate content. Raises NotSupported for what Gemini has nothing for."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        with asking():
            sent = _content_body(body)
        return self._outgoing(model, key, method, sent)

    def embeddings(self, model: Model, key: str, body: Json) -> Outgoing:
        """All inputs in one request."""
        inputs = body.get("input")
        texts = [inputs] if isinstance(inputs, str) else list(inputs or ())
        if not all(isinstance(text, str) for text in texts):
            raise NotSupported("embeddings of token numbers, which Gemini does not have: send texts")
        extra = {"outputDimensionality": body["dimensions"]} if body.get("dimensions") else {}
        requests = [
            {"model": f"models/{model.remote}", "content": {"parts": [{"text": text}]}, **extra}
            for text in texts
        ]
        return self._outgoing(model, key, "batchEmbedContents", {"requests": requests})

    def answer(self, body: bytes) -> Answer:
        """Generated content as a completion."""
        plain = loaded(body)
        raise_error_within(plain)
        if not plain.get("candidates") and "promptFeedback" not in plain:
            raise malformed("it has no candidates")
        with reading():
            chunks = list(_Reading().read(plain))
            return Answer(_whole(plain, chunks), usage_of(plain.get("usageMetadata")))

    def embedded(self, body: bytes) -> Answer:
        """A list of embeddings. Gemini counts no tokens here."""
        plain = loaded(body)
        raise_error_within(plain)
        if not isinstance(plain.get("embeddings"), list):
            raise malformed("it has no embeddings")
        with reading():
            data = [
                {"object": "embedding", "index": place, "embedding": list(found["values"])}
                for place, found in enumerate(plain["embeddings"])
            ]
        return Answer({"object": "list", "data": data}, None)

    def framing(self) -> EventReader:
        """Server-sent events."""
        return EventReader()

    def reader(self) -> GeminiReader:
        """A reader of its events."""
        return GeminiReader()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> VendorFailure:
        """The `error` member, which says in its details how long to wait."""
        message, code = error_of(body)
        wait = retry_after_seconds(headers) or _retry_delay(body)
        cool = (wait or COOL_S) if status == 429 else 0.0
        return VendorFailure(
            status, message or f"The vendor answered {status}.", code, cool, headers=dict(headers)
        )

    def _outgoing(self, model: Model, key: str, method: str, body: Json) -> Outgoing:
        """The key goes in a header, never into the address, where logs and errors would show it (litellm#8075)."""
        headers = {**common_headers(model.provider), **auth_headers(model.provider, key)}
        url = joined_url(model.provider.base_url, f"models/{quote(model.remote, safe='')}:{method}")
        return Outgoing(url, headers, orjson.dumps(body))


def _retry_delay(body: bytes) -> float:
    """The `retryDelay` of google.rpc.RetryInfo, such as `34.074824224s`; 0 where there is none."""
    found = _RETRY_DELAY.search(body)
    return min(3600.0, float(found[1])) if found else 0.0


# ---- requests ----


def _content_body(body: Json) -> Json:
    refuse_what_is_set(body, _FOREIGN, "Gemini")
    system, rest = split_system(body["messages"])
    sent: Json = {"contents": _contents(rest)}
    if system:
        sent["systemInstruction"] = {"parts": [{"text": system}]}
    settings = _generation(body)
    if settings:
        sent["generationConfig"] = settings
    declared = [
        {
            "name": function["name"],
            "description": function.get("description") or "",
            **({"parametersJsonSchema": function["parameters"]} if function.get("parameters") else {}),
        }
        for function in functions(body)
    ]
    if declared:
        sent["tools"] = [{"functionDeclarations": declared}]
        choice = _choice(body.get("tool_choice"))
        if choice:
            sent["toolConfig"] = {"functionCallingConfig": choice}
    return sent


def _generation(body: Json) -> Json:
    found: Json = {theirs: body[ours] for ours, theirs in _SETTINGS.items() if body.get(ours) is not None}
    if max_tokens(body):
        found["maxOutputTokens"] = max_tokens(body)
    if stops(body):
        found["stopSequences"] = stops(body)
    schema = json_schema_of(body)
    if schema is not None:
        found["responseMimeType"] = "application/json"
        if schema:
            found["responseJsonSchema"] = schema
    effort = body.get("reasoning_effort")
    if effort:
        found["thinkingConfig"] = {"thinkingLevel": "low" if effort == "minimal" else effort}
    if body.get("logprobs"):
        found["responseLogprobs"] = True
        found["logprobs"] = body.get("top_logprobs") or 0
    return found


def _choice(wanted: Any) -> Json | None:
    if isinstance(wanted, dict):
        return {"mode": "ANY", "allowedFunctionNames": [wanted["function"]["name"]]}
    mode = {"required": "ANY", "none": "NONE", "auto": "AUTO"}.get(wanted or "")
    return {"mode": mode} if mode else None


def _contents(messages: Iterable[Json]) -> list[Json]:
    """Messages as contents; those of one role that follow each other are one."""
    names: dict[str, str] = {}
    found: list[Json] = []
    for message in messages:
        role, parts = _content(message, names)
        if found and found[-1]["role"] == role:
            found[-1]["parts"].extend(parts)
        elif parts:
            found.append({"role": role, "parts": parts})
    return found


def _content(message: Json, names: dict[str, str]) -> tuple[str, list[Json]]:
    match message["role"]:
        case "user":
            return "user", [_part(part) for part in parts_of(message.get("content"))]
        case "assistant":
            text = text_of(message.get("content"))
            parts: list[Json] = [{"text": text}] if text else []
            for call in message.get("tool_calls") or ():
                names[call["id"]] = call["function"]["name"]
                parts.append(_function_call(call))
            return "model", parts
        case "tool":
            return "user", [_function_response(message, names)]
        case role:
            raise NotSupported(f"a message of the role {role!r}")


def _function_call(call: Json) -> Json:
    part: Json = {"functionCall": {"name": call["function"]["name"], "args": arguments_of(call)}}
    signature = ((call.get("extra_content") or {}).get("google") or {}).get("thought_signature")
    return {**part, "thoughtSignature": signature} if signature else part


def _function_response(message: Json, names: Mapping[str, str]) -> Json:
    name = names.get(message.get("tool_call_id", ""))
    if name is None:
        raise NotSupported("the result of a tool call that is not in the conversation")
    text = text_of(message.get("content"))
    try:
        result = orjson.loads(text)
    except ValueError:
        result = text
    return {
        "functionResponse": {
            "name": name,
            "response": result if isinstance(result, dict) else {"result": result},
        }
    }


def _part(part: Json) -> Json:
    match part.get("type"):
        case "text":
            return {"text": part["text"]}
        case "image_url":
            return _media(part["image_url"]["url"], "image/*")
        case "file" if "file_data" in part["file"]:
            return _media(part["file"]["file_data"], "application/pdf")
        case "input_audio":
            audio = part["input_audio"]
            return {"inlineData": {"mimeType": f"audio/{audio['format']}", "data": audio["data"]}}
        case kind:
            raise NotSupported(f"a part of type {kind!r}, which Gemini does not have")


def _media(url: str, usual: str) -> Json:
    found = data_url(url)
    if found is None:
        kind = mimetypes.guess_type(urlsplit(url).path)[0] or usual
        return {"fileData": {"mimeType": kind, "fileUri": url}}
    return {"inlineData": {"mimeType": found[0], "data": found[1]}}


# ---- answers ----


class _Reading:
    """Turns contents into chunks, one after the other."""

    def __init__(self) -> None:
        self._chunks = Chunks()
        self._calls = 0

    def read(self, plain: Json) -> Iterator[Json]:
        self._chunks.id = str(plain.get("responseId", "")) or self._chunks.id
        self._chunks.model = str(plain.get("modelVersion", "")) or self._chunks.model
        if (plain.get("promptFeedback") or {}).get("blockReason"):
            yield self._chunks.delta(content="")
            yield self._chunks.end("content_filter")
        for candidate in (plain.get("candidates") or ())[:1]:
            for part in (candidate.get("content") or {}).get("parts") or ():
                yield from self._part(part)
            if candidate.get("finishReason"):
                yield self._chunks.end(self._finish(candidate["finishReason"]))

    def _finish(self, reason: str) -> str:
        found = _FINISH.get(reason, "stop")
        return "tool_calls" if found == "stop" and self._calls else found

    def _part(self, part: Json) -> Iterator[Json]:
        if "text" in part:
            name = "reasoning_content" if part.get("thought") else "content"
            yield self._chunks.delta(**{name: part["text"]})
        elif "functionCall" in part:
            call = part["functionCall"]
            arguments = orjson.dumps(call.get("args") or {}).decode()
            found = tool_call(
                self._calls, call.get("id") or f"call_{uuid.uuid4().hex[:24]}", call["name"], arguments
            )
            if part.get("thoughtSignature"):
                found["extra_content"] = {"google": {"thought_signature": part["thoughtSignature"]}}
            self._calls += 1
            yield self._chunks.delta(tool_calls=[found])


def _whole(plain: Json, chunks: Iterable[Json]) -> Json:
    text: list[str] = []
    reasoning: list[str] = []
    calls: list[Json] = []
    finish = "stop"
    for chunk in chunks:
        choice = chunk["choices"][0]
        delta = choice["delta"]
        text.append(delta.get("content") or "")
        reasoning.append(delta.get("reasoning_content") or "")
        calls.extend(delta.get("tool_calls") or ())
        finish = choice["finish_reason"] or finish
    content = "".join(text) or (None if calls else "")
    return completion(
        str(plain.get("responseId", "")),
        str(plain.get("modelVersion", "")),
        content,
        calls,
        finish,
        reasoning="".join(reasoning),
    )


def usage_of(plain: Any) -> Usage | None:
    """Gemini counts cached tokens within the prompt, and thoughts beside the candidates (BerriAI/litellm#14849)."""
    if not isinstance(plain, dict):
        return None
    thoughts = number(plain.get("thoughtsTokenCount"))
    return Usage(
        input=number(plain.get("promptTokenCount")) + number(plain.get("toolUsePromptTokenCount")),
        output=number(plain.get("candidatesTokenCount")) + thoughts,
        cached_input=number(plain.get("cachedContentTokenCount")),
        reasoning=thoughts,
        input_audio=_audio(plain.get("promptTokensDetails")),
        output_audio=_audio(plain.get("candidatesTokensDetails")),
    ).if_any()


def _audio(details: Any) -> int:
    return sum(number(d.get("tokenCount")) for d in details or () if d.get("modality") == "AUDIO")


class GeminiReader:
    """Each event is a piece of content. There is no last event: the end is a reason to finish."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self._reading = _Reading()

    def read(self, event: Event) -> Iterator[Json]:
        """The chunks of an event."""
        plain = loaded(event.data)
        raise_error_within(plain)
        with reading():
            self.usage = usage_of(plain.get("usageMetadata")) or self.usage
            for chunk in self._reading.read(plain):
                self.is_complete = self.is_complete or chunk["choices"][0]["finish_reason"] is not None
                yield chunk


def packed(values: Iterable[float]) -> str:
    """Numbers as base64 of little-endian floats, the form that OpenAI's clients ask for by default."""
    numbers = list(values)
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
