"""LiteLLM as a library, asked by somebody who knows nothing of us. Prints what it reads in each vendor's answer.

Arguments: a JSON list of cases, `{"name", "model", "options", "stream", "question"}`. It also prints the rates that it
goes by.
"""

import json
import sys

import litellm

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


def asked(case):
    """The answer; a stream is put together as LiteLLM does it for its own users."""
    messages = [{"role": "user", "content": case["question"]}]
    options = {"messages": messages, "tools": TOOLS, "max_retries": 0, "timeout": 20, **case["options"]}
    if not case["stream"]:
        return litellm.completion(model=case["model"], **options)
    chunks = litellm.completion(
        model=case["model"], stream=True, stream_options={"include_usage": True}, **options
    )
    return litellm.stream_chunk_builder(list(chunks), messages=messages)


def counted(usage):
    """Usage in our words."""
    inputs, outputs = usage.prompt_tokens_details, usage.completion_tokens_details
    return {
        "input": usage.prompt_tokens,
        "output": usage.completion_tokens,
        "cached_input": getattr(inputs, "cached_tokens", None) or 0,
        "cache_write": getattr(inputs, "cache_creation_tokens", None) or 0,
        "reasoning": getattr(outputs, "reasoning_tokens", None) or 0,
        "input_audio": getattr(inputs, "audio_tokens", None) or 0,
        "output_audio": getattr(outputs, "audio_tokens", None) or 0,
    }


def read(case):
    """What it reads in one answer, and what that costs by its own price list."""
    answer = asked(case)
    choice = answer.choices[0]
    calls = choice.message.tool_calls or ()
    entry = litellm.get_model_info(case["model"])
    return {
        "text": choice.message.content or "",
        "reasoning": getattr(choice.message, "reasoning_content", None) or "",
        "calls": [[call.function.name, json.loads(call.function.arguments)] for call in calls],
        "finish": choice.finish_reason,
        "usage": counted(answer.usage),
        "cost": litellm.completion_cost(answer, model=case["model"]),
        "rates": litellm.model_cost[entry["key"]],
    }


def tried(case):
    """A case that LiteLLM cannot read is told as its error."""
    try:
        return read(case)
    except Exception as error:  # noqa: BLE001
        return {"error": f"{type(error).__name__}: {error}"[:600]}


print(json.dumps({case["name"]: tried(case) for case in json.loads(sys.argv[1])}))
