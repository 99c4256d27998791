"""An account of AWS in one Region, as the client needs to know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """Where calls go, and as whom.

    `id` is the public id of the portal's own record. `role_arn` is assumed with `external_id`; empty, the credentials
    of the process itself are used. `endpoint_url` is set for a simulated AWS alone. `number` is the account's number of
    twelve digits, empty until AWS has told it.
    """

    id: str
    region: str
    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str = ""
    number: str = ""

    @property
    def share(self) -> str:
        """Whose limits a call eats: AWS counts per account and Region, whoever calls."""
        return f"{self.number or self.id}:{self.region}"
