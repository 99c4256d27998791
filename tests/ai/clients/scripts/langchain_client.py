"""langchain-openai as its users have it. Prints what it found as one JSON object."""

import json
import sys

import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

BASE, KEY = sys.argv[1:3]
found = {}


class City(BaseModel):
    """A city."""

    city: str


def model(name="fast", **more):
    return ChatOpenAI(model=name, base_url=BASE, api_key=KEY, **more)


said = model().invoke("hi")
found["chat"] = [said.content, said.usage_metadata["total_tokens"]]
chunks = list(model(stream_usage=True).stream("hi"))
found["stream"] = [
    "".join(c.content for c in chunks),
    [c.usage_metadata["total_tokens"] for c in chunks if c.usage_metadata],
]
found["tools"] = model().bind_tools([City]).invoke("tool").tool_calls[0]["args"]
found["json schema"] = model().with_structured_output(City, method="json_schema").invoke("json").city
prompt = model("prompt/translate@7", extra_body={"variables": {"text": "Good morning", "target_lang": "fr"}})
found["prompt"] = prompt.invoke([]).content
found["responses"] = model(use_responses_api=True).invoke("hi").text
vectors = OpenAIEmbeddings(model="fast", base_url=BASE, api_key=KEY, check_embedding_ctx_length=False)
found["embeddings"] = vectors.embed_documents(["a"])[0]
try:
    list(model().stream("cut"))
except openai.APIError as error:
    found["cut"] = type(error).__name__
print(json.dumps(found))
