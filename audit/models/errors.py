"""Errors that an action raises and every interface turns into a clear answer."""

from __future__ import annotations

from typing import Any


class ActionRefused(Exception):
    """The action cannot be done as things stand. `message` says why and what to do; `code` is for machines."""

    status = 409

    def __init__(self, message: object, *, code: str = "refused") -> None:
        super().__init__(str(message))
        self.message = str(message)
        self.code = code

    @property
    def details(self) -> dict[str, Any]:
        """Further members of the answer for machines, such as a list of `errors`."""
        return {}


class TransitionNotAllowed(ActionRefused):
    """The object is not in a state from which this move is legal; nothing was changed."""

    def __init__(self, message: object) -> None:
        super().__init__(message, code="transition_not_allowed")
