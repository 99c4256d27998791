"""Paths as API Gateway's resources: a tree by segment, in which a variable takes a whole segment."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from apis.spec.building import shown
from gateways.drivers.aws.openapi.found import Found
from gateways.drivers.aws.openapi.schemas import Steps

PARAMETER_NAME = re.compile(r"[A-Za-z0-9:._$-]+")
"""API Gateway refuses others, which no page of its documentation says: a known error text does."""

_LITERAL = re.compile(r"[A-Za-z0-9_.,:-]+")
_VARIABLE = re.compile(r"\{([^{}/]*?)(\+?)\}")
_RESERVED = ("/ping", "/sping")


def published(path: str) -> str:
    """The path of the document as that of a resource, which has no slash at its end."""
    return path.rstrip("/") or "/"


@dataclass(slots=True)
class Tree:
    """The resources of an API. `variables` holds for each parent its one child that is a variable, with a path of
    it."""

    nodes: set[tuple[str, ...]] = field(default_factory=lambda: {()})
    variables: dict[tuple[str, ...], tuple[str, str]] = field(default_factory=dict)

    def add(self, path: str) -> list[tuple[str, str]]:
        """Add a path; gives the variables that clash with one that is there, as (variable, path of the other)."""
        clashes = []
        segments = tuple(filter(None, path.split("/")))
        for depth, segment in enumerate(segments):
            parent = segments[:depth]
            self.nodes.add(segments[: depth + 1])
            if _VARIABLE.fullmatch(segment):
                known, other = self.variables.setdefault(parent, (segment, path))
                clashes += [(segment, other)] if known != segment else []
        return clashes


def look_at_paths(paths: Iterable[str], found: Found, *, is_rest: bool) -> Tree:
    """Note what is wrong with the paths, and give the tree of them."""
    tree, known = Tree(), dict[str, str]()
    for path in paths:
        steps: Steps = ("paths", path)
        _look_at_segments(path, steps, found)
        if (other := known.setdefault(published(path), path)) != path:
            what = f"API Gateway takes {shown(path)} and {shown(other)} for the same path."
            found.block("same-path", steps, what, "Keep one of them.")
        elif published(path) != path:
            what = "API Gateway knows no slash at the end of a path."
            found.note("trailing-slash", steps, what, f"It is published as {shown(published(path))}.")
        for variable, other in tree.add(path) if is_rest else ():
            what = f"{variable} stands where {shown(other)} has another variable; API Gateway has one at each place."
            found.block("two-variables", steps, what, "Give both the same name.")
        if path in _RESERVED:
            what = "AWS answers this path itself on custom domains."
            found.note(
                "reserved-path", steps, what, "Calls reach the service by the address of the stage only."
            )
    return tree


def _look_at_segments(path: str, steps: Steps, found: Found) -> None:
    segments = published(path).split("/")[1:]
    for number, segment in enumerate(segments):
        variable = _VARIABLE.fullmatch(segment)
        if path == "/" or _LITERAL.fullmatch(segment):
            continue
        if variable is not None:
            _look_at_variable(variable[1], bool(variable[2]), number == len(segments) - 1, steps, found)
        elif "?" in segment:
            what = "API Gateway finds an operation by its path, not by a query in it."
            found.block(
                "query-in-path", steps, what, "Describe the query as a parameter of the operation without it."
            )
        elif not segment:
            found.block(
                "empty-segment", steps, "A path of API Gateway has no empty segment.", "Remove one slash."
            )
        elif _VARIABLE.search(segment):
            what = f"In {shown(segment)} a variable takes a part of a segment; API Gateway wants it whole."
            found.block(
                "partial-segment", steps, what, "Make it a segment of its own, or one variable for all of it."
            )
        else:
            what = f"{shown(segment)} holds characters that a path of API Gateway may not."
            cure = "Letters, digits, and the characters _ - . , : may stand there."
            found.block("path-characters", steps, what, cure)


def _look_at_variable(name: str, greedy: bool, last: bool, steps: Steps, found: Found) -> None:
    if not PARAMETER_NAME.fullmatch(name):
        what = f"The variable {shown(name)} has a name that API Gateway refuses."
        found.block(
            "variable-name", steps, what, "Name it with letters, digits, and the characters : . _ $ -"
        )
    if greedy and not last:
        what = f"{{{name}+}} takes the rest of a path, so nothing can follow it."
        found.block("greedy-not-last", steps, what, "End the path with it.")
