"""The single door to AWS: checked before, counted before, classified after."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody

from aws.client.account import Account
from aws.client.buckets import Buckets, Priority
from aws.client.classification import classified
from aws.client.errors import AwsError, Busy, Lost, MustWait, Throttled, Unreachable
from aws.client.sessions import Sessions, process_sessions
from aws.client.strict import check

PATIENCE_S = 2.0
RETRIES = 3
HOLD_S = 1.0
"""How long a limit is left alone when AWS says that there were too many calls, and not for how long."""

_READS = ("Get", "List", "Describe", "Filter", "Export")
_MAKES = ("Create", "Import")
_SAFE = frozenset({("apigateway", "ImportApiKeys"), ("lambda", "PublishVersion")})
"""POSTs that may be made twice: an import overwrites the same keys, an unchanged function gives the same version."""

type _Paging = tuple[str, str, str, int]
"""The parameter that takes where to go on, the member that tells it, the parameter of a page's size, and the most."""

_PAGING: Mapping[str, _Paging] = {
    "apigateway": ("position", "position", "limit", 500),
    "apigatewayv2": ("NextToken", "NextToken", "MaxResults", 500),
    "lambda": ("Marker", "NextMarker", "MaxItems", 50),
    "iam": ("Marker", "Marker", "MaxItems", 1000),
    "logs": ("nextToken", "nextToken", "limit", 10_000),
    "cloudwatch": ("NextToken", "NextToken", "", 0),
    "service-quotas": ("NextToken", "NextToken", "MaxResults", 100),
}

_log = structlog.get_logger(__name__)


class Calls:
    """Calls in one account, for one who waits and is shown in CloudTrail.

    It waits `patience_s` at most within a call: for a token, and to repeat what is safe to repeat. `clock` counts
    seconds, `sleep` lets them pass, `jitter` gives numbers from 0 to 1; tests and benchmarks bring their own.
    """

    def __init__(
        self,
        account: Account,
        buckets: Buckets,
        *,
        who: str,
        priority: Priority = Priority.PUSH,
        sessions: Sessions | None = None,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.account = account
        self.who = who
        self.priority = priority
        self._buckets = buckets
        self._sessions = sessions or process_sessions()
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """AWS's answer; a body that streams is read. `operation` as AWS names it ("PutRestApi").

        Raises Invalid for what our own checks find, before anything is counted or called; MustWait when there is no
        token within the patience; else AwsError by what the caller does next. What makes something is called once.
        """
        model = self._sessions.model(service, operation)
        check(model, params)
        ends_at, retries = self._clock() + self._patience_s, 0
        while True:
            try:
                return self._once(model, params)
            except AwsError as error:
                wait = self._wait_for(error, model, params, retries)
                if wait is None or self._clock() + wait > ends_at:
                    raise
                retries += not isinstance(error, MustWait)
                self._sleep(wait)

    def pages(self, service: str, operation: str, member: str, **params: Any) -> Iterator[dict[str, Any]]:
        """The entries of `member` in all pages, as large as AWS gives them; a page is asked for when it is needed.

        A member that is an object comes whole, once a page. Raises as `call` does.
        """
        marker_in, marker_out, size_name, most = _PAGING[service]
        sizes = self._sessions.model(service, operation).input_shape.members
        if size_name in sizes:
            params = {size_name: _size(sizes[size_name], most), **params}
        while True:
            page = self.call(service, operation, **params)
            found = page.get(member) or []
            yield from [found] if isinstance(found, dict) else found
            if not page.get(marker_out):
                return
            params = {**params, marker_in: page[marker_out]}

    def _once(self, model: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        self._take(model, params)
        client = self._sessions.client(self.account, model.service_model.service_name, self.who)
        began = self._clock()
        try:
            answer = _whole(client._make_api_call(model.name, dict(params)))
        except (ClientError, BotoCoreError) as error:
            found = classified(error, model)
            self._learn(found, params)
            self._note(model, began, found.request_id, type(found).__name__)
            raise found from error
        self._note(model, began, answer.get("ResponseMetadata", {}).get("RequestId", ""), "")
        return answer

    def _take(self, model: Any, params: Mapping[str, Any]) -> None:
        service = model.service_model.service_name
        seconds = self._buckets.take(
            self.account, service, model.name, priority=self.priority, who=self.who, params=params
        )
        if seconds:
            message = f"{model.name} waits {seconds:.0f} seconds for a limit of AWS. It goes on by itself."
            raise MustWait(message, service=service, operation=model.name, retry_in_s=seconds)

    def _learn(self, error: AwsError, params: Mapping[str, Any]) -> None:
        if isinstance(error, Throttled):
            seconds = error.retry_in_s or HOLD_S
            self._buckets.hold(self.account, error.service, error.operation, seconds, params=params)
        elif isinstance(error, Unreachable) and error.code:
            self._sessions.forget(self.account, self.who)  # AWS answered: the session is over

    def _wait_for(self, error: AwsError, model: Any, params: Mapping[str, Any], retries: int) -> float | None:
        """Seconds until the same call may be made again; None when it may not, or not here."""
        if isinstance(error, MustWait):
            return error.retry_in_s
        if retries >= RETRIES or not is_safe_to_repeat(model, params):
            return None
        if isinstance(error, Throttled | Busy | Lost | Unreachable):
            return error.retry_in_s or 0.1 * 2**retries * (0.5 + self._jitter())
        return None

    def _note(self, model: Any, began: float, request_id: str, failed: str) -> None:
        _log.debug(
            "aws_call",
            account=self.account.id,
            service=model.service_model.service_name,
            operation=model.name,
            aws_request_id=request_id,
            seconds=round(self._clock() - began, 3),
            failed=failed,
        )


def is_safe_to_repeat(model: Any, params: Mapping[str, Any]) -> bool:
    """Whether a call may be made again when it is not known whether it was carried out.

    What is only done to a certain revision would be refused the second time. ImportApi is a PUT, and makes a new API
    each time.
    """
    if "RevisionId" in params:
        return False
    if (model.service_model.service_name, model.name) in _SAFE or model.name.startswith(_READS):
        return True
    if model.name.startswith(_MAKES):
        return False
    return bool(model.http.get("method") == "PUT") or model.name.startswith("Put")


def _size(shape: Any, most: int) -> int | str:
    size = min(most, shape.metadata.get("max", most))
    return str(size) if shape.type_name == "string" else size


def _whole(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.read() if isinstance(value, StreamingBody) else value for name, value in answer.items()
    }
