"""What the demo's upstreams are asked and what they answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON body (None: no body) and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The request is not answered as asked; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: `path` without query and trailing slash, the last value of each query name, the JSON body."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None

    def number(self, name: str, *, default: int, least: int, most: int) -> int:
        """The whole number `name` of the query. Raises Refused (400) when it is none or out of range."""
        text = self.query.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise problem(400, f"{name} must be a whole number from {least} to {most}.")
        return int(text)


type Operation = Callable[..., Answer]
type Routes = Sequence[tuple[str, str, Operation]]
"""Method, path pattern with named groups, and who answers it."""


def problem(status: int, detail: str) -> Refused:
    """An RFC 9457 answer; `status` may be any number from 400 to 599."""
    titles = {known.value: known.phrase for known in HTTPStatus}
    body = {"type": "about:blank", "title": titles.get(status, "Failure"), "status": status, "detail": detail}
    return Refused(Answer(status, body))


def answer_by(routes: Routes) -> Callable[[Asked], Answer]:
    """A service that finds the operation for method and path; 404 and 405 for all others."""
    compiled = [(method, re.compile(pattern), operation) for method, pattern, operation in routes]

    def service(asked: Asked) -> Answer:
        found = [
            (method, match, operation)
            for method, p, operation in compiled
            if (match := p.fullmatch(asked.path))
        ]
        for method, match, operation in found:
            if method == asked.method:
                return operation(asked, **match.groupdict())
        if found:
            allowed = ", ".join(sorted({method for method, _, _ in found}))
            refusal = problem(405, f"Use one of: {allowed}.").answer
            raise Refused(Answer(refusal.status, refusal.body, {"Allow": allowed}))
        raise problem(404, "There is nothing at this path.")

    return service
