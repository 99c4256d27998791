"""AWS in memory: hooked into botocore just before it would send, so that its serialisers and parsers really run."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from botocore.awsrequest import AWSResponse

from aws.client import calls as door
from aws.client import proof
from aws.client.account import Account
from aws.client.buckets import Buckets, Priority
from aws.client.calls import Calls
from aws.client.sessions import Keys, Sessions
from tests.aws.fake import (  # noqa: F401 - each makes its operations known
    faults,
    http_apis,
    http_parts,
    http_stages,
    lambda_access,
    lambda_functions,
    lambda_versions,
    rest_apis,
    rest_deployments,
    rest_keys,
    rest_plans,
    rest_resources,
    rest_stages,
    rest_tags,
    roles,
    telemetry,
    wire,
)
from tests.aws.fake.clock import Clock
from tests.aws.fake.data_plane import Answer, Authorizer, DataPlane, call_rest
from tests.aws.fake.faults import Faults
from tests.aws.fake.http_data_plane import call_http
from tests.aws.fake.http_state import http
from tests.aws.fake.identities import Identities, Identity, Trust
from tests.aws.fake.place import GLOBAL, OPERATIONS, Delays, Params, Place, Quotas
from tests.aws.fake.rates import Rates
from tests.aws.fake.refusals import Refused

NUMBER = "111122223333"
REGION = "eu-central-1"
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/")


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that reached AWS. `code` is empty where AWS did it."""

    at: float
    number: str
    region: str
    service: str
    operation: str
    params: Params
    code: str


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


class FakeAWS:
    """Several accounts and Regions on one virtual clock. `faults` says what goes wrong, `asked` what was called.

    It does only what Gatehouse calls; another operation fails the test. Its rules are those of AWS's documentation and
    of recorded answers, each named where it is; what is not known of AWS is decided for the worse.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.sessions = Sessions(prepare=self._hook, ambient=self._keys, clock=self.clock)
        self.identities = Identities(self.clock)
        self.reset()

    def reset(self, *, keep_sessions: bool = False) -> None:
        """Nothing is there, and nothing goes wrong.

        `keep_sessions`: roles that were assumed stay so, for tests of many examples: to make clients takes longer than
        most of these.
        """
        self.delays = Delays()
        self.quotas = Quotas()
        self.rates = Rates()
        self.faults = Faults()
        self.asked: list[Asked] = []
        self._places: dict[tuple[str, str], Place] = {}
        self._numbers = itertools.count(1)
        if not keep_sessions:
            self.identities = Identities(self.clock)
            self.sessions._kept.clear()

    def account(
        self,
        number: str = NUMBER,
        region: str = REGION,
        *,
        external_id: str = "gatehouse-external-id",
        trusted: str | None = "",
    ) -> Account:
        """An account that lets the portal in. `trusted` is the external id that its trust policy names: the same unless
        said; None for none, "*" for any."""
        trust = Trust(external_id if trusted == "" else trusted)
        self.identities.trusts[f"arn:aws:iam::{number}:role/gatehouse"] = trust
        return Account(
            id=f"aws_{number}",
            region=region,
            role_arn=f"arn:aws:iam::{number}:role/gatehouse",
            external_id=external_id,
            number=number,
        )

    def calls(
        self,
        account: Account,
        buckets: Buckets,
        *,
        who: str = "test",
        priority: Priority = Priority.PUSH,
        patience_s: float = door.PATIENCE_S,
    ) -> Calls:
        """The client's door to this AWS, on its clock."""
        return Calls(
            account,
            buckets,
            who=who,
            priority=priority,
            sessions=self.sessions,
            patience_s=patience_s,
            clock=self.clock,
            sleep=self.clock.advance,
            jitter=lambda: 0.5,
        )

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The process's own sessions lead here, too: for tests that go through pages, REST or tasks."""
        with (
            mock.patch.object(door, "process_sessions", return_value=self.sessions),
            mock.patch.object(proof, "process_sessions", return_value=self.sessions),
        ):
            yield

    def at(self, account: Account) -> Place:
        """What is there, for a test to look at."""
        return self.place(account.number, account.region)

    def invoke(
        self,
        account: Account,
        api_id: str,
        stage: str,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call what is published, as a caller of the API would. Of a WebSocket API `method` is the route."""
        place = self.at(account)
        call = call_http if api_id in http(place) else call_rest
        return call(place, api_id, stage, method, path, headers or {})

    def authorize(self, account: Account, name: str, authorizer: Authorizer) -> None:
        """What the authorizer of that name says."""
        self.at(account).state(DataPlane).authorizers[name] = authorizer

    def add_role(self, account: Account, name: str) -> str:
        """A role that Lambda may assume; its ARN."""
        return roles.add_role(self.at(account), name)

    def place(self, number: str, region: str) -> Place:
        return self._places.setdefault((number, region), Place(self, number, region))

    def new_number(self) -> int:
        return next(self._numbers)

    def times(self, operation: str) -> int:
        """How often an operation reached AWS."""
        return sum(one.operation == operation for one in self.asked)

    def _keys(self, account: Account) -> Keys | None:
        return self.identities.portal

    def _hook(self, session: Any) -> None:
        session.register("before-send", self._answer)
        self._botocore = session

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        """Botocore's event `before-send.SERVICE.OPERATION`."""
        _, service_id, name = event_name.split(".")
        service = _SERVICES[service_id]
        model = self.sessions.model(service, name)
        fault = self.faults.next(name)
        request_id = f"request-{self.new_number()}"
        try:
            status, headers, body = self._carried_out(model, request, fault, request_id)
        except Refused as refused:
            status, headers, body = wire.write_refusal(model, refused, request_id)
        faults.after(fault, request.url)
        headers["content-length"] = str(len(body))
        return AWSResponse(request.url, status, headers, _Raw(body))

    def _carried_out(self, model: Any, request: Any, fault: Any, request_id: str) -> wire.Answer:
        service, name = model.service_model.service_name, model.name
        faults.before(fault, request.url)
        key, region = _signed_by(request)
        params = wire.read_request(model, request)
        identity, code = self.identities.portal_identity, ""
        try:
            identity = self.identities.of(key)
            self._allowed(identity, model, request)
            self.rates.count((identity.number, region), service, name, params, self.clock())
            place = self.place(identity.number, GLOBAL if service in {"iam", "sts"} else region)
            place.caller = identity.arn
            return wire.write_answer(model, self._handler(service, name)(place, params), request_id)
        except Refused as refused:
            code = refused.code
            raise
        finally:
            self.asked.append(Asked(self.clock(), identity.number, region, service, name, params, code))

    def _handler(self, service: str, name: str) -> Any:
        assert (service, name) in OPERATIONS, f"this AWS does not do {service} {name}"
        return OPERATIONS[service, name]

    def _allowed(self, identity: Identity, model: Any, request: Any) -> None:
        """Text: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html."""
        service = model.service_model.service_name
        is_gateway = service in {"apigateway", "apigatewayv2"}
        action = f"apigateway:{request.method}" if is_gateway else f"{service}:{model.name}"
        if action not in self.faults.denied:
            return
        message = (
            f"User: {identity.arn} is not authorized to perform: {action} on resource: {request.url.split('?')[0]}"
            f" because no identity-based policy allows the {action} action"
        )
        code = "AccessDenied" if service in {"iam", "sts"} else "AccessDeniedException"
        raise Refused(code, message, 403)


_SERVICES = {
    "api-gateway": "apigateway",
    "apigatewayv2": "apigatewayv2",
    "lambda": "lambda",
    "sts": "sts",
    "iam": "iam",
    "cloudwatch-logs": "logs",
    "cloudwatch": "cloudwatch",
    "service-quotas": "service-quotas",
}


def _signed_by(request: Any) -> tuple[str, str]:
    """The access key and Region in the signature."""
    signed = request.headers["Authorization"]
    found = _CREDENTIAL.search(signed.decode() if isinstance(signed, bytes) else signed)
    assert found, "the request is not signed"
    return found[1], found[2]
