"""AWS Bedrock: the Converse API, signed with SigV4 or with a Bedrock key.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
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
    malformed,
    reading,
    retry_after_seconds,
)
from ai.runtime.dialects.event_stream import EventStream
from ai.runtime.dialects.openai import COOL_S, common_headers, error_of, loaded, number
from ai.runtime.errors import VendorError, VendorFailure
from ai.runtime.snapshot import Model, Provider
from ai.runtime.sse import Event

_FOREIGN = (
    *("logprobs", "top_logprobs", "logit_bias", "seed", "presence_penalty", "frequency_penalty", "top_k"),
    *("audio", "prediction", "web_search_options", "reasoning_effort", "verbosity", "parallel_tool_calls"),
)
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_STATUS = {
    "throttlingException": 429,
    "validationException": 400,
    "modelStreamErrorException": 502,
    "internalServerException": 500,
    "serviceUnavailableException": 503,
}
_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.")
_FORMATS = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}


class BedrockDialect:
    """Chat completions as conversations. A key is `ACCESS_KEY_ID:SECRET[:SESSION_TOKEN]`, or a Bedrock key."""

    passes_chat = False

    def chat(self, model: Model, key: str, body: Json, *, stream: bool) -> Outgoing:
        """A Converse request. Raises NotSupported for what it has nothing for."""
        path = f"/model/{quote(model.remote, safe='')}/{'converse-stream' if stream else 'converse'}"
        with asking():
            payload = orjson.dumps(_converse_body(body))
        url = f"{model.provider.base_url}{path}"
        headers = common_headers(model.provider)
        return Outgoing(url, {**headers, **_authorised(model.provider, key, url, payload)}, payload)

    def embeddings(self, model: Model, key: str, body: Json) -> Outgoing:
        """Each family of models has another form for them."""
        raise NotSupported("embeddings through Bedrock: choose a model of another provider")

    def embedded(self, body: bytes) -> Answer:
        """There are none."""
        raise malformed("it has no embeddings")

    def answer(self, body: bytes) -> Answer:
        """The output message as a completion."""
        with reading():
            return self._answer(loaded(body))

    def _answer(self, plain: Json) -> Answer:
        message = (plain.get("output") or {}).get("message")
        if not isinstance(message, dict):
            raise malformed("it has no message")
        text: list[str] = []
        reasoning: list[str] = []
        calls: list[Json] = []
        for block in message.get("content") or ():
            if "text" in block:
                text.append(block["text"])
            elif "toolUse" in block:
                use = block["toolUse"]
                arguments = orjson.dumps(use.get("input") or {}).decode()
                calls.append(tool_call(len(calls), use["toolUseId"], use["name"], arguments))
            elif "reasoningContent" in block:
                reasoning.append((block["reasoningContent"].get("reasoningText") or {}).get("text", ""))
        finish = _FINISH.get(plain.get("stopReason") or "", "stop")
        content = "".join(text) if text or not calls else None
        chat = completion(
            f"chatcmpl-{uuid.uuid4().hex}", "", content, calls, finish, reasoning="".join(reasoning)
        )
        return Answer(chat, usage_of(plain.get("usage")))

    def framing(self) -> EventStream:
        """AWS's event stream."""
        return EventStream()

    def reader(self) -> BedrockReader:
        """A reader of its events."""
        return BedrockReader()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> VendorFailure:
        """The `message` member; the type stands in a header."""
        message, code = error_of(body)
        code = headers.get("x-amzn-errortype", "").partition(":")[0] or code
        cool = (retry_after_seconds(headers) or COOL_S) if status == 429 else 0.0
        return VendorFailure(
            status, message or f"The vendor answered {status}.", code, cool, headers=dict(headers)
        )


# ---- requests ----


def _converse_body(body: Json) -> Json:
    refuse_what_is_set(body, _FOREIGN, "Bedrock")
    system, rest = split_system(body["messages"])
    sent: Json = {"messages": _merged(_messages(rest))}
    if system:
        sent["system"] = [{"text": system}]
    limits = {
        "maxTokens": max_tokens(body),
        "temperature": body.get("temperature"),
        "topP": body.get("top_p"),
        "stopSequences": stops(body) or None,
    }
    found = {name: value for name, value in limits.items() if value is not None}
    if found:
        sent["inferenceConfig"] = found
    schema = json_schema_of(body)
    if schema is not None:
        sent["outputConfig"] = _output_config(schema)
    sent.update(_tools(body, sent["messages"]))
    return sent


def _output_config(schema: Json) -> Json:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html: the schema is a text there."""
    if not schema:
        raise NotSupported("an answer of any JSON, which Bedrock does not have: name a schema")
    structure = {"jsonSchema": {"name": "output", "schema": orjson.dumps(schema).decode()}}
    return {"textFormat": {"type": "json_schema", "structure": structure}}


def _tools(body: Json, messages: list[Json]) -> Json:
    """There is no way to name tools and forbid them, and none to leave them out once they were called."""
    tools = [{"toolSpec": _tool_spec(function)} for function in functions(body)]
    if not tools:
        return {}
    if body.get("tool_choice") == "none":
        if any("toolUse" in block for message in messages for block in message["content"]):
            raise NotSupported("tool_choice none after a call of a tool, which Bedrock does not have")
        return {}
    choice = _choice(body.get("tool_choice"))
    return {"toolConfig": {"tools": tools, **({"toolChoice": choice} if choice else {})}}


def _tool_spec(function: Json) -> Json:
    spec: Json = {
        "name": function["name"],
        "inputSchema": {"json": function.get("parameters") or {"type": "object", "properties": {}}},
    }
    return {**spec, "description": function["description"]} if function.get("description") else spec


def _choice(wanted: Any) -> Json | None:
    if isinstance(wanted, dict):
        return {"tool": {"name": wanted["function"]["name"]}}
    return {"required": {"any": {}}, "auto": {"auto": {}}}.get(wanted or "")


def _messages(messages: Iterable[Json]) -> Iterator[Json]:
    for message in messages:
        match message["role"]:
            case "user":
                yield {"role": "user", "content": [_block(part) for part in parts_of(message.get("content"))]}
            case "assistant":
                yield {"role": "assistant", "content": list(_said(message))}
            case "tool":
                content = [{"text": text_of(message.get("content"))}]
                result = {"toolUseId": message["tool_call_id"], "content": content}
                yield {"role": "user", "content": [{"toolResult": result}]}
            case role:
                raise NotSupported(f"a message of the role {role!r}")


def _said(message: Json) -> Iterator[Json]:
    text = text_of(message.get("content"))
    if text:
        yield {"text": text}
    for call in message.get("tool_calls") or ():
        use = {"toolUseId": call["id"], "name": call["function"]["name"], "input": arguments_of(call)}
        yield {"toolUse": use}


def _block(part: Json) -> Json:
    if part.get("type") == "text":
        return {"text": part["text"]}
    if part.get("type") == "image_url":
        found = data_url(part["image_url"]["url"])
        if found and found[0] in _FORMATS:
            return {"image": {"format": _FORMATS[found[0]], "source": {"bytes": found[1]}}}
        raise NotSupported("an image by address: Bedrock takes PNG, JPEG, GIF and WebP as data URLs")
    if part.get("type") == "file":
        found = data_url(part["file"].get("file_data", ""))
        if found and found[0] == "application/pdf":
            name = re.sub(r"[^0-9A-Za-z]+", "-", part["file"].get("filename") or "document")
            return {"document": {"format": "pdf", "name": name, "source": {"bytes": found[1]}}}
    raise NotSupported(f"a part of type {part.get('type')!r}, which Bedrock does not have")


def _merged(messages: Iterable[Json]) -> list[Json]:
    found: list[Json] = []
    for message in messages:
        if found and found[-1]["role"] == message["role"]:
            found[-1]["content"].extend(message["content"])
        elif message["content"]:
            found.append(message)
    return found


# ---- signatures ----


def _authorised(provider: Provider, key: str, url: str, payload: bytes) -> dict[str, str]:
    access, colon, rest = key.partition(":")
    if not colon:
        return {"authorization": f"Bearer {key}"}
    secret, _, token = rest.partition(":")
    region = provider.options.get("region") or region_of(url)
    return signed(
        url, payload, access, secret, token, region=region, service="bedrock", now=datetime.now(UTC)
    )


def region_of(url: str) -> str:
    """The region in the name of an AWS host, also of an endpoint in a private network."""
    found = _REGION.search(urlsplit(url).hostname or "")
    return found[1] if found else "us-east-1"


def signed(
    url: str,
    payload: bytes,
    access: str,
    secret: str,
    token: str,
    *,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """The headers that sign a POST with a JSON body.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    parts = urlsplit(url)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"content-type": "application/json", "host": parts.netloc, "x-amz-date": stamp}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            *("POST", quote(parts.path, safe="/-_.~"), parts.query),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            *("", names, hashlib.sha256(payload).hexdigest()),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signing = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    signature = hmac.digest(signing, to_sign.encode(), "sha256").hex()
    del headers["host"], headers["content-type"]
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


# ---- answers ----


def usage_of(plain: Any) -> Usage | None:
    """Bedrock counts cached tokens beside the input."""
    if not isinstance(plain, dict):
        return None
    cached, written = number(plain.get("cacheReadInputTokens")), number(plain.get("cacheWriteInputTokens"))
    return Usage(
        input=number(plain.get("inputTokens")) + cached + written,
        output=number(plain.get("outputTokens")),
        cached_input=cached,
        cache_write=written,
    ).if_any()


class BedrockReader:
    """The events of a conversation as chunks."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.is_complete = False
        self._chunks = Chunks()
        self._chunks.id = f"chatcmpl-{uuid.uuid4().hex}"
        self._calls: dict[int, int] = {}

    def read(self, event: Event) -> Iterator[Json]:
        """The chunks of an event; the name of an exception is the event's name."""
        plain, name = loaded(event.data), event.name.decode()
        if name.endswith("xception"):
            text = str(plain.get("message") or "The model answered with an error.")
            raise VendorError(VendorFailure(_STATUS.get(name, 502), text, name))
        with reading():
            yield from self._read(name, plain)

    def _read(self, name: str, plain: Json) -> Iterator[Json]:
        match name:
            case "messageStart":
                yield self._chunks.delta(content="")
            case "contentBlockStart":
                yield from self._block(plain)
            case "contentBlockDelta":
                yield from self._delta(plain)
            case "messageStop":
                self.is_complete = True
                yield self._chunks.end(_FINISH.get(plain.get("stopReason") or "", "stop"))
            case "metadata":
                self.usage = usage_of(plain.get("usage")) or self.usage

    def _block(self, plain: Json) -> Iterator[Json]:
        use = (plain.get("start") or {}).get("toolUse")
        if use:
            place = self._calls[plain["contentBlockIndex"]] = len(self._calls)
            yield self._chunks.delta(tool_calls=[tool_call(place, use["toolUseId"], use["name"], "")])

    def _delta(self, plain: Json) -> Iterator[Json]:
        delta = plain["delta"]
        if "text" in delta:
            yield self._chunks.delta(content=delta["text"])
        elif "toolUse" in delta:
            place = self._calls[plain["contentBlockIndex"]]
            call = {"index": place, "function": {"arguments": delta["toolUse"]["input"]}}
            yield self._chunks.delta(tool_calls=[call])
        elif "text" in (delta.get("reasoningContent") or {}):
            yield self._chunks.delta(reasoning_content=delta["reasoningContent"]["text"])
