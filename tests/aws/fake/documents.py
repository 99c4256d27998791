"""OpenAPI documents for tests of REST APIs."""

from __future__ import annotations

import json
from typing import Any

HTTP: dict[str, Any] = {"type": "http_proxy", "httpMethod": "ANY", "uri": "https://backend.example.test/"}
KEY: dict[str, Any] = {"type": "apiKey", "name": "x-api-key", "in": "header"}


def lambda_integration(arn: str, region: str = "eu-central-1") -> dict[str, Any]:
    """A proxy to a function."""
    uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"
    return {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}


def operation(integration: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """One that needs a key."""
    return {
        "responses": {"200": {"description": "Done"}},
        "security": [{"key": []}],
        "x-amazon-apigateway-integration": HTTP if integration is None else integration,
        **more,
    }


def document(paths: dict[str, Any] | None = None, **more: Any) -> bytes:
    """A document with one operation, unless `paths` says otherwise."""
    found = {
        "openapi": "3.0.1",
        "info": {"title": "Orders", "version": "1"},
        "paths": {"/orders": {"get": operation()}} if paths is None else paths,
        "components": {"securitySchemes": {"key": KEY}},
        **more,
    }
    return json.dumps(found).encode()
