"""anthropic-sdk-python as its users have it. Prints what it found as one JSON object."""

import json
import sys
import time

import anthropic

BASE, KEY = sys.argv[1:3]
client = anthropic.Anthropic(base_url=BASE, api_key=KEY)
found = {"version": anthropic.__version__}


def ask(text, model="fast", **more):
    return {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": text}], **more}


def raised(call):
    try:
        call()
    except anthropic.APIStatusError as error:
        body = error.body if isinstance(error.body, dict) else {}
        return [type(error).__name__, error.status_code, (body.get("error") or {}).get("type")]
    return None


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}]
OTHER = "other"

for name, model in (("", "fast"), (" of another vendor", OTHER)):
    whole = client.messages.create(**ask("hi", model))
    found[f"whole{name}"] = [whole.content[0].text, whole.usage.input_tokens, whole.usage.output_tokens]
    with client.messages.stream(**ask("hi", model)) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    found[f"stream{name}"] = [text, final.stop_reason, final.usage.output_tokens]
    with client.messages.stream(**ask("tool", model, tools=TOOLS)) as stream:
        block = stream.get_final_message().content[-1]
    found[f"tools{name}"] = [block.type, block.name, block.input]
    found[f"cut{name}"] = raised(
        lambda model=model: list(client.messages.create(**ask("cut", model), stream=True))
    )

found["400"] = raised(lambda: client.messages.create(**ask("hi", extra_body={"speed": "fast"})))
wrong = anthropic.Anthropic(base_url=BASE, api_key="wrong")
found["401"] = raised(lambda: wrong.messages.create(**ask("hi")))
found["402"] = raised(lambda: client.messages.create(**ask("hi", "dear")))
found["404"] = raised(lambda: client.messages.create(**ask("hi", "none")))
found["502"] = raised(lambda: client.messages.create(**ask("fail", OTHER)))
found["429"] = raised(lambda: client.with_options(max_retries=0).messages.create(**ask("busy", OTHER)))
began = time.monotonic()
found["429, again"] = client.messages.create(**ask("hi", OTHER)).content[0].text
found["waited"] = time.monotonic() - began
print(json.dumps(found))
