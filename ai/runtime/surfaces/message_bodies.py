"""Bodies of Anthropic's Messages API as chat completions, and back. https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ai.pricing import Usage
from ai.runtime.dialects.chat import arguments_of, parts_of, text_of
from ai.runtime.dialects.contract import Json, NotSupported
from ai.runtime.errors import Code, Refused

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_KEPT = ("temperature", "top_p", "top_k", "stream", "variables")


def only_native(plain: Json) -> list[str]:
    """What a message request asks for that a chat completion has nothing for."""
    found = []
    if (plain.get("thinking") or {}).get("type") not in {None, "disabled"}:
        found.append("thinking")
    if (plain.get("output_config") or {}).get("effort"):
        found.append("output_config.effort")
    return found + [name for name in ("context_management",) if plain.get(name)]


def chat_of(plain: Json) -> Json:
    """A message request as a chat completion. Raises NotSupported, KeyError or TypeError."""
    chat: Json = {name: plain[name] for name in _KEPT if plain.get(name) is not None}
    system = text_of(plain.get("system"))
    messages = [{"role": "system", "content": system}] if system else []
    for message in plain.get("messages") or ():
        messages.extend(_chat_messages(message))
    chat.update(model=plain.get("model"), messages=messages)
    user = (plain.get("metadata") or {}).get("user_id")
    if user:
        chat["user"] = user
    if plain.get("max_tokens"):
        chat["max_completion_tokens"] = plain["max_tokens"]
    if plain.get("stop_sequences"):
        chat["stop"] = plain["stop_sequences"]
    if plain.get("tools"):
        chat["tools"] = [_tool(tool) for tool in plain["tools"]]
    choice = plain.get("tool_choice")
    if choice:
        chat["tool_choice"] = _choice(choice)
        if choice.get("disable_parallel_tool_use"):
            chat["parallel_tool_calls"] = False
    schema = ((plain.get("output_config") or {}).get("format") or {}).get("schema")
    if schema:
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    return chat


def _tool(tool: Json) -> Json:
    if tool.get("type") not in {None, "custom"}:
        raise NotSupported(f"the tool {tool.get('type')}, which only Anthropic's own servers run")
    function = {
        "name": tool["name"],
        "parameters": tool["input_schema"],
        "description": tool.get("description", ""),
    }
    return {"type": "function", "function": function}


def _choice(choice: Json) -> Any:
    match choice["type"]:
        case "tool":
            return {"type": "function", "function": {"name": choice["name"]}}
        case "any":
            return "required"
        case kind:
            return kind


def _chat_messages(message: Json) -> Iterator[Json]:
    """Results of tools are messages of their own there."""
    blocks = parts_of(message["content"])
    for block in blocks:
        if block.get("type") == "tool_result":
            content = text_of(block.get("content"))
            yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content}
    rest = [block for block in blocks if block.get("type") != "tool_result"]
    if message["role"] == "assistant":
        yield _said(rest)
    elif rest:
        yield {"role": message["role"], "content": _content([_part(block) for block in rest])}


def _said(blocks: Iterable[Json]) -> Json:
    text = "".join(block["text"] for block in blocks if block.get("type") == "text")
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": orjson.dumps(block.get("input") or {}).decode()},
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    return {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}


def _content(parts: list[Json]) -> Any:
    """One text where there is nothing else: many servers know no parts."""
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(block: Json) -> Json:
    match block.get("type"):
        case "text":
            return {"type": "text", "text": block["text"]}
        case "image":
            return {"type": "image_url", "image_url": {"url": _url(block["source"])}}
        case "document":
            return {
                "type": "file",
                "file": {"filename": block.get("title") or "document", "file_data": _url(block["source"])},
            }
        case kind:
            raise NotSupported(f"a block of type {kind!r}")


def _url(source: Json) -> str:
    match source["type"]:
        case "url":
            return str(source["url"])
        case "base64":
            return f"data:{source['media_type']};base64,{source['data']}"
        case "text":
            return f"data:text/plain;base64,{base64.b64encode(source['data'].encode()).decode()}"
        case kind:
            raise NotSupported(f"a source of type {kind!r}")


# ---- answers ----


def message_of(chat: Json, usage: Usage) -> Json:
    """A completion as a message."""
    choice = chat["choices"][0]
    said = choice["message"]
    content: list[Json] = []
    if said.get("content"):
        content.append({"type": "text", "text": said["content"]})
    for call in said.get("tool_calls") or ():
        name = call["function"]["name"]
        content.append({"type": "tool_use", "id": call["id"], "name": name, "input": _input(call)})
    return {
        "id": chat["id"],
        "type": "message",
        "role": "assistant",
        "model": chat["model"],
        "content": content,
        "stop_reason": STOP_REASONS.get(choice.get("finish_reason") or "stop", "end_turn"),
        "stop_sequence": None,
        "usage": usage_plain(usage),
    }


def _input(call: Json) -> Json:
    """The arguments of a call as an object, which they are not always: models write them."""
    try:
        return arguments_of(call)
    except NotSupported:
        text = f"The model called {call['function']['name']} with arguments that are no JSON object."
        raise Refused(502, Code.UPSTREAM_FAILED, text, again=False) from None


def usage_plain(usage: Usage) -> Json:
    """Anthropic counts cached tokens beside the input."""
    return {
        "input_tokens": max(0, usage.input - usage.cached_input - usage.cache_write),
        "output_tokens": usage.output,
        "cache_read_input_tokens": usage.cached_input,
        "cache_creation_input_tokens": usage.cache_write,
    }
