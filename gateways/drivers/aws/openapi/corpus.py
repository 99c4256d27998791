"""`python -m gateways.drivers.aws.openapi.corpus DIR`: what API Gateway would say to every document under a
directory."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apis.spec.corpus import SUFFIXES
from apis.spec.document import read_spec
from apis.spec.problems import SpecRefused
from gateways.drivers.aws.openapi.found import CannotImport, Rendered, Trap
from gateways.drivers.aws.openapi.http_api import http_document
from gateways.drivers.aws.openapi.rest import rest_document
from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    HttpSettings,
    Integration,
    IntegrationKind,
    RestSettings,
    Validate,
)

_FUNCTION = Integration(IntegrationKind.LAMBDA_PROXY, function="tried", alias_variable="alias")
_REGION, _ACCOUNT = "eu-central-1", "000000000000"


def documents(directory: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every document under `directory` that the portal accepts, in order of name."""
    for path in sorted(found for found in directory.rglob("*") if found.suffix.lower() in SUFFIXES):
        try:
            yield path, read_spec(path.read_bytes(), path.name).document()
        except SpecRefused as refused:
            sys.stdout.write(
                f"{path.relative_to(directory)}: the portal refuses it, {refused.problems[0].code}\n"
            )


def as_rest(document: dict[str, Any]) -> Rendered:
    """As a REST API with keys that checks all it can."""
    settings = RestSettings(
        name="tried", region=_REGION, account=_ACCOUNT, integration=_FUNCTION, validate=Validate.ALL
    )
    return rest_document(document, settings)


def as_http(document: dict[str, Any]) -> Rendered:
    """As an HTTP API with the portal's authorizer."""
    keys = Authorizer(
        "keys", AuthorizerKind.REQUEST, function="keys", sources=("x-api-key",), checks_keys=True
    )
    settings = HttpSettings(
        name="tried",
        region=_REGION,
        account=_ACCOUNT,
        integration=_FUNCTION,
        authorizers=(keys,),
        authorizer="keys",
    )
    return http_document(document, settings)


def outcome(render: Any, document: dict[str, Any]) -> tuple[str, tuple[Trap, ...]]:
    """One line on how it went, and what was found."""
    started = time.perf_counter()
    try:
        rendered = render(document)
    except CannotImport as refused:
        return f"refused, {len(refused.traps)} things block", refused.traps
    seconds = time.perf_counter() - started
    notes = f"{len(rendered.notes)} notes, {len(rendered.text.encode()):,} bytes, {seconds:.2f} s"
    return f"imports, {notes}", rendered.notes


def main(arguments: list[str]) -> int:
    """Exit status: 0, or 2 without a directory."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write(
            "Name one directory of documents: python -m gateways.drivers.aws.openapi.corpus DIR\n"
        )
        return 2
    directory, codes, went = Path(arguments[0]), Counter[str](), Counter[str]()
    for path, document in documents(directory):
        for name, render in (("REST", as_rest), ("HTTP", as_http)):
            said, traps = outcome(render, document)
            went[f"{name} {said.partition(',')[0]}"] += 1
            codes.update(f"{name} {'blocks' if trap.blocks else 'note'} {trap.code}" for trap in traps)
            sys.stdout.write(f"{path.relative_to(directory)}: {name} {said}\n")
            sys.stdout.writelines(f"    {trap}\n" for trap in traps[:3] if trap.blocks)
    for counts in (went, codes):
        sys.stdout.writelines(["\n", *(f"{count:>6}  {words}\n" for words, count in sorted(counts.items()))])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
