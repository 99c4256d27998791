"""The external id of an account: made here, shown once, sealed for the calls, told to nobody again.

It keeps others from having this portal work in an account of ours ("The confused deputy problem", IAM user guide). A
person never chooses it: two customers of one portal could choose the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from audit.sealing import checksum, random_text, seal, unseal

if TYPE_CHECKING:
    from aws.models import AwsAccount

PURPOSE = "aws-external-id"
PREFIX = "ghx"


def make_external_id() -> str:
    """One with 256 random bits, in the form of our other secrets, so that logs and reports know it as one."""
    body = PREFIX + random_text(16, "0123456789abcdefghijklmnopqrstuvwxyz") + random_text(43)
    return body + checksum(body)


def put_external_id(account: AwsAccount, value: str) -> None:
    """Seal `value` into `account` (not saved)."""
    account.external_id_sealed = seal(value, purpose=PURPOSE, place=_place(account))
    account.external_id_made_at = timezone.now()


def forget_external_id(account: AwsAccount) -> None:
    """Take it out of `account` (not saved): nothing is called there any more."""
    account.external_id_sealed, account.external_id_made_at = b"", None


def open_external_id(account: AwsAccount) -> str:
    """The value, for AssumeRole only; empty where no role is assumed. Raises audit.sealing.SealBroken."""
    if not account.external_id_sealed:
        return ""
    return unseal(account.external_id_sealed, purpose=PURPOSE, place=_place(account))


def _place(account: AwsAccount) -> str:
    return f"aws_account|{account.public_id}|external_id_sealed"
