"""What a call to AWS can end with, by what the caller does next."""

from __future__ import annotations

from typing import ClassVar


class AwsError(Exception):
    """A call was not answered as hoped.

    `message` is for people: what happened and what to do. `code` is AWS's own, `request_id` what AWS's support asks
    for; both empty where AWS did not answer. `retry_in_s` says when the same call may be tried again, None where nobody
    knows. `is_permanent`: the same call would fail again.
    """

    is_permanent: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        service: str = "",
        operation: str = "",
        code: str = "",
        request_id: str = "",
        retry_in_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.service = service
        self.operation = operation
        self.code = code
        self.request_id = request_id
        self.retry_in_s = retry_in_s


class MustWait(AwsError):
    """Our own token bucket has nothing left: AWS was not called. Come back after `retry_in_s`."""


class Throttled(AwsError):
    """AWS says that there were too many calls, ours or somebody else's. Nothing was carried out."""


class Busy(AwsError):
    """Somebody else's change is under way, or an earlier one of ours. Try again, at a moment of chance."""


class NotYet(AwsError):
    """Something that was just made is not seen everywhere yet. Try again in a few seconds, for some minutes."""


class Lost(AwsError):
    """It is not known whether the call was carried out. Look for what it makes, by its tag, before doing it again."""


class Unreachable(AwsError):
    """AWS was not reached: the call was certainly not carried out."""


class NoCredentials(AwsError):
    """The portal cannot act in this account: no credentials, a role that does not let it in, or another account."""

    is_permanent = True


class Denied(AwsError):
    """The role may not do this. `action` is the IAM action that its policy lacks, empty where AWS does not say."""

    is_permanent = True
    action: str = ""


class QuotaFull(AwsError):
    """The account has no room for more of this. `number` is the quota, None where it is not known."""

    is_permanent = True
    number: int | None = None


class Conflict(AwsError):
    """What is there stands against it: a name that is taken, a thing that is in use, a version that is not the last."""

    is_permanent = True


class Missing(AwsError):
    """What the call is about is not there."""

    is_permanent = True


class Invalid(AwsError):
    """The call itself is wrong, as AWS or our own checks say in their words."""

    is_permanent = True
