"""Where rules look: every text that goes to a model, and all that it says."""

from __future__ import annotations

from typing import Any

from ai.prompts.guards import Blocked, Masking, Side
from ai.runtime.dialects.contract import Json
from ai.runtime.errors import Code, Refused


def blocked_answer(blocked: Blocked) -> Refused:
    """What a caller is told whose text, or whose answer, a rule refuses."""
    what = "The text" if blocked.side is Side.INPUT else "The answer"
    return Refused(
        400, Code.CONTENT_BLOCKED, f"{what} is not let through by the rule: {blocked.rule}.", again=False
    )


def each_text(body: Json, change: Any) -> Json:
    """`body` with every text that goes to a model changed: of messages, their parts, and inputs of embeddings."""
    found = dict(body)
    if "messages" in found:
        found["messages"] = [_changed_message(message, change) for message in found["messages"]]
    if isinstance(found.get("input"), str):
        found["input"] = change(found["input"])
    elif isinstance(found.get("input"), list):
        found["input"] = [change(text) if isinstance(text, str) else text for text in found["input"]]
    return found


def _changed_message(message: Json, change: Any) -> Json:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if isinstance(content, list):
        parts = [{**part, "text": change(part["text"])} if "text" in part else part for part in content]
        return {**message, "content": parts}
    return message


def look_at(message: Json, masking: Masking) -> None:
    """Check what a model said, its arguments for tools too, and put back what was masked."""
    if isinstance(message.get("content"), str):
        message["content"] = masking.restored(masking.checked(message["content"], Side.OUTPUT))
    for call in message.get("tool_calls") or ():
        function = call["function"]
        function["arguments"] = masking.restored(masking.checked(function["arguments"], Side.OUTPUT))
