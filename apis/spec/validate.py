"""Whether a document is the OpenAPI that it says it is: the official schemas, and the rules they cannot express."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema_rs

from apis.spec.places import Source
from apis.spec.problems import MAX_PROBLEMS, whole_file
from apis.spec.rules import check_rules
from apis.spec.schema_errors import readable

# The official schemas, as published by the OpenAPI Initiative under Apache-2.0 (spec.openapis.org/oas).
_SCHEMAS = Path(__file__).parent / "schemas"
_BASE_31 = {
    "$id": "https://spec.openapis.org/oas/3.1/schema-base/2022-10-07",
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$ref": "https://spec.openapis.org/oas/3.1/schema/2022-10-07",
    "$defs": {"schema": {"$dynamicAnchor": "meta", "$ref": "https://spec.openapis.org/oas/3.1/dialect/base"}},
}
# More errors than this say nothing new.
_MAX_RAW_ERRORS = 5 * MAX_PROBLEMS


def check_document(source: Source, minor: str) -> None:
    """Note in `source` every problem and warning of an OpenAPI document of version `minor` ("3.0" or "3.1").

    The schemas never follow a reference of the document; the rules do, so they are only asked where all can be.
    """
    sound = not source.problems.found
    validator, definitions = _validator(minor)
    errors = _errors(validator, source.root)
    source.problems.cut |= len(errors) > _MAX_RAW_ERRORS
    for problem in readable(iter(errors[:_MAX_RAW_ERRORS]), definitions):
        (source.warn if problem.tolerated else source.refuse)(problem.steps, problem.code, problem.message)
    if sound:
        check_rules(source)


def _errors(validator: Any, root: dict[str, Any]) -> list[Any]:
    """The errors of the schema, one more than are used at most. Raises SpecRefused when there are too many to hold."""
    try:
        return list(islice(validator.iter_errors(root), _MAX_RAW_ERRORS + 1))
    except RuntimeError as error:
        if "panicked" not in str(error):
            raise
    # The library gathers all errors before it gives the first, and this many did not fit into our memory limit.
    raise whole_file(
        "too-many-errors",
        "The document is wrong in more places than can be listed. Check it with an OpenAPI linter first.",
    )


@cache
def _validator(minor: str) -> tuple[Any, dict[str, Any]]:
    """The compiled official schema and its definitions. It never fetches: every schema is at hand, offline is set."""
    schema = _load(f"openapi-{minor}.json")
    if minor == "3.0":
        compiled: Any = jsonschema_rs.Draft4Validator(schema, validate_formats=False, offline=True)
        return compiled, schema["definitions"]
    parts = [schema, _load("openapi-3.1-dialect.json"), _load("openapi-3.1-vocabulary.json")]
    registry = jsonschema_rs.Registry([(part["$id"], part) for part in parts])
    compiled = jsonschema_rs.Draft202012Validator(
        _BASE_31, registry=registry, validate_formats=False, offline=True
    )
    return compiled, schema["$defs"]


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((_SCHEMAS / name).read_text(encoding="utf-8"))
    return loaded


def prepare() -> None:
    """Compile both schemas now, before files can no longer be opened."""
    _validator("3.0")
    _validator("3.1")
