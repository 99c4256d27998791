"""What goes wrong between a caller and AWS, when a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from tests.aws.fake.refusals import Refused


class Crashed(BaseException):
    """The caller's process died. It is no Exception, so that nothing on the way catches it."""


class Kind(StrEnum):
    CUT_BEFORE = "cut_before"
    """The connection was not made: nothing happened, and the caller knows."""
    LOST_BEFORE = "lost_before"
    """The request got lost: nothing happened, and the caller does not know."""
    LOSE_RESPONSE = "lose_response"
    """It was carried out, and the caller does not know."""
    FAIL = "fail"
    CRASH_BEFORE = "crash_before"
    CRASH_AFTER = "crash_after"


@dataclass(slots=True)
class Fault:
    """Happens `times` times, after `skip` calls of the operation went well. `operation` "*" is any."""

    kind: Kind
    operation: str = "*"
    times: int = 1
    skip: int = 0
    error: Refused | None = None


@dataclass(slots=True)
class Faults:
    """Those that are still to come, in order."""

    coming: list[Fault] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)

    def lose_response(self, operation: str = "*", *, times: int = 1, skip: int = 0) -> None:
        """AWS does it, and the answer gets lost."""
        self.coming.append(Fault(Kind.LOSE_RESPONSE, operation, times, skip))

    def lose_request(self, operation: str = "*", *, times: int = 1, skip: int = 0) -> None:
        """AWS never hears of it, and the caller waits in vain."""
        self.coming.append(Fault(Kind.LOST_BEFORE, operation, times, skip))

    def cut_before(self, operation: str = "*", *, times: int = 1, skip: int = 0) -> None:
        """No connection."""
        self.coming.append(Fault(Kind.CUT_BEFORE, operation, times, skip))

    def fail(self, operation: str, error: Refused, *, times: int = 1, skip: int = 0) -> None:
        """AWS answers an error, and does nothing."""
        self.coming.append(Fault(Kind.FAIL, operation, times, skip, error))

    def crash_before(self, operation: str = "*", *, times: int = 1, skip: int = 0) -> None:
        """The caller dies before its call reaches AWS."""
        self.coming.append(Fault(Kind.CRASH_BEFORE, operation, times, skip))

    def crash_after(self, operation: str = "*", *, times: int = 1, skip: int = 0) -> None:
        """The caller dies when AWS has done it."""
        self.coming.append(Fault(Kind.CRASH_AFTER, operation, times, skip))

    def deny(self, action: str) -> None:
        """The role's policy lacks this action ("apigateway:POST", "lambda:CreateFunction")."""
        self.denied.add(action)

    def allow(self, action: str) -> None:
        """It has it again."""
        self.denied.discard(action)

    def next(self, operation: str) -> Fault | None:
        """What happens to this call."""
        for fault in self.coming:
            if fault.operation in {"*", operation}:
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.coming.remove(fault)
                return fault
        return None


def before(fault: Fault | None, url: str) -> None:
    """What happens before AWS hears of a call."""
    if fault is None:
        return
    if fault.kind is Kind.CUT_BEFORE:
        raise EndpointConnectionError(endpoint_url=url, error="connection refused")
    if fault.kind is Kind.LOST_BEFORE:
        raise ReadTimeoutError(endpoint_url=url)
    if fault.kind is Kind.CRASH_BEFORE:
        raise Crashed(url)
    if fault.kind is Kind.FAIL:
        assert fault.error is not None
        raise fault.error


def after(fault: Fault | None, url: str) -> None:
    """What happens when AWS has done it."""
    if fault is None:
        return
    if fault.kind is Kind.LOSE_RESPONSE:
        raise ReadTimeoutError(endpoint_url=url)
    if fault.kind is Kind.CRASH_AFTER:
        raise Crashed(url)
