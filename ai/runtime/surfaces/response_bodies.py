"""Bodies of OpenAI's Responses API as chat completions, and back. https://platform.openai.com/docs/api-reference/responses"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ai.pricing import Usage
from ai.runtime.dialects.chat import text_of
from ai.runtime.dialects.contract import Json, NotSupported
from ai.runtime.dialects.openai import number
from ai.runtime.work import Work

_KEPT = ("model", "temperature", "top_p", "stream", "user", "parallel_tool_calls", "service_tier")
_NEEDS_MEMORY = ("previous_response_id", "conversation", "background")


def chat_of(plain: Json) -> Json:
    """A response request as a chat completion. Raises NotSupported, KeyError or TypeError."""
    asked = [name for name in _NEEDS_MEMORY if plain.get(name)]
    if asked:
        raise NotSupported(
            f"{', '.join(asked)} needs answers that are kept, and none are. Send all of the input"
        )
    chat: Json = {name: plain[name] for name in _KEPT if plain.get(name) is not None}
    chat["messages"] = _joined(_messages(plain))
    verbosity = (plain.get("text") or {}).get("verbosity")
    if verbosity:
        chat["verbosity"] = verbosity
    if plain.get("max_output_tokens"):
        chat["max_completion_tokens"] = plain["max_output_tokens"]
    if plain.get("tools"):
        chat["tools"] = [_tool(tool) for tool in plain["tools"]]
    choice = plain.get("tool_choice")
    if choice:
        chat["tool_choice"] = (
            {"type": "function", "function": {"name": choice["name"]}} if isinstance(choice, dict) else choice
        )
    effort = (plain.get("reasoning") or {}).get("effort")
    if effort:
        chat["reasoning_effort"] = effort
    form = (plain.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        schema = {name: form[name] for name in ("name", "schema", "strict") if name in form}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif form.get("type") == "json_object":
        chat["response_format"] = {"type": "json_object"}
    prompt = plain.get("prompt")
    if prompt:
        version = f"@{prompt['version']}" if prompt.get("version") else ""
        variables = {name: _value(value) for name, value in (prompt.get("variables") or {}).items()}
        chat.update(model=f"prompt/{prompt['id']}{version}", variables=variables)
    return chat


def _value(value: Any) -> Any:
    """The value of a variable; a text may come as a part."""
    is_part = isinstance(value, dict) and value.get("type") == "input_text"
    return value["text"] if is_part else value


def _joined(messages: Iterable[Json]) -> list[Json]:
    """Messages with all that the model said and called at once in one, which its results must follow."""
    found: list[Json] = []
    for message in messages:
        calls = message.get("tool_calls")
        if calls and found and found[-1]["role"] == "assistant":
            found[-1]["tool_calls"] = [*found[-1].get("tool_calls", ()), *calls]
        else:
            found.append(message)
    return found


def _messages(plain: Json) -> Iterator[Json]:
    if plain.get("instructions"):
        yield {"role": "system", "content": plain["instructions"]}
    given = plain.get("input") or []
    if isinstance(given, str):
        yield {"role": "user", "content": given}
        return
    for item in given:
        match item.get("type", "message"):
            case "message":
                yield {"role": item["role"], "content": _content(item["content"])}
            case "function_call":
                function = {"name": item["name"], "arguments": item["arguments"]}
                call = {"id": item["call_id"], "type": "function", "function": function}
                yield {"role": "assistant", "content": None, "tool_calls": [call]}
            case "function_call_output":
                output = item["output"]
                text = text_of(output) if isinstance(output, str | list) else orjson.dumps(output).decode()
                yield {"role": "tool", "tool_call_id": item["call_id"], "content": text}
            case "reasoning":
                continue
            case kind:
                raise NotSupported(f"an item of type {kind!r}")


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    parts = [_part(part) for part in content]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: Json) -> Json:
    match part["type"]:
        case "input_text" | "output_text" | "text":
            return {"type": "text", "text": part["text"]}
        case "refusal":
            return {"type": "text", "text": part["refusal"]}
        case "input_image" if part.get("image_url"):
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
        case "input_file" if part.get("file_data"):
            file = {"filename": part.get("filename") or "document", "file_data": part["file_data"]}
            return {"type": "file", "file": file}
        case kind:
            raise NotSupported(f"a part of type {kind!r}")


def _tool(tool: Json) -> Json:
    if tool.get("type") != "function":
        raise NotSupported(f"the tool {tool.get('type')}, which only OpenAI's own servers run")
    names = ("name", "description", "parameters", "strict")
    return {
        "type": "function",
        "function": {name: tool[name] for name in names if tool.get(name) is not None},
    }


# ---- answers ----


def usage_of(plain: Any) -> Usage | None:
    """The usage of a response, an image or a transcript (whose details have another name)."""
    if not isinstance(plain, dict):
        return None
    inputs = plain.get("input_tokens_details") or plain.get("input_token_details") or {}
    outputs = plain.get("output_tokens_details") or {}
    return Usage(
        input=number(plain.get("input_tokens")),
        output=number(plain.get("output_tokens")),
        cached_input=number(inputs.get("cached_tokens")),
        cache_write=number(inputs.get("cache_write_tokens")),
        reasoning=number(outputs.get("reasoning_tokens")),
        input_audio=number(inputs.get("audio_tokens")),
    ).if_any()


def usage_plain(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached_input},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def text_item(run: str, text: str, status: str = "completed") -> Json:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {
        "id": f"msg_{run.removeprefix('run_')}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content if status == "completed" else [],
    }


def call_item(call: Json, status: str = "completed") -> Json:
    function = call["function"]
    return {
        "id": f"fc_{call['id']}",
        "type": "function_call",
        "call_id": call["id"],
        "name": function["name"],
        "arguments": function["arguments"],
        "status": status,
    }


def response(work: Work, model: str, output: list[Json], usage: Usage | None, finish: str | None) -> Json:
    incomplete = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish or "")
    status = "in_progress" if finish is None else "incomplete" if incomplete else "completed"
    return {
        "id": f"resp_{work.record.run.removeprefix('run_')}",
        "object": "response",
        "created_at": work.record.at_ms / 1000,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": work.task.body.get("temperature"),
        "tool_choice": "auto",
        "tools": [],
        "top_p": work.task.body.get("top_p"),
        "usage": usage_plain(usage) if usage else None,
    }


def response_of(work: Work, chat: Json, usage: Usage) -> Json:
    """A completion as a response."""
    choice = chat["choices"][0]
    said = choice["message"]
    output: list[Json] = []
    if said.get("content"):
        output.append(text_item(work.record.run, said["content"]))
    output.extend(call_item(call) for call in said.get("tool_calls") or ())
    return response(work, str(chat.get("model", "")), output, usage, choice.get("finish_reason") or "stop")
