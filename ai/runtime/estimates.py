"""What a call may come to before a vendor has counted anything, by its characters."""

from __future__ import annotations

import orjson

from ai.pricing import Usage, estimated_tokens
from ai.prompts.chat import USUAL_MAX_OUTPUT, characters_of
from ai.runtime.budgets import Cost
from ai.runtime.dialects.chat import max_tokens
from ai.runtime.dialects.contract import Json
from ai.runtime.snapshot import Model


def most_of(model: Model, body: Json, at: float, *, is_embedding: bool = False) -> Cost:
    """What a call of one model may come to at most, by the prices that hold at `at` (POSIX seconds)."""
    inputs = estimated_tokens(characters_of_body(body))
    wanted = max_tokens(body) or model.max_output or USUAL_MAX_OUTPUT
    outputs = 0 if is_embedding else wanted * int(body.get("n") or 1)
    price = model.price(at)
    nanos = price.cost(Usage(input=inputs, output=outputs)) if price else None
    if price is None or nanos is None:
        return Cost(inputs + outputs, is_known=False)
    return Cost(inputs + outputs, {price.currency: nanos})


def characters_of_body(body: Json) -> int:
    """The characters that a model reads; an image or a file counts as a thousand tokens."""
    total = len(orjson.dumps(body["tools"])) if body.get("tools") else 0
    total += characters_of(body.get("messages") or ())
    inputs = body.get("input")
    if isinstance(inputs, str):
        total += len(inputs)
    elif isinstance(inputs, list):
        total += sum(len(one) if isinstance(one, str) else 4 for one in inputs)
    return total


def characters_of_answer(chat: Json) -> int:
    """The characters of all that a model said."""
    return sum(
        len(choice["message"].get("content") or "")
        + len(orjson.dumps(choice["message"].get("tool_calls") or ""))
        for choice in chat.get("choices", ())
    )
