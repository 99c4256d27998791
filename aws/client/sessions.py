"""Clients of botocore for an account: the role is assumed with its external id, and only memory holds what comes of it.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader

from aws.client.account import Account
from aws.client.classification import classified
from aws.client.errors import Denied, Invalid, Missing, NoCredentials
from aws.client.strict import strict_model

SESSION_S = 3600
EARLY_S = 300
"""Credentials are renewed this long before they end: longer than any call takes."""
KEPT = 64
CONNECT_S = 5
READ_S = 65
SIMULATED = ("GATEHOUSE_SIMULATED_AWS_ACCESS_KEY_ID", "GATEHOUSE_SIMULATED_AWS_SECRET_ACCESS_KEY")
"""Who the portal is in a simulated AWS, from the environment; "simulated" where that asks nobody."""

type Keys = tuple[str, str, str]
"""Access key, secret, session token (empty for none)."""


@dataclass(slots=True)
class _Session:
    """The clients that act with one set of credentials. `ends_at` None: botocore renews them itself."""

    keys: Keys | None
    ends_at: float | None
    clients: dict[str, Any] = field(default_factory=dict)


class Sessions:
    """Clients per account and who acts, kept until shortly before their credentials end. Safe for threads.

    `prepare` is called with botocore's session before the first client is made of it. `ambient` says as whom the portal
    itself acts; None means whom botocore finds (environment, instance, web identity).
    """

    def __init__(
        self,
        *,
        prepare: Callable[[Any], None] | None = None,
        ambient: Callable[[Account], Keys | None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._botocore = botocore.session.Session()
        self._botocore.register_component("data_loader", _loader())
        self._botocore.register("provide-client-params", strict_model)
        if prepare is not None:
            prepare(self._botocore)
        self._ambient = ambient or _found_or_simulated
        self._clock = clock
        self._kept: OrderedDict[tuple[Account, str], _Session] = OrderedDict()
        self._models: dict[str, Any] = {}
        self._lock = threading.RLock()

    def model(self, service: str, operation: str) -> Any:
        """Botocore's model of an operation, as AWS names it ("PutRestApi")."""
        with self._lock:
            if service not in self._models:
                self._models[service] = self._botocore.get_service_model(service)
            return self._models[service].operation_model(operation)

    def client(self, account: Account, service: str, who: str) -> Any:
        """A client that acts in the account. Raises NoCredentials for a role that lets nobody in, Unreachable, Lost."""
        kept = self._session(account, who)
        with self._lock:
            if service not in kept.clients:
                kept.clients[service] = self._make(account, service, kept.keys)
            return kept.clients[service]

    def forget(self, account: Account, who: str) -> None:
        """Assume the role anew at the next call."""
        with self._lock:
            self._kept.pop((account, who), None)

    def assume(self, account: Account, who: str, external_id: str | None) -> dict[str, Any]:
        """AWS's answer to AssumeRole with this external id, None for none. Raises AwsError as AWS answers it."""
        params = {
            "RoleArn": account.role_arn,
            "RoleSessionName": session_name(who),
            "DurationSeconds": SESSION_S,
            **({"ExternalId": external_id} if external_id is not None else {}),
        }
        with self._lock:
            client = self._make(account, "sts", self._ambient(account))
        try:
            return client.assume_role(**params)  # type: ignore[no-any-return]
        except (ClientError, BotoCoreError) as error:
            raise classified(error, self.model("sts", "AssumeRole")) from error

    def _session(self, account: Account, who: str) -> _Session:
        with self._lock:
            kept = self._kept.get((account, who))
        if kept is None or (kept.ends_at is not None and kept.ends_at - EARLY_S <= self._clock()):
            kept = self._entered(account, who)  # nobody waits for another account's AWS
        with self._lock:
            self._kept[account, who] = kept
            self._kept.move_to_end((account, who))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return kept

    def _entered(self, account: Account, who: str) -> _Session:
        if not account.role_arn:
            return _Session(self._ambient(account), None)
        try:
            said = self.assume(account, who, account.external_id or None)["Credentials"]
        except (Denied, Invalid, Missing) as error:
            raise _not_let_in(account, error) from error
        keys = (said["AccessKeyId"], said["SecretAccessKey"], said["SessionToken"])
        return _Session(keys, said["Expiration"].timestamp())

    def _make(self, account: Account, service: str, keys: Keys | None) -> Any:
        access, secret, token = keys or (None, None, None)
        return self._botocore.create_client(
            service,
            region_name=account.region,
            endpoint_url=account.endpoint_url or None,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            aws_session_token=token or None,
            config=_CONFIG,
        )


_CONFIG = Config(
    connect_timeout=CONNECT_S,
    read_timeout=READ_S,
    retries={
        "mode": "standard",
        "total_max_attempts": 1,
    },  # a create whose answer got lost must not be made twice
    user_agent_extra="gatehouse",
    ignore_configured_endpoint_urls=True,
)


@cache
def process_sessions() -> Sessions:
    """The sessions of this process."""
    return Sessions()


def session_name(who: str) -> str:
    """As CloudTrail shows it: `gatehouse-` and who, in the letters that AWS allows."""
    return re.sub(r"[^A-Za-z0-9_+=,.@-]+", "-", f"gatehouse-{who}")[:64]


@cache
def _loader() -> Loader:
    """One for all: models are large, and read once."""
    return Loader(include_default_search_paths=True)


def _found_or_simulated(account: Account) -> Keys | None:
    """A simulated AWS is never shown real credentials."""
    if not account.endpoint_url:
        return None
    access, secret = (os.environ.get(name, "simulated") for name in SIMULATED)
    return access, secret, ""


def _not_let_in(account: Account, error: Denied | Invalid | Missing) -> NoCredentials:
    message = (
        f"AWS does not let the portal assume {account.role_arn}. Check that the role is there, and that its trust"
        f" policy names the portal and holds the external id that is shown for this account. {error.message}"
    )
    return NoCredentials(
        message, service="sts", operation="AssumeRole", code=error.code, request_id=error.request_id
    )
