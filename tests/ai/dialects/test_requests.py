"""What goes to each vendor for a chat completion, by its own documentation; and what it has nothing for."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from ai.runtime.dialects import DIALECTS
from ai.runtime.dialects.contract import NotSupported
from tests.ai.dialects.support import model, sent, spoilt

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather.", "parameters": SCHEMA},
}
BARE_TOOL = {"type": "function", "function": {"name": "now"}}
PNG, PDF = "data:image/png;base64,iVBORw0KGgo=", "data:application/pdf;base64,JVBERi0="
HI = {"messages": [{"role": "user", "content": "Hi"}]}


def called(call_id: str, city: str) -> dict[str, Any]:
    """A call of the tool."""
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": "weather", "arguments": json.dumps({"city": city})},
    }


TALK = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                {"type": "file", "file": {"filename": "a report (1).pdf", "file_data": PDF}},
            ],
        },
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [called("c1", "Zürich"), called("c2", "Bern")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"sky": "blue"}'},
        {"role": "tool", "tool_call_id": "c2", "content": "grey"},
        {"role": "user", "content": "And?"},
    ],
    "temperature": 0.5,
    "top_p": 0.9,
    "max_completion_tokens": 99,
    "stop": ["END", "---"],
    "tools": [TOOL, BARE_TOOL],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
}


def test_openai_gets_the_body_as_it_is() -> None:
    assert sent("openai", TALK) == {**TALK, "model": "the-model"}
    streamed = sent("openai", TALK, stream=True)
    assert streamed == {
        **TALK,
        "model": "the-model",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_server_that_lacks_something_is_not_sent_it() -> None:
    body = sent("openai", TALK, stream=True, lacks="stream_options max_completion_tokens")
    assert "stream_options" not in body
    assert (body["max_tokens"], "max_completion_tokens" in body) == (99, False)


def test_azure_is_asked_at_the_address_of_a_deployment() -> None:
    """https://learn.microsoft.com/en-us/azure/ai-services/openai/reference#chat-completions"""
    outgoing = DIALECTS["azure"].chat(model("azure", "gpt 4/o"), "secret", HI, stream=False)
    assert outgoing.url == (
        "https://shop.openai.azure.example/openai/deployments/gpt%204%2Fo/chat/completions?api-version=2024-10-21"
    )
    assert outgoing.headers["api-key"] == "secret"
    assert "authorization" not in outgoing.headers
    other = DIALECTS["azure"].embeddings(model("azure", api_version="2026-05-01"), "secret", {"input": "Hi"})
    assert other.url.endswith("/openai/deployments/the-model/embeddings?api-version=2026-05-01")


def test_anthropic_gets_messages() -> None:
    """https://platform.claude.com/docs/en/api/messages/create, .../agents-and-tools/tool-use/implement-tool-use"""
    assert sent("anthropic", TALK, stream=True) == {
        "model": "the-model",
        "stream": True,
        "max_tokens": 99,
        "system": "Be brief.\n\nBe kind.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                    },
                    {
                        "type": "document",
                        "title": "a report (1).pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Zürich"}},
                    {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Bern"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": '{"sky": "blue"}'},
                    {"type": "tool_result", "tool_use_id": "c2", "content": "grey"},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END", "---"],
        "tools": [
            {"name": "weather", "description": "The weather.", "input_schema": SCHEMA},
            {"name": "now", "description": "", "input_schema": {"type": "object", "properties": {}}},
        ],
        "tool_choice": {"type": "tool", "name": "weather"},
    }
    headers = DIALECTS["anthropic"].chat(model("anthropic"), "secret", HI, stream=False).headers
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("secret", "2023-06-01")


def test_gemini_gets_contents() -> None:
    """https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/function-calling"""
    assert sent("gemini", TALK) == {
        "systemInstruction": {"parts": [{"text": "Be brief.\n\nBe kind."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "What is it?"},
                    {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
                    {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "I look."},
                    {"functionCall": {"name": "weather", "args": {"city": "Zürich"}}},
                    {"functionCall": {"name": "weather", "args": {"city": "Bern"}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"sky": "blue"}}},
                    {"functionResponse": {"name": "weather", "response": {"result": "grey"}}},
                    {"text": "And?"},
                ],
            },
        ],
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "maxOutputTokens": 99,
            "stopSequences": ["END", "---"],
        },
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "weather", "description": "The weather.", "parametersJsonSchema": SCHEMA},
                    {"name": "now", "description": ""},
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
    }
    outgoing = DIALECTS["gemini"].chat(model("gemini"), "secret", HI, stream=True)
    assert outgoing.url.endswith("/v1beta/models/the-model:streamGenerateContent?alt=sse")
    assert outgoing.headers["x-goog-api-key"] == "secret"
    assert "secret" not in outgoing.url


def test_bedrock_gets_a_conversation() -> None:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"""
    assert sent("bedrock", TALK) == {
        "system": [{"text": "Be brief.\n\nBe kind."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "What is it?"},
                    {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
                    {
                        "document": {
                            "format": "pdf",
                            "name": "a-report-1-pdf",
                            "source": {"bytes": "JVBERi0="},
                        }
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"text": "I look."},
                    {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Zürich"}}},
                    {"toolUse": {"toolUseId": "c2", "name": "weather", "input": {"city": "Bern"}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "c1", "content": [{"text": '{"sky": "blue"}'}]}},
                    {"toolResult": {"toolUseId": "c2", "content": [{"text": "grey"}]}},
                    {"text": "And?"},
                ],
            },
        ],
        "inferenceConfig": {
            "maxTokens": 99,
            "temperature": 0.5,
            "topP": 0.9,
            "stopSequences": ["END", "---"],
        },
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "weather",
                        "description": "The weather.",
                        "inputSchema": {"json": SCHEMA},
                    }
                },
                {"toolSpec": {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
            ],
            "toolChoice": {"tool": {"name": "weather"}},
        },
    }


STRUCTURED = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": SCHEMA}}


@pytest.mark.parametrize(
    "body",
    [TALK, HI, {**HI, "response_format": STRUCTURED}, {**HI, "tools": [TOOL], "tool_choice": "required"}],
)
def test_aws_own_description_of_bedrock_has_all_of_it(body: dict[str, Any]) -> None:
    """botocore knows every member of the API; `reasoningContent` and the like would be named as unknown."""
    service = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
    shape = service.operation_model("Converse").input_shape
    report = ParamValidator().validate({**sent("bedrock", body), "modelId": "m"}, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize(
    ("dialect", "member"),
    [
        ("openai", {"response_format": STRUCTURED}),
        # https://platform.claude.com/docs/en/build-with-claude/structured-outputs
        ("anthropic", {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
        # https://ai.google.dev/gemini-api/docs/structured-output
        (
            "gemini",
            {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}},
        ),
        # https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
        (
            "bedrock",
            {
                "outputConfig": {
                    "textFormat": {
                        "type": "json_schema",
                        "structure": {
                            "jsonSchema": {
                                "name": "output",
                                "schema": json.dumps(SCHEMA, separators=(",", ":")),
                            }
                        },
                    }
                }
            },
        ),
    ],
)
def test_each_vendor_is_told_the_schema_of_an_answer(dialect: str, member: dict[str, Any]) -> None:
    body = sent(dialect, {**HI, "response_format": STRUCTURED})
    assert {name: body[name] for name in member} == member


@pytest.mark.parametrize(
    ("choice", "parallel", "anthropic", "gemini"),
    [
        ("auto", None, {"type": "auto"}, "AUTO"),
        ("required", True, {"type": "any"}, "ANY"),
        ("none", None, {"type": "none"}, "NONE"),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}, None),
        ("none", False, {"type": "none"}, None),
    ],
)
def test_which_tools_may_be_called(
    choice: str | None, parallel: bool | None, anthropic: Any, gemini: str | None
) -> None:
    body = {**HI, "tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": parallel}
    assert sent("anthropic", body)["tool_choice"] == anthropic
    if gemini:
        assert sent("gemini", body)["toolConfig"] == {"functionCallingConfig": {"mode": gemini}}


def test_images_and_files_by_address_go_to_those_who_fetch_them() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "https://shop.example/a.png"}}]
    body = {"messages": [{"role": "user", "content": parts}]}
    (block,) = sent("anthropic", body)["messages"][0]["content"]
    assert block == {"type": "image", "source": {"type": "url", "url": "https://shop.example/a.png"}}
    (part,) = sent("gemini", body)["contents"][0]["parts"]
    assert part["fileData"] == {"mimeType": "image/png", "fileUri": "https://shop.example/a.png"}
    with pytest.raises(NotSupported, match="by address"):
        sent("bedrock", body)


def test_a_text_file_has_a_form_of_its_own_at_anthropic() -> None:
    """https://platform.claude.com/docs/en/build-with-claude/citations#plain-text-documents"""
    part = {"type": "file", "file": {"file_data": "data:text/plain;base64,SGk="}}
    (block,) = sent("anthropic", {"messages": [{"role": "user", "content": [part]}]})["messages"][0][
        "content"
    ]
    assert block == {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}}


def test_sound_goes_to_gemini() -> None:
    part = {"type": "input_audio", "input_audio": {"format": "wav", "data": "UklGRg=="}}
    body = {"messages": [{"role": "user", "content": [part]}]}
    assert sent("gemini", body)["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}
    ]
    for dialect in ("anthropic", "bedrock"):
        with pytest.raises(NotSupported, match="input_audio"):
            sent(dialect, body)


def test_a_thought_signature_comes_back_to_gemini() -> None:
    """https://ai.google.dev/gemini-api/docs/thought-signatures: without it Gemini 3 refuses the next turn."""
    call = {**called("c1", "Bern"), "extra_content": {"google": {"thought_signature": "CiQB"}}}
    body = {"messages": [HI["messages"][0], {"role": "assistant", "content": None, "tool_calls": [call]}]}
    assert sent("gemini", body)["contents"][1]["parts"][0]["thoughtSignature"] == "CiQB"


SETTINGS = {
    "logit_bias": {"1": 2},
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {"search_context_size": "low"},
    "audio": {"voice": "alloy", "format": "wav"},
    "n": 2,
}


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "bedrock"])
@pytest.mark.parametrize(
    "extra",
    [
        *({name: value} for name, value in SETTINGS.items()),
        {"tools": [{"type": "web_search"}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file_1"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]},
        {"messages": [{"role": "function", "name": "f", "content": "x"}]},
        {
            "messages": [
                {"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]},
                *HI["messages"],
            ]
        },
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "[1"}}],
                }
            ]
        },
    ],
    ids=lambda extra: json.dumps(extra)[:50],
)
def test_what_a_vendor_has_nothing_for_is_refused(dialect: str, extra: dict[str, Any]) -> None:
    with pytest.raises(NotSupported):
        sent(dialect, {**HI, **extra})


@pytest.mark.parametrize(
    ("dialect", "extra"),
    [
        ("anthropic", {"seed": 0}),
        ("anthropic", {"temperature": 1.5}),
        ("anthropic", {"response_format": {"type": "json_object"}}),
        ("bedrock", {"seed": 7}),
        ("bedrock", {"response_format": {"type": "json_object"}}),
        ("bedrock", {"parallel_tool_calls": False, "tools": [TOOL]}),
        ("gemini", {"parallel_tool_calls": False, "tools": [TOOL]}),
        ("bedrock", {**TALK, "tool_choice": "none"}),
        ("gemini", {"messages": [{"role": "tool", "tool_call_id": "unknown", "content": "x"}]}),
    ],
    ids=str,
)
def test_what_one_vendor_has_nothing_for_is_refused(dialect: str, extra: dict[str, Any]) -> None:
    with pytest.raises(NotSupported):
        sent(dialect, {**HI, **extra})


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini", "bedrock"])
def test_no_body_however_odd_is_a_fault_of_ours(dialect: str) -> None:
    for body in spoilt(TALK):
        with suppress(NotSupported):
            sent(dialect, {"messages": [], **body})


@pytest.mark.parametrize("dialect", ["anthropic", "gemini", "bedrock"])
def test_what_asks_for_nothing_is_let_pass(dialect: str) -> None:
    """Clients fill in defaults; none of these changes an answer."""
    rest = {
        "n": 1,
        "logprobs": False,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "logit_bias": None,
        "seed": None,
    }
    rest |= {"parallel_tool_calls": True, "reasoning_effort": "none", "response_format": {"type": "text"}}
    rest |= {"user": "u1", "store": False, "metadata": {"trace": "1"}}
    assert sent(dialect, {**HI, **rest, "tools": [TOOL]})
    assert "metadata" not in sent("gemini", {**HI, **rest})
    assert sent("anthropic", {**HI, **rest})["metadata"] == {"user_id": "u1"}


def test_embeddings_of_gemini_and_of_nobody_else() -> None:
    """https://ai.google.dev/api/embeddings#method:-models.batchembedcontents"""
    outgoing = DIALECTS["gemini"].embeddings(model("gemini"), "k", {"input": ["a", "b"], "dimensions": 8})
    assert outgoing.url.endswith("/models/the-model:batchEmbedContents")
    assert json.loads(outgoing.body)["requests"][1] == {
        "model": "models/the-model",
        "content": {"parts": [{"text": "b"}]},
        "outputDimensionality": 8,
    }
    with pytest.raises(NotSupported, match="token numbers"):
        DIALECTS["gemini"].embeddings(model("gemini"), "k", {"input": [[1, 2]]})
    for dialect in ("anthropic", "bedrock"):
        with pytest.raises(NotSupported, match="embeddings"):
            DIALECTS[dialect].embeddings(model(dialect), "k", {"input": "a"})
