"""The patch operations of API Gateway.

https://docs.aws.amazon.com/apigateway/latest/developerguide/patch-operations.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.aws.fake.place import Params
from tests.aws.fake.refusals import bad_request


@dataclass(frozen=True, slots=True)
class Patch:
    """`parts` is the path without its slashes; `~1` in a part is a slash."""

    op: str
    path: str
    value: str
    origin: str

    @property
    def parts(self) -> list[str]:
        return [part.replace("~1", "/").replace("~0", "~") for part in self.path.split("/")[1:]]

    @property
    def is_true(self) -> bool:
        return self.value.lower() == "true"


def patches(params: Params) -> list[Patch]:
    """Those of a request, in order."""
    return [
        Patch(one.get("op", ""), one.get("path", ""), one.get("value", ""), one.get("from", ""))
        for one in params.get("patchOperations", ())
    ]


def only(patch: Patch, ops: Sequence[str], paths: Iterable[str]) -> None:
    """Raises as AWS does for keys and validators [S] apigateway."""
    if patch.op not in ops:
        said = f"Invalid patch path  '{patch.path}' specified for op '{patch.op}'."
        raise bad_request(f"{said} Please choose supported operations")
    if patch.path not in (known := list(paths)):
        listed = f"[{', '.join(known)}]"
        raise bad_request(
            f"Invalid patch path  '{patch.path}' specified for op '{patch.op}'. Must be one of: {listed}"
        )


def number(patch: Patch) -> float:
    """A rate, which may have decimals."""
    try:
        return float(patch.value)
    except ValueError:
        raise bad_request(f"Invalid value '{patch.value}' specified for path {patch.path}") from None


def without_empty(values: dict[str, Any]) -> dict[str, Any]:
    """Members that AWS leaves out of an answer are left out."""
    return {name: value for name, value in values.items() if value not in (None, "")}
