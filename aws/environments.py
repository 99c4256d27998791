"""The environment of a function: sealed here, opened for calls to Lambda, shown to nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from audit.sealing import seal, unseal

if TYPE_CHECKING:
    from aws.models import LambdaFunction

PURPOSE = "aws-function-environment"


def put_environment(function: LambdaFunction, values: Mapping[str, str]) -> None:
    """Seal `values` into `function` (not saved); their names stay readable."""
    text = json.dumps(dict(values), sort_keys=True)
    function.environment_sealed = seal(text, purpose=PURPOSE, place=_place(function)) if values else b""
    function.environment_names = sorted(values)


def open_environment(function: LambdaFunction) -> dict[str, str]:
    """The values, for calls to Lambda only. Raises audit.sealing.SealBroken."""
    if not function.environment_sealed:
        return {}
    text = unseal(function.environment_sealed, purpose=PURPOSE, place=_place(function))
    return {str(name): str(value) for name, value in json.loads(text).items()}


def _place(function: LambdaFunction) -> str:
    return f"aws_function|{function.public_id}|environment_sealed"
