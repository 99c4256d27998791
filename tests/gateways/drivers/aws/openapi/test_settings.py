"""What cannot be set: each refused with a sentence that says what to correct."""

from __future__ import annotations

from typing import Any

import pytest

from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    Cors,
    Integration,
    IntegrationKind,
    Selection,
)
from gateways.drivers.aws.openapi.shapes import send_message, start_execution
from tests.gateways.drivers.aws.openapi.making import FUNCTION, KEYS, ROLE, http, rest


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "lambda_proxy", "function": "a b"}, "no function"),
        ({"kind": "lambda_proxy", "function": "orders:live"}, "no function"),
        ({"kind": "lambda", "function": "a", "alias": "7"}, "may not be a number"),
        ({"kind": "lambda", "function": "a", "alias": "$LATEST"}, "LATEST"),
        ({"kind": "lambda", "function": "a", "alias": "x", "alias_variable": "y"}, "not both"),
        ({"kind": "lambda", "function": "a", "alias_variable": "y}/../"}, "no name of a stage variable"),
        ({"kind": "lambda", "function": "a", "timeout_ms": 49}, "50 and 29000"),
        ({"kind": "lambda", "function": "a", "timeout_ms": 29_001}, "50 and 29000"),
        ({"kind": "lambda", "function": "a", "role": "admin"}, "no ARN"),
        ({"kind": "http_proxy", "url": "file:///etc/passwd"}, "http"),
        ({"kind": "http_proxy", "url": "https://user@host/"}, "no user"),
        ({"kind": "http", "url": "https://host/", "method": "TRACE"}, "no method"),
        ({"kind": "aws", "service": "sqs", "path": "1/q"}, "IAM role"),
        (
            {"kind": "aws", "service": "sqs", "path": "1/q", "action": "X", "role": ROLE},
            "by an action or by a path",
        ),
        ({"kind": "aws", "service": "s:s", "path": "1/q", "role": ROLE}, "no name of an AWS service"),
        ({"kind": "mock", "selections": (Selection("200"), Selection("200", "x"))}, "same status"),
        ({"kind": "mock", "selections": (Selection("200"), Selection("201"))}, "same pattern"),
    ],
)
def test_an_integration_says_what_is_wrong_with_it(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Integration(**{**fields, "kind": IntegrationKind(fields["kind"])})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "iam", "name": "a b"}, "no name of an authorizer"),
        ({"kind": "cognito"}, "user pool"),
        ({"kind": "token", "function": ""}, "no function"),
        ({"kind": "jwt", "issuer": "http://i"}, "https"),
        ({"kind": "jwt", "issuer": "https://i"}, "audience"),
        ({"kind": "iam", "sources": ("a", "b")}, "several sources"),
        ({"kind": "iam", "ttl_s": 3_601}, "3600"),
    ],
)
def test_an_authorizer_says_what_is_wrong_with_it(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Authorizer(**{"name": "a", **fields, "kind": AuthorizerKind(fields["kind"])})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"region": "Frankfurt"}, "no region"),
        ({"account": "12"}, "twelve digits"),
        ({"name": "Bestellungen für alle"}, "ASCII"),
        ({"authorizer": "nobody"}, "no authorizer 'nobody'"),
        ({"authorizers": (KEYS, KEYS)}, "same name"),
        ({"api_key_required": False}, "Anyone could call"),
        (
            {
                "api_key_required": False,
                "authorizers": (KEYS,),
                "authorizer": "keys",
                "authorized_by": {"x": ""},
            },
            "Anyone",
        ),
        ({"endpoint_type": "GLOBAL"}, "no endpoint type"),
        ({"minimum_compression": -1}, "10485760"),
        ({"binary_media_types": ("png",)}, "no media type"),
    ],
)
def test_the_settings_of_an_api_say_what_is_wrong_with_them(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rest(**fields)


def test_nobody_opens_an_api_by_leaving_something_out() -> None:
    assert rest().api_key_required
    assert rest().endpoint_type == "REGIONAL"
    assert rest(api_key_required=False, open_to_all=True).authorizer == ""
    with pytest.raises(ValueError, match="Anyone could call"):
        http(authorizers=(), authorizer="")


@pytest.mark.parametrize("origins", [(), ("*", "https://a.example"), ("https://a.example'",), ('https://"',)])
def test_an_origin_is_a_scheme_and_a_host(origins: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"origin|scheme"):
        Cors(origins)


def test_ready_made_integrations_take_names_only() -> None:
    with pytest.raises(ValueError, match="no name of a queue"):
        send_message("orders&Action=DeleteQueue", "123456789012", ROLE)
    with pytest.raises(ValueError, match="no account number"):
        send_message("orders", "me", ROLE)
    with pytest.raises(ValueError, match="no ARN of a state machine"):
        start_execution('","x":"', ROLE)
    fifo = send_message("orders.fifo", "123456789012", ROLE, timeout_ms=900)
    assert "MessageGroupId" in fifo.templates["application/json"]
    assert fifo.timeout_ms == 900


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        FUNCTION.function = "other"  # type: ignore[misc]
