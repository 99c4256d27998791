"""The chat completion that a prompt asks for, and what it may come to at most."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai.pricing import PriceList, Usage, estimated_tokens
from ai.prompts.templates import Template, render
from ai.prompts.variables import Variable

USUAL_MAX_OUTPUT = 4096
"""Tokens that a call may put out where neither it nor its model says how many."""
CHARACTERS_OF_MEDIA = 4000
"""An image or a file counts as a thousand tokens."""
CHARACTERS_OF_MESSAGE = 16


@dataclass(frozen=True, slots=True)
class Most:
    """What a call may come to at most, in tokens and billionths; `nanos` None where a price is not known."""

    input: int
    output: int
    nanos: int | None
    currency: str

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.input + self.output


def prompt_body(
    templates: Sequence[Template],
    variables: Sequence[Variable],
    values: Mapping[str, Any],
    *,
    parameters: Mapping[str, Any],
    output_schema: Mapping[str, Any] | None,
    takes_schema: bool,
) -> dict[str, Any]:
    """The body of a call. A model that takes no schema is told about it in words."""
    body: dict[str, Any] = {**parameters, "messages": render(templates, variables, values)}
    if output_schema is None:
        return body
    if takes_schema:
        schema = {"name": "output", "schema": output_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    else:
        text = json.dumps(output_schema, ensure_ascii=False, separators=(",", ":"))
        rule = f"Answer with JSON alone, without any other text. It follows this JSON Schema: {text}"
        body["messages"] = [*body["messages"], {"role": "system", "content": rule}]
    return body


def characters_of(messages: Sequence[Mapping[str, Any]]) -> int:
    """The characters of messages that a model reads."""
    total = 0
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            total += len(content) + CHARACTERS_OF_MESSAGE
        elif isinstance(content, list):
            total += sum(len(part["text"]) if "text" in part else CHARACTERS_OF_MEDIA for part in content)
            total += CHARACTERS_OF_MESSAGE
    return total


def most_of_chat(body: Mapping[str, Any], *, max_output: int, prices: PriceList | None) -> Most:
    """What a call of one model may come to at most. `max_output` of the model is tokens, 0 where nobody knows."""
    inputs = estimated_tokens(characters_of(body["messages"]))
    outputs = int(body.get("max_tokens") or max_output or USUAL_MAX_OUTPUT)
    if prices is None:
        return Most(inputs, outputs, None, "")
    return Most(inputs, outputs, prices.cost(Usage(input=inputs, output=outputs)), prices.currency)
