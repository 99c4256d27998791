"""A gateway in the simulated AWS, where IAM holds the portal to the policies that its own template makes."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

from aws.client.account import Account
from aws.client.buckets import Buckets
from aws.client.calls import Calls
from aws.client.sessions import Sessions
from aws.policies.names import ROLE_PATH, boundary, portal_role
from aws.policies.template import Wanted, policies, template
from gateways.drivers.aws.driver import AwsDriver
from gateways.engine.diff import diff
from gateways.engine.document import Document, Item
from gateways.engine.driver import Connection
from gateways.remote import RemoteHoldings
from tests.aws.doubles.servers import ACCOUNT, REGION, Double, Keys, stage_path, unique
from tests.aws.gateway.conftest import LISTENERS, PREFIX

FEATURES = ("http", "functions", "roles")
EXTERNAL_ID = "an-external-id-of-twenty"
MAY_ASSUME = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
UNKNOWN = ("iam:PermissionsBoundary", "iam:PassedToService", "aws:ResourceTag/portal:instance")
UNKNOWN_OF_GATEWAYS = (*UNKNOWN, "aws:RequestTag/portal:instance")
"""Condition keys that MiniStack knows nothing of: what asks for them is allowed there without. So it shows which
actions the driver needs on which paths, and not that it keeps to what is ours."""
LONGEST_S = 60.0


@dataclass(slots=True)
class Simulated:
    """Pushed to as the engine does, in real time."""

    double: Double
    account: Account
    calls: Calls
    gateway_id: int
    name: str
    versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def driver(self) -> AwsDriver:
        options = {"prefix": PREFIX, "features": ",".join(FEATURES)}
        return AwsDriver(
            Connection(
                self.name, listeners=LISTENERS, version=next(self.versions), options=options,
                holdings=RemoteHoldings(self.gateway_id), calls=self.calls,
            )
        )  # fmt: skip

    def settle(self, *items: Item) -> None:
        """Runs until nothing waits and everything is proven."""
        ends_at = time.monotonic() + LONGEST_S
        while True:
            driver = self.driver()
            desired = driver.adapt(Document.of(items)).document
            assert desired.items.keys() == Document.of(items).items.keys()
            changes = diff(driver.observe(None), desired)
            driver.apply(changes, lambda step, sentence: None)  # noqa: ARG005
            verdict = driver.verify(changes)
            if verdict.wait is None and not verdict.unconfirmed:
                return
            assert time.monotonic() < ends_at, verdict
            time.sleep(verdict.wait.seconds if verdict.wait else 0.2)

    def place(self, kind: str, publication: str = "1") -> tuple[str, str]:
        """The API and the stage of a publication."""
        stage = RemoteHoldings(self.gateway_id).resource("stage", f"pub_{publication}/{kind}") or {}
        return stage["api"], stage["stage"]

    def path(self, kind: str) -> str:
        """Where it is called."""
        return stage_path(*self.place(kind))


def role_of_functions(double: Double) -> str:
    """A role that Lambda may assume."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    made = double.client("iam").create_role(
        RoleName=unique("theirs"), AssumeRolePolicyDocument=_text([trust])
    )
    return str(made["Role"]["Arn"])


def connected(double: Double, buckets: Buckets, gateway_id: int) -> Simulated:
    """An account that was connected with the portal's own template."""
    principal, arn = _principal(double)
    account = Account(
        id=unique("awsa"),
        region=REGION,
        role_arn=_role(double, arn),
        external_id=EXTERNAL_ID,
        endpoint_url=double.url,
        number=ACCOUNT,
    )
    sessions = Sessions(ambient=lambda _account: (principal.key, principal.secret, ""))
    calls = Calls(account, buckets, who="gateway simulated", sessions=sessions)
    return Simulated(double, account, calls, gateway_id, unique("cloud"))


def _principal(double: Double) -> tuple[Keys, str]:
    iam, name = double.client("iam"), unique("portal")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [MAY_ASSUME]})
    iam.put_user_policy(UserName=name, PolicyName="assume", PolicyDocument=document)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(made["AccessKeyId"], made["SecretAccessKey"]), arn


def _role(double: Double, principal: str) -> str:
    """The role and the boundary that the template makes; CloudFormation's words are filled in here."""
    wanted = Wanted(PREFIX, (REGION,), FEATURES)
    iam, name = double.client("iam"), unique(portal_role(PREFIX))
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_text([trust]))["Role"]["Arn"]
    for policy, statements in policies(wanted):
        iam.put_role_policy(
            RoleName=name, PolicyName=policy, PolicyDocument=_text(_known(filled(statements)))
        )
    bound = template(wanted)["Resources"]["Boundary"]["Properties"]["PolicyDocument"]["Statement"]
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_policy(PolicyName=boundary(PREFIX), PolicyDocument=_text(filled(bound)))
    return str(arn)


def _known(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As MiniStack can hold them: it names roles without their path, and some conditions could never be met."""
    for one in statements:
        named = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
        bare = [resource.replace(f"role{ROLE_PATH}", "role/") for resource in named]
        one["Resource"] = [*dict.fromkeys((*named, *bare))]
        if "lambda:CreateFunction" in one["Action"]:
            one["Resource"] = "*"  # the name is in the body, where MiniStack does not look
        unknown = UNKNOWN_OF_GATEWAYS if "apigateway" in str(one["Resource"]) else UNKNOWN
        tests = one.get("Condition", {}).values() if one["Effect"] == "Allow" else ()
        if any(key in unknown for test in tests for key in test):
            del one["Condition"]
    return statements


def _text(statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def filled(value: Any) -> Any:
    """What Fn::Sub makes of a template."""
    if isinstance(value, dict) and "Fn::Sub" in value:
        return value["Fn::Sub"].replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", ACCOUNT)
    if isinstance(value, dict):
        return {name: filled(one) for name, one in value.items()}
    return [filled(one) for one in value] if isinstance(value, list) else value
