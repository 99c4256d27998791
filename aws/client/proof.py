"""Whether only the portal can use a role: without its external id, and with another one, AWS must refuse.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from aws.client.account import Account
from aws.client.classification import classified
from aws.client.errors import AwsError, Denied, NoCredentials
from aws.client.sessions import Sessions, process_sessions

WHO = "connect"


@dataclass(frozen=True, slots=True)
class Finding:
    """Who the portal is in the account. `is_proven`: the external id keeps others out; else `warnings` say why not."""

    number: str
    arn: str
    is_proven: bool
    warnings: tuple[str, ...] = ()


def proves_external_id(account: Account, sessions: Sessions | None = None) -> Finding:
    """Assume the role as the portal does, without an external id and with a wrong one.

    Raises NoCredentials when the role cannot be assumed, or the account is not the one that is expected; AwsError when
    AWS cannot be asked.
    """
    sessions = sessions or process_sessions()
    sessions.forget(account, WHO)
    number, arn = _identity(account, sessions)
    if not account.role_arn:
        warning = "The portal uses credentials of its own here, so that there is no external id to prove."
        return Finding(number, arn, is_proven=False, warnings=(warning,))
    warnings = tuple(
        said
        for external_id, said in (
            (
                None,
                "The role can be assumed without an external id: its trust policy must require sts:ExternalId.",
            ),
            (
                secrets.token_urlsafe(24),
                "The role can be assumed with any external id: its trust policy must name one.",
            ),
        )
        if not _is_refused(account, sessions, external_id)
    )
    return Finding(number, arn, is_proven=not warnings, warnings=warnings)


def _identity(account: Account, sessions: Sessions) -> tuple[str, str]:
    client = sessions.client(account, "sts", WHO)
    try:
        said = client.get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        raise classified(error, sessions.model("sts", "GetCallerIdentity")) from error
    expected = account.number or _number_in(account.role_arn)
    if expected and said["Account"] != expected:
        message = f"The credentials belong to account {said['Account']}, and not to {expected}. Check the role's ARN."
        raise NoCredentials(message, service="sts", operation="GetCallerIdentity")
    return said["Account"], said["Arn"]


def _is_refused(account: Account, sessions: Sessions, external_id: str | None) -> bool:
    """Anything but a refusal is no proof: what else goes wrong is raised."""
    try:
        sessions.assume(account, WHO, external_id)
    except Denied:
        return True
    except AwsError:
        raise
    return False


def _number_in(role_arn: str) -> str:
    parts = role_arn.split(":")
    return parts[4] if len(parts) > 5 else ""
