"""What API Gateway would refuse, or take otherwise than it is written: found in the document, before any call.

Sources are the quotas and the "important notes" of its developer guide, and error texts where they say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from apis.spec.building import shown
from apis.spec.places import pointer_to
from apis.spec.rules import mapping
from gateways.drivers.aws.openapi.calls import ANY, Call, calls_of, followed
from gateways.drivers.aws.openapi.down import ANY_METHOD, Down, down
from gateways.drivers.aws.openapi.found import Found, Trap
from gateways.drivers.aws.openapi.models import Models
from gateways.drivers.aws.openapi.paths import PARAMETER_NAME, Tree, look_at_paths
from gateways.drivers.aws.openapi.settings import Validate
from gateways.engine.document import canonical_json

MAX_RESOURCES = MAX_ROUTES = 300
MAX_DEFINITION_BYTES = 6_000_000
MAX_AUTHORIZERS = 10
MAX_POLICY_CHARS = 8_192
MAX_TEMPLATE_BYTES = 300_000
MAX_STAGE_VARIABLES = 100

_VERSION = re.compile(r"3\.[01]\.\d+(-.+)?")
_STAGE = re.compile(r"[A-Za-z0-9_-]{1,128}")
_STAGE_VARIABLE = re.compile(r"[A-Za-z0-9_]{1,64}")
_STAGE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]{1,512}")
_OURS = "x-amazon-apigateway-"


class ApiKind(StrEnum):
    """The types of API that documents are imported into."""

    REST = "rest"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Looked:
    """A document that was looked at. `source` is in 3.0, `calls` are its operations, `models` those of their
    bodies."""

    source: Down
    calls: tuple[Call, ...]
    models: Models
    tree: Tree
    found: Found


def traps_of(document: dict[str, Any], kind: ApiKind, validate: Validate = Validate.ALL) -> tuple[Trap, ...]:
    """Every trap in `document`, those that block the import first. What is checked of calls decides which count."""
    return look(document, kind, validate).found.all


def look(document: dict[str, Any], kind: ApiKind, validate: Validate) -> Looked:
    """Look at a document that `apis.spec` accepted, for an API of `kind`."""
    found, source = Found(), down(document)
    calls = tuple(_where_written(call, source) for call in calls_of(source.document))
    models = Models(source, found)
    found.add(trap for trap in source.notes if trap.code != "schema-3.1")
    _look_at_document(document, found)
    tree = _look_at_tree(document, calls, found, is_rest=kind is ApiKind.REST)
    for call in calls:
        _look_at_call(call, found)
    if kind is ApiKind.REST:
        _look_at_rest(calls, models, found, validate)
    else:
        what = "An HTTP API checks neither bodies nor parameters."
        found.note("no-validation", ("paths",), what, "The service must check them, or take a REST API.")
    _add_cost(source, models, found)
    return Looked(source, calls, models, tree, found)


def _where_written(call: Call, source: Down) -> Call:
    """The operation with the steps to it in the author's document."""
    return replace(call, steps=source.places.get(id(call.operation), call.steps))


def _add_cost(source: Down, models: Models, found: Found) -> None:
    """What the way to 3.0 cost the models; of other schemas API Gateway is told nothing anyway."""
    places = tuple(f"{pointer_to(steps)}/" for steps in models.places.values())
    found.add(trap for trap in source.notes if trap.code == "schema-3.1" and trap.pointer.startswith(places))


def _look_at_document(document: dict[str, Any], found: Found) -> None:
    if not _VERSION.fullmatch(str(document.get("openapi"))):
        cure = "Give a document of OpenAPI 3.0 or 3.1."
        found.block("openapi-version", ("openapi",), "This is no version that can be made into 3.0.", cure)
    if document.get("security"):
        what = "API Gateway ignores security at the root of a document, which would leave operations open."
        found.note(
            "root-security", ("security",), what, "What the settings ask for stands on every operation."
        )
    if mapping(document.get("components")).get("securitySchemes"):
        what = "The schemes of the service itself are not those of the gateway in front of it."
        steps = ("components", "securitySchemes")
        found.note(
            "security-schemes", steps, what, "The authorizers and the key of the settings take their place."
        )
    for name in document:
        _look_at_extension((name,), found)


def _look_at_extension(steps: tuple[str, ...], found: Found) -> None:
    if steps[-1].startswith(_OURS) and steps[-1] != ANY_METHOD:
        what = "What API Gateway does is set in the portal, not in the document."
        found.note("aws-extension", steps, what, "This is left out.")


def _look_at_tree(document: dict[str, Any], calls: tuple[Call, ...], found: Found, *, is_rest: bool) -> Tree:
    paths = [path for path in mapping(document.get("paths")) if not path.startswith("x-")]
    tree = look_at_paths(paths, found, is_rest=is_rest)
    _count(tree, calls, found, is_rest=is_rest)
    return tree


def _count(tree: Tree, calls: tuple[Call, ...], found: Found, *, is_rest: bool) -> None:
    number, most, things = (
        (len(tree.nodes), MAX_RESOURCES, "resources") if is_rest else (len(calls), MAX_ROUTES, "routes")
    )
    if number > most:
        what = f"The document makes {number} {things}; an API has at most {most}."
        cure = "Split it into several APIs, publish it with one path for all, or ask AWS for a higher quota."
        found.block(f"too-many-{things}", ("paths",), what, cure)
    if not calls:
        cure = "Describe at least one, or publish it with one path for all."
        found.block("no-operations", ("paths",), "There is no operation to publish.", cure)


def _look_at_call(call: Call, found: Found) -> None:
    if call.method == "TRACE":
        found.block("trace", call.steps, "API Gateway knows no method TRACE.", "Remove the operation.")
    for name in call.operation:
        _look_at_extension((*map(str, call.steps), name), found)


def _look_at_rest(calls: tuple[Call, ...], models: Models, found: Found, validate: Validate) -> None:
    if any(mapping(call.operation.get("responses")) for call in calls):
        what = "API Gateway checks no answers."
        found.note(
            "answers-unchecked", ("paths",), what, "Their schemas are left out, which need not be objects so."
        )
    if validate.of_parameters:
        what = "API Gateway checks that required parameters are there, and nothing else of them."
        found.note(
            "parameters-presence", ("paths",), what, "Types, patterns and ranges are up to the service."
        )
    for call in calls:
        _look_at_parameters(call, found, validate)
        _look_at_answers(call, found)
        if validate.of_body:
            models.take(call, operation_name(call))
    models.finish()


def _look_at_parameters(call: Call, found: Found, validate: Validate) -> None:
    for parameter in call.parameters:
        if parameter.place == "cookie":
            what = f"API Gateway cannot name the cookie {shown(parameter.name)}."
            found.note("cookie-parameter", parameter.steps, what, "It is passed on, and not asked for.")
        elif not PARAMETER_NAME.fullmatch(parameter.name):
            what = f"API Gateway refuses {shown(parameter.name)} as the name of a parameter."
            cost = "It is left out: a proxy passes it on, other integrations do not see it."
            found.note("parameter-name", parameter.steps, what, cost)
        elif _minds_case(parameter.place, parameter.name) and parameter.required and validate.of_parameters:
            what = "API Gateway minds the case of the names of headers."
            found.note(
                "header-case", parameter.steps, what, f"Callers must write it {shown(parameter.name)}."
            )


def _minds_case(place: str, name: str) -> bool:
    return place == "header" and name != name.lower()


def _look_at_answers(call: Call, found: Found) -> None:
    types = set[str]()
    for status, written in mapping(call.operation.get("responses")).items():
        answer, _ = followed(call.root, written, (*call.steps, "responses", status))
        types |= mapping(mapping(answer).get("content")).keys()
    if len(types) > 1:
        what = "API Gateway looks at the first media type that a caller accepts, and at no other."
        found.note(
            "accept-first",
            (*call.steps, "responses"),
            what,
            "It decides by that whether an answer is binary.",
        )


def operation_name(call: Call) -> str:
    """A name of letters and digits: of the operationId, or of method and path."""
    words = re.findall(r"[A-Za-z0-9]+", call.key)
    return "".join(word[:1].upper() + word[1:] for word in words) or "Operation"


def stage_traps(kind: ApiKind, name: str, variables: Mapping[str, str]) -> tuple[Trap, ...]:
    """What is wrong with a stage; pointers are into `{"name": ..., "variables": {...}}`."""
    found = Found()
    if not (_STAGE.fullmatch(name) or (kind is ApiKind.HTTP and name == "$default")):
        cure = "Use 1 to 128 letters, digits, hyphens and underscores."
        found.block("stage-name", ("name",), f"{shown(name)} is no name of a stage.", cure)
    if len(variables) > MAX_STAGE_VARIABLES:
        what = f"A stage has at most {MAX_STAGE_VARIABLES} variables; these are {len(variables)}."
        found.block("stage-variables", ("variables",), what, "Remove some.")
    for variable, value in variables.items():
        steps = ("variables", variable)
        if not _STAGE_VARIABLE.fullmatch(variable):
            cure = "Use 1 to 64 letters, digits and underscores."
            found.block(
                "stage-variable-name", steps, f"{shown(variable)} is no name of a stage variable.", cure
            )
        if not _STAGE_VALUE.fullmatch(value):
            cure = "Use 1 to 512 letters, digits, and the characters - . _ ~ : / ? # & = , but no spaces or quotes."
            found.block(
                "stage-variable-value", steps, "The value is none that a stage variable can have.", cure
            )
    return found.all


def rendered_traps(document: dict[str, Any]) -> tuple[Trap, ...]:
    """What is over a quota in the document that would be sent; pointers are into that one."""
    found = Found()
    if (size := len(canonical_json(document).encode())) > MAX_DEFINITION_BYTES:
        what = f"As it would be sent the document has {size:,} bytes; at most {MAX_DEFINITION_BYTES:,} are taken."
        found.block(
            "definition-too-large", (), what, "Check less of the bodies, or split it into several APIs."
        )
    schemes = mapping(mapping(document.get("components")).get("securitySchemes"))
    if (number := sum(f"{_OURS}authorizer" in scheme for scheme in schemes.values())) > MAX_AUTHORIZERS:
        what = f"An API has at most {MAX_AUTHORIZERS} authorizers; these are {number}."
        found.block("too-many-authorizers", ("components", "securitySchemes"), what, "Use fewer.")
    policy = document.get(f"{_OURS}policy")
    if policy and (length := len(canonical_json(policy))) > MAX_POLICY_CHARS:
        what = f"The resource policy has {length:,} characters; at most {MAX_POLICY_CHARS:,} are taken."
        found.block(
            "policy-too-large", (f"{_OURS}policy",), what, "Shorten it, for example by address ranges."
        )
    for call in calls_of(document):
        _look_at_templates(call, found)
    return found.all


def _look_at_templates(call: Call, found: Found) -> None:
    steps = (*call.steps, f"{_OURS}integration")
    integration = mapping(call.operation.get(f"{_OURS}integration"))
    places = [((*steps, "requestTemplates"), integration.get("requestTemplates"))]
    for pattern, answer in mapping(integration.get("responses")).items():
        places.append(((*steps, "responses", pattern, "responseTemplates"), answer.get("responseTemplates")))
    for at, templates in places:
        for media_type, template in mapping(templates).items():
            if len(template.encode()) > MAX_TEMPLATE_BYTES:
                what = f"A template has at most {MAX_TEMPLATE_BYTES:,} bytes."
                found.block(
                    "template-too-large", (*at, media_type), what, "Shorten it, or do it in a function."
                )


__all__ = ["ANY", "ApiKind", "Looked", "look", "rendered_traps", "stage_traps", "traps_of"]
