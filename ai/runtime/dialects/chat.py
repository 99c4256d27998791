"""Parts of OpenAI's chat form that more than one dialect takes apart or puts together."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from ai.runtime.dialects.contract import Json, NotSupported

_REST = {"seed": None, "parallel_tool_calls": True}
"""What some members are when nothing is asked, where it is not what is empty."""
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)


def text_of(content: Any) -> str:
    """The text of a message's content, whether it is one text or parts. Raises NotSupported for other parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(_text_part(part) for part in content)


def _text_part(part: Mapping[str, Any]) -> str:
    if part.get("type") not in {"text", "input_text", "output_text", "refusal"}:
        raise NotSupported(f"a part of type {part.get('type')!r} in this place")
    return str(part.get("text") or part.get("refusal") or "")


def parts_of(content: Any) -> list[Json]:
    """Content as parts."""
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def data_url(url: str) -> tuple[str, str] | None:
    """MIME type and base64 of a data URL (RFC 2397); None for another address."""
    found = _DATA_URL.fullmatch(url)
    return (found[1], found[2]) if found else None


def split_system(messages: Iterable[Json]) -> tuple[str, list[Json]]:
    """The instructions of all system and developer messages, and the rest."""
    system, rest = [], []
    for message in messages:
        if message["role"] in {"system", "developer"}:
            system.append(text_of(message.get("content")))
        else:
            rest.append(message)
    return "\n\n".join(text for text in system if text), rest


def refuse_what_is_set(body: Mapping[str, Any], names: Iterable[str], vendor: str) -> None:
    """Raise NotSupported where a call sets something that `vendor` has nothing for. What is at its rest is let pass."""
    asked = [name for name in names if name in body and not _is_at_rest(name, body[name])]
    if body.get("n") not in (None, 1):
        asked.append("n")
    if asked:
        raise NotSupported(f"{', '.join(asked)}, which {vendor} does not have")


def _is_at_rest(name: str, value: Any) -> bool:
    if name in _REST:
        return value is None or value is _REST[name]
    return value in (None, 0, False, [], {}, "", "none")


def max_tokens(body: Mapping[str, Any]) -> int | None:
    """The most tokens that a call wants, by either name."""
    found = body.get("max_completion_tokens") or body.get("max_tokens")
    return int(found) if found else None


def stops(body: Mapping[str, Any]) -> list[str]:
    """The texts at which to stop."""
    stop = body.get("stop")
    return [stop] if isinstance(stop, str) else list(stop or ())


def functions(body: Mapping[str, Any]) -> Iterator[Json]:
    """The functions among the tools. Raises NotSupported for tools of another type."""
    for tool in body.get("tools") or ():
        if tool.get("type") != "function":
            raise NotSupported(f"a tool of type {tool.get('type')!r}")
        yield tool["function"]


def arguments_of(call: Mapping[str, Any]) -> Json:
    """The arguments of a function call as an object. Raises NotSupported where they are no JSON."""
    text = call["function"].get("arguments") or "{}"
    try:
        return dict(orjson.loads(text))
    except (ValueError, TypeError):
        raise NotSupported("arguments of a tool call that are no JSON object") from None


def json_schema_of(body: Mapping[str, Any]) -> Json | None:
    """The schema of `response_format`; an empty one for any JSON; None for text."""
    wanted = body.get("response_format") or {}
    match wanted.get("type"):
        case "json_schema":
            return dict(wanted["json_schema"].get("schema") or {})
        case "json_object":
            return {}
    return None


def texts(*values: object) -> None:
    """Raise TypeError unless all of them are texts: what a vendor sends in their place must not reach a client."""
    if not all(isinstance(value, str) for value in values):
        raise TypeError("no text")


def tool_call(number: int, call_id: str, name: str, arguments: str) -> Json:
    """A call of a function, as in an answer or a chunk."""
    texts(call_id, name, arguments)
    return {
        "index": number,
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def completion(
    call_id: str, model: str, content: str | None, calls: list[Json], finish: str, *, reasoning: str = ""
) -> Json:
    """A `chat.completion` with one choice."""
    message: Json = {"role": "assistant", "content": content, "refusal": None}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [{k: v for k, v in call.items() if k != "index"} for call in calls]
    return {
        "id": call_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
    }


class Chunks:
    """Makes the chunks of one stream, which share their id and model."""

    def __init__(self) -> None:
        self.id = ""
        self.model = ""
        self._created = int(time.time())
        self._opened = False

    def delta(self, **delta: Any) -> Json:
        """A chunk with something new; the first names the role."""
        pieces = (call["function"].get("arguments", "") for call in delta.get("tool_calls", ()))
        texts(delta.get("content", ""), delta.get("reasoning_content", ""), *pieces)
        if not self._opened:
            self._opened = True
            delta = {"role": "assistant", **delta}
        return self._chunk(delta, None)

    def end(self, reason: str) -> Json:
        """The chunk that says why it ends."""
        return self._chunk({}, reason)

    def _chunk(self, delta: Json, reason: str | None) -> Json:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}],
        }
