"""What kind of document a file is, and what to do with the kinds that are not read."""

from __future__ import annotations

import re
from typing import Any

from apis.spec.building import shown
from apis.spec.guard import BUNDLE_HINT
from apis.spec.places import Source
from apis.spec.problems import SpecRefused

READ_HINT = "OpenAPI 3.0 and 3.1 are read"

_VERSION = re.compile(r"3\.([01])\.[0-9]+(-.+)?\Z")
_SHORT_VERSION = re.compile(r"3(\.[01])?\Z")

# Top-level keys of documents that people choose by mistake: (key, code, message)
_SWAGGER = (
    f"This is a Swagger 2.0 document; {READ_HINT}. Convert it, for example with: "
    "npx swagger2openapi swagger.json -o openapi.json"
)
_ASYNCAPI = (
    f"This is an AsyncAPI document, which describes messages and channels; {READ_HINT}. Publish the HTTP part of the "
    "service as an OpenAPI document."
)
_ARAZZO = "This is an Arazzo document of workflows. Choose the OpenAPI document it refers to."
_OVERLAY = "This is an overlay. Apply it first, and choose the OpenAPI document that results."
_POSTMAN = "This is a Postman collection. Export it as OpenAPI 3 from Postman, and choose that file."
_OTHERS = (
    ("swagger", "swagger-2", _SWAGGER),
    ("asyncapi", "asyncapi", _ASYNCAPI),
    ("arazzo", "not-openapi", _ARAZZO),
    ("overlay", "not-openapi", _OVERLAY),
    ("_postman_id", "not-openapi", _POSTMAN),
)


def minor_version(source: Source) -> str:
    """`"3.0"` or `"3.1"`. Raises SpecRefused for every other document, saying what to do with it."""
    declared = source.root.get("openapi")
    if isinstance(declared, str) and (found := _VERSION.match(declared)):
        return f"3.{found[1]}"
    if "openapi" in source.root:
        raise _refused(source, "openapi", "unsupported-version", _version_message(declared))
    for key, code, message in _OTHERS:
        if key in source.root or (isinstance(info := source.root.get("info"), dict) and key in info):
            raise _refused(source, key, code, message)
    message = f"The key “openapi” with a version such as 3.1.0 is missing, so this is no OpenAPI document; {READ_HINT}."
    raise SpecRefused([source.problem([], "not-openapi", f"{message} If it is a part of one: {BUNDLE_HINT}")])


def _refused(source: Source, key: str, code: str, message: str) -> SpecRefused:
    return SpecRefused([source.problem([key] if key in source.root else [], code, message)])


def _version_message(declared: Any) -> str:
    if isinstance(declared, str) and _SHORT_VERSION.match(declared):
        return f"Write the whole version, such as “3.1.0” or “3.0.3”, in place of {shown(declared)}."
    if not isinstance(declared, str):
        return "The version must be text such as “3.1.0”, in quotes."
    return (
        f"Version {shown(declared)} is not read; {READ_HINT}. Write the document as 3.1, the nearest version, "
        "without what only other versions know."
    )
