"""The OpenAPI document of a prompt as a service: what a caller reads, and what client generators work from.

OpenAPI 3.1.0, https://spec.openapis.org/oas/v3.1.0. The request is the variables, the response the output of the prompt
in its envelope; what a stream sends is told beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ai.prompts.variables import Variable, body_schema

type Json = dict[str, Any]

PROBLEM = "application/problem+json"
ERRORS = {
    "400": "A variable is not right, or a rule of this API does not let the text through.",
    "401": "No key, or one that is not valid.",
    "402": "The budget is used up.",
    "403": "The key has no subscription to this API.",
    "429": "Too many calls or tokens; `Retry-After` says when to try again.",
    "502": "The model did not answer as it should; `x-should-retry` says whether trying again can help.",
    "504": "The model took too long.",
}


def document(
    *,
    name: str,
    description: str,
    variables: Sequence[Variable],
    output_schema: Mapping[str, Any] | None,
    envelope: bool = True,
    server_url: str = "",
    version: str = "1",
) -> Json:
    """The document. Without `envelope` the answer is the output alone, as endpoints with that option give it."""
    found: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": version,
            "description": description or f"Calls the prompt {name}.",
        },
        "paths": {
            "/": {"post": _call(name, description, variables, envelope)},
            "/chat/completions": {"post": _chat(name)},
        },
        "components": {
            "schemas": _schemas(variables, output_schema),
            "responses": _responses(),
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"key": []}, {"bearer": []}],
    }
    if server_url:
        found["servers"] = [{"url": server_url}]
    return found


def _call(name: str, description: str, variables: Sequence[Variable], envelope: bool) -> Json:
    media: Json = {"schema": {"$ref": "#/components/schemas/Input"}}
    example = example_values(variables)
    if example:
        media["example"] = example
    answer = "Answer" if envelope else "Output"
    return {
        "operationId": "callPrompt",
        "summary": f"Call {name}",
        "description": description
        or "Send the variables, get the output. With `Accept: text/event-stream` it comes as it is written.",
        "requestBody": {"required": True, "content": {"application/json": media}},
        "responses": {
            "200": {
                "description": "The output.",
                "headers": _headers(),
                "content": {
                    "application/json": {"schema": {"$ref": f"#/components/schemas/{answer}"}},
                    "text/event-stream": {
                        "schema": {"type": "string", "description": _STREAM},
                        "example": 'event: delta\ndata: {"text":"Hello"}\n\n',
                    },
                },
            },
            **_refused(),
        },
    }


_STREAM = (
    'Server-sent events: `delta` events with `{"text"}`, then one `done` with the members of the answer beside the '
    "output, or one `error` with a problem. A stream that ends with neither was cut."
)


def _chat(name: str) -> Json:
    return {
        "operationId": "createChatCompletion",
        "summary": "The same by OpenAI's chat completions",
        "description": "For clients of OpenAI's API: name the prompt as the model and give its variables.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "model": {"type": "string", "examples": [f"prompt/{name}"]},
                            "variables": {"$ref": "#/components/schemas/Input"},
                            "stream": {"type": "boolean", "default": False},
                        },
                        "required": ["model", "variables"],
                    }
                }
            },
        },
        "responses": {
            "200": {
                "description": "A chat completion, or its chunks as server-sent events.",
                "content": {
                    "application/json": {"schema": {"type": "object", "additionalProperties": True}},
                    "text/event-stream": {"schema": {"type": "string"}},
                },
            },
            **_refused(),
        },
    }


def _refused() -> Json:
    return {status: {"$ref": f"#/components/responses/Refused{status}"} for status in ERRORS}


def _responses() -> Json:
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {f"Refused{status}": {"description": text, "content": content} for status, text in ERRORS.items()}


def _headers() -> Json:
    described = {
        "X-Request-Id": "Name it when you ask about a call.",
        "X-AI-Model": "The model that answered.",
        "X-AI-Prompt-Version": "The version of the prompt.",
    }
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in described.items()}


def example_values(variables: Sequence[Variable]) -> Json:
    """Values for an example call: examples, else defaults; empty unless everything required has one."""
    found = {}
    for variable in variables:
        value = variable.example if variable.example is not None else variable.default
        if value is not None:
            found[variable.name] = value
        elif variable.enum:
            found[variable.name] = variable.enum[0]
        elif variable.is_required:
            return {}
    return found


def _schemas(variables: Sequence[Variable], output_schema: Mapping[str, Any] | None) -> Json:
    return {
        "Input": _input(variables),
        "Output": _placed(output_schema, "#/components/schemas/Output")
        if output_schema
        else {"type": "string", "description": "The text that the model wrote."},
        "Answer": _answer(),
        "Problem": _problem(),
    }


def _input(variables: Sequence[Variable]) -> Json:
    """The body of a call. The schema of an object variable is a whole of its own: its `#` is where it stands."""
    schema = body_schema(variables)
    schema["properties"] = {
        name: _placed(each, f"#/components/schemas/Input/properties/{name}")
        for name, each in schema["properties"].items()
    }
    return schema


def _placed(schema: Any, place: str) -> Any:
    """A schema whose references to itself hold where it stands in the document."""
    if isinstance(schema, list):
        return [_placed(one, place) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {}
    for name, value in schema.items():
        if name == "$ref" and isinstance(value, str) and value.startswith("#"):
            found[name] = place + value[1:]
        elif not (name in {"$schema", "$id"} and isinstance(value, str)):
            found[name] = _placed(value, place)
    return found


def _answer() -> Json:
    count = {"type": "integer", "minimum": 0}
    counts = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens",
              "total_tokens")  # fmt: skip
    return _object(
        {
            "id": {"type": "string", "description": "The run; for questions about it."},
            "output": {"$ref": "#/components/schemas/Output"},
            "finish_reason": {"type": ["string", "null"]},
            "usage": _object(dict.fromkeys(counts, count)),
            "cost": _object(
                {
                    "amount": {
                        "type": ["string", "null"],
                        "description": "A decimal number; null: not known.",
                    },
                    "currency": {"type": ["string", "null"]},
                    "price_version": {"type": ["string", "null"]},
                    "estimated": {"type": "boolean"},
                }
            ),
            "model": _object(
                {
                    "served": {"type": "string"},
                    "route": {"type": "string"},
                    "fallback": {"type": "boolean"},
                    "attempts": {"type": "integer"},
                }
            ),
            "prompt": _object(
                {"name": {"type": "string"}, "version": {"type": "integer"}, "label": {"type": "string"}}
            ),
        }
    )


def _problem() -> Json:
    fault = _object({"pointer": {"type": "string"}, "detail": {"type": "string"}})
    schema = _object(
        {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "code": {"type": "string"},
            "errors": {"type": "array", "items": fault},
            "error": _object(
                {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                }
            ),
        }
    )
    return {**schema, "description": "Problem details (RFC 9457), with the error member of OpenAI's clients."}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}
