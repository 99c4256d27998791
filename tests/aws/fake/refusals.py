"""How AWS says no."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """An answer with an error of AWS: its code, its words, the status. `more` are members of the error's shape."""

    def __init__(self, code: str, message: str, status: int = 400, **more: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.more = more


def bad_request(message: str) -> Refused:
    return Refused("BadRequestException", message, 400)


def not_found(message: str) -> Refused:
    return Refused("NotFoundException", message, 404)


def conflict(message: str) -> Refused:
    return Refused("ConflictException", message, 409)


def quota(message: str) -> Refused:
    """API Gateway answers a full quota with 429, as it does a full rate; only the code tells them apart."""
    return Refused("LimitExceededException", message, 429)


def invalid_parameter(message: str) -> Refused:
    return Refused("InvalidParameterValueException", message, 400)


def resource_conflict(message: str) -> Refused:
    return Refused("ResourceConflictException", message, 409)


def resource_missing(message: str) -> Refused:
    return Refused("ResourceNotFoundException", message, 404)


def validation(message: str) -> Refused:
    return Refused("ValidationException", message, 400)


def precondition() -> Refused:
    """[S] lambda_."""
    return Refused(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to"
        " retrieve the latest Revision Id",
        412,
    )
