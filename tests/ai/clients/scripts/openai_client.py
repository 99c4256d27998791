"""openai-python as its users have it. Prints what it found as one JSON object."""

import json
import sys
import time

import openai
from pydantic import BaseModel

BASE, KEY = sys.argv[1:3]
client = openai.OpenAI(base_url=BASE, api_key=KEY)
found = {"version": openai.__version__}


def say(text):
    return [{"role": "user", "content": text}]


def raised(call):
    try:
        call()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.request_id is not None]
    except openai.APIError as error:
        return [type(error).__name__, 0, error.code, True]
    return None


class City(BaseModel):
    city: str


TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": City.model_json_schema()}},
]
VARIABLES = {"variables": {"text": "Good morning", "target_lang": "fr"}}

whole = client.chat.completions.create(model="fast", messages=say("hi"))
found["chat"] = [whole.choices[0].message.content, whole.usage.total_tokens]

chunks = list(client.chat.completions.create(model="fast", messages=say("hi"), stream=True))
found["stream"] = ["".join(c.choices[0].delta.content or "" for c in chunks), chunks[-1].usage is None]

options = {"include_usage": True}
chunks = list(
    client.chat.completions.create(model="fast", messages=say("hi"), stream=True, stream_options=options)
)
found["stream with usage"] = [chunks[-1].choices, chunks[-1].usage.total_tokens]

call = (
    client.chat.completions.create(model="fast", messages=say("tool"), tools=TOOLS)
    .choices[0]
    .message.tool_calls[0]
)
found["tools"] = [call.function.name, json.loads(call.function.arguments)]
with client.chat.completions.stream(model="fast", messages=say("tool"), tools=TOOLS) as stream:
    call = stream.get_final_completion().choices[0].message.tool_calls[0]
found["streamed tools"] = [call.function.name, json.loads(call.function.arguments)]

parsed = client.chat.completions.parse(model="fast", messages=say("json"), response_format=City)
found["json schema"] = parsed.choices[0].message.parsed.city

found["embeddings"] = client.embeddings.create(model="fast", input=["a"]).data[0].embedding
found["models"] = [one.id for one in client.models.list()]
found["model"] = client.models.retrieve("prompt/translate@7").id

prompted = client.chat.completions.create(model="prompt/translate@7", messages=[], extra_body=VARIABLES)
found["prompt"] = prompted.choices[0].message.content

response = client.responses.create(model="fast", input="hi")
found["response"] = [response.output_text, response.usage.total_tokens]
with client.responses.stream(
    model="fast", input="tool", tools=[{"type": "function", "strict": False, **TOOLS[0]["function"]}]
) as s:
    kinds = {event.type for event in s}
    final = s.get_final_response()
found["streamed response"] = [final.output_text, final.output[1].name, json.loads(final.output[1].arguments)]
prompt = {"id": "translate", "version": "7", "variables": VARIABLES["variables"]}
found["response of a prompt"] = client.responses.create(prompt=prompt).output_text

create = client.chat.completions.create
found["400"] = raised(
    lambda: create(model="prompt/translate@7", messages=[], extra_body={"variables": {"text": 5}})
)
wrong = openai.OpenAI(base_url=BASE, api_key="wrong")
found["401"] = raised(lambda: wrong.chat.completions.create(model="fast", messages=say("hi")))
found["402"] = raised(lambda: create(model="dear", messages=say("hi")))
found["404"] = raised(lambda: create(model="none", messages=say("hi")))
found["502"] = raised(lambda: create(model="fast", messages=say("fail")))
found["cut"] = raised(lambda: list(create(model="fast", messages=say("cut"), stream=True)))
found["cut response"] = raised(lambda: list(client.responses.create(model="fast", input="cut", stream=True)))
found["429"] = raised(
    lambda: client.with_options(max_retries=0).chat.completions.create(model="fast", messages=say("busy"))
)
began = time.monotonic()
found["429, again"] = create(model="fast", messages=say("hi")).choices[0].message.content
found["waited"] = time.monotonic() - began
print(json.dumps(found))
