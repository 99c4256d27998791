"""Documents and settings for the tests of what is sent to API Gateway."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openapi_spec_validator import OpenAPIV30SpecValidator

from apis.spec.document import read_spec
from apis.spec.guard import resolve
from gateways.drivers.aws.openapi.found import Trap
from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    HttpSettings,
    Integration,
    IntegrationKind,
    RestSettings,
)

SPECS = Path(__file__).resolve().parents[4] / "specs"
GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "aws"
ROLE = "arn:aws:iam::123456789012:role/portal/calls"
WHERE = {"name": "portal-orders-1a2b3c4d", "region": "eu-central-1", "account": "123456789012"}
FUNCTION = Integration(IntegrationKind.LAMBDA_PROXY, function="orders", alias_variable="alias")
BACKEND = Integration(IntegrationKind.HTTP_PROXY, url="https://orders.example.com:8443/v2")
KEYS = Authorizer(
    "keys",
    AuthorizerKind.REQUEST,
    function="keys",
    alias="live",
    sources=("x-api-key",),
    ttl_s=60,
    checks_keys=True,
)
METHODS = frozenset(
    ("get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method")
)


def rest(**more: Any) -> RestSettings:
    return RestSettings(**{"integration": FUNCTION, **WHERE, **more})


def http(**more: Any) -> HttpSettings:
    guarded = {"authorizers": (KEYS,), "authorizer": "keys"}
    return HttpSettings(**{"integration": FUNCTION, **WHERE, **guarded, **more})


def spec(name: str) -> dict[str, Any]:
    """A document of tests/specs as the portal keeps it."""
    return read_spec((SPECS / name).read_bytes(), name).document()


def document(paths: dict[str, Any] | None = None, *, version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    """A document with `paths`, or with one operation."""
    paths = {"/orders": {"get": operation()}} if paths is None else paths
    return {"openapi": version, "info": {"title": "Orders", "version": "1"}, "paths": paths, **more}


def operation(**more: Any) -> dict[str, Any]:
    return {"responses": {"200": {"description": "Good"}}, **more}


def posting(schema: Any, **more: Any) -> dict[str, Any]:
    """A document with one operation that takes a body of `schema`."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return document({"/orders": {"post": operation(operationId="createOrder", requestBody=body)}}, **more)


BODY = "/paths/~1orders/post/requestBody/content/application~1json/schema"


def pointed_at(root: dict[str, Any], pointer: str) -> Any:
    """What a pointer names. Raises LookupError when there is nothing."""
    return resolve(root, f"#{pointer.replace('%', '%25')}") if pointer else root


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, member and operation."""
    for path, item in made["paths"].items():
        for member in item.keys() & METHODS:
            yield path, member, item[member]


def by_code(traps: tuple[Trap, ...]) -> dict[str, list[str]]:
    """The pointers of traps by their code."""
    found: dict[str, list[str]] = {}
    for trap in traps:
        found.setdefault(trap.code, []).append(trap.pointer)
    return found


def faults(made: dict[str, Any]) -> list[str]:
    """What the validator says. It wants a greedy variable named without its plus, and API Gateway the reverse."""
    checked = copy.deepcopy(made)
    checked["paths"] = {path.replace("+}", "}"): item for path, item in checked["paths"].items()}
    found = (error.message for error in OpenAPIV30SpecValidator(checked).iter_errors())
    # JSON Schema lets a property be required that is described nowhere; the validator does not.
    return [
        message for message in found if not message.startswith("Required list has not defined properties")
    ]
