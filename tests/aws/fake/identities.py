"""Who calls: the portal itself, and roles that it assumed.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.aws.fake.clock import Clock
from tests.aws.fake.place import Params, Place, operation
from tests.aws.fake.refusals import Refused

PORTAL_NUMBER = "999900001111"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a role lets in: with this external id, with any ("*"), or without one (None)."""

    external_id: str | None

    def lets_in(self, external_id: str | None) -> bool:
        return (
            self.external_id is None
            or external_id == self.external_id
            or (self.external_id == "*" and external_id is not None)
        )


@dataclass(frozen=True, slots=True)
class Identity:
    arn: str
    number: str
    ends_at: float | None = None


@dataclass(slots=True)
class Identities:
    """Access keys and whose they are."""

    clock: Clock
    trusts: dict[str, Trust] = field(default_factory=dict)
    sessions: dict[str, Identity] = field(default_factory=dict)
    portal: tuple[str, str, str] = ("AKIAPORTAL0000000000", "secret", "")
    portal_identity: Identity = Identity(f"arn:aws:iam::{PORTAL_NUMBER}:user/gatehouse", PORTAL_NUMBER)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def of(self, key: str) -> Identity:
        """Raises Refused for a key that is not known, or a session that is over."""
        if key == self.portal[0]:
            return self.portal_identity
        found = self.sessions.get(key)
        if found is None:
            raise Refused(
                "UnrecognizedClientException", "The security token included in the request is invalid.", 403
            )
        if found.ends_at is not None and found.ends_at <= self.clock():
            raise Refused(
                "ExpiredTokenException", "The security token included in the request is expired", 403
            )
        return found

    def assume(self, caller: str, params: Params) -> dict[str, Any]:
        """The answer to AssumeRole."""
        arn, name = params["RoleArn"], params["RoleSessionName"]
        trust = self.trusts.get(arn)
        if trust is None or not trust.lets_in(params.get("ExternalId")):
            message = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise Refused("AccessDenied", message, 403)
        number = arn.split(":")[4]
        key = f"ASIA{next(self._numbers):016d}"
        ends_at = self.clock() + params.get("DurationSeconds", 3600)
        assumed = f"arn:aws:sts::{number}:assumed-role/{arn.split('/')[-1]}/{name}"
        self.sessions[key] = Identity(assumed, number, ends_at)
        return {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": datetime.fromtimestamp(ends_at, UTC),
            },
            "AssumedRoleUser": {"AssumedRoleId": f"AROA:{name}", "Arn": assumed},
        }


@operation("sts", "AssumeRole")
def assume_role(place: Place, params: Params) -> dict[str, Any]:
    identities: Identities = place.world.identities
    return identities.assume(place.caller, params)


@operation("sts", "GetCallerIdentity")
def get_caller_identity(place: Place, params: Params) -> dict[str, Any]:
    return {"Account": place.number, "Arn": place.caller, "UserId": "AROA"}
