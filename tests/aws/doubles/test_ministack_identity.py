"""IAM and STS on MiniStack as `make run` starts it: external ids, least privilege, and the guard before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.aws.doubles.functions import ECHO, ROLE, make_function
from tests.aws.doubles.servers import ACCOUNT, REGION, Double, Keys, refusal, unique

pytestmark = pytest.mark.xdist_group("ministack")
ARN = f"arn:aws:apigateway:{REGION}::"
MAY_ASSUME = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}],
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["apigateway:GET", "apigateway:POST", "apigateway:PATCH"],
            "Resource": [f"{ARN}/{path}" for path in ("restapis", "restapis/*", "apis", "apis/*", "tags/*")],
        },
        {
            "Effect": "Allow",
            "Action": ["lambda:GetFunction", "lambda:CreateFunction", "lambda:TagResource"],
            "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:portal-*",
        },
    ],
}


def make_portal(double: Double) -> Double:
    """The double, called as a user who may assume roles and nothing else."""
    iam, name = double.client("iam"), unique("portal")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="assume", PolicyDocument=json.dumps(MAY_ASSUME))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return double.as_somebody(Keys(made["AccessKeyId"], made["SecretAccessKey"]))


def make_role(double: Double, *, trusts: str, external_id: str, may: dict[str, Any] = POLICY) -> str:
    """The role that an account makes for the portal."""
    condition = {"StringEquals": {"sts:ExternalId": external_id}}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": trusts},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    iam, name = double.client("iam"), unique("portal")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="portal", PolicyDocument=json.dumps(may))
    return str(made["Arn"])


def assume(double: Double, role: str, **given: str) -> Double:
    """The double, called in a session of the role."""
    made = double.client("sts").assume_role(RoleArn=role, RoleSessionName="portal-test", **given)[
        "Credentials"
    ]
    return double.as_somebody(Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]))


@pytest.fixture(scope="module")
def portal(guarded_aws: Double) -> Double:
    return make_portal(guarded_aws)


@pytest.fixture(scope="module")
def role(guarded_aws: Double, portal: Double) -> str:
    """A role of the account, which the portal may assume with the external id "right"."""
    trusts = portal.client("sts").get_caller_identity()["Arn"]
    return make_role(guarded_aws, trusts=trusts, external_id="right")


@pytest.fixture(scope="module")
def session(portal: Double, role: str) -> Double:
    return assume(portal, role, ExternalId="right")


@pytest.mark.parametrize("given", [{}, {"ExternalId": "wrong"}])
def test_without_the_external_id_the_role_is_refused(
    portal: Double, role: str, given: dict[str, str]
) -> None:
    asked = {"RoleArn": role, "RoleSessionName": "portal-test", **given}
    assert refusal(portal.client("sts").assume_role, **asked) == "AccessDenied"


def test_with_the_external_id_the_session_says_who_it_is(session: Double, role: str) -> None:
    identity = session.client("sts").get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"].endswith(f"assumed-role/{role.rpartition('/')[2]}/portal-test")


def test_somebody_whom_the_role_does_not_trust_is_refused(guarded_aws: Double, role: str) -> None:
    other = make_portal(guarded_aws).client("sts")
    asked = {"RoleArn": role, "RoleSessionName": "portal-test", "ExternalId": "right"}
    assert refusal(other.assume_role, **asked) == "AccessDenied"
    root = guarded_aws.client("sts")
    assert refusal(root.assume_role, **asked) == "AccessDenied", "the root of an account assumes no role"


def test_a_wrong_secret_is_refused(portal: Double) -> None:
    forged = portal.as_somebody(Keys(portal.keys.key, "another secret"))
    assert refusal(forged.client("sts").get_caller_identity) == "SignatureDoesNotMatch"


def test_the_policy_is_held_path_by_path(session: Double) -> None:
    rest, v2 = session.client("apigateway"), session.client("apigatewayv2")
    made = rest.create_rest_api(name=unique("portal"), endpointConfiguration={"types": ["REGIONAL"]})["id"]
    assert refusal(rest.get_rest_apis) == ""
    assert refusal(rest.get_resources, restApiId=made) == ""
    assert refusal(v2.get_apis) == ""
    for denied in (rest.get_api_keys, rest.get_account, rest.get_usage_plans):
        assert refusal(denied) == "AccessDeniedException"
    assert refusal(rest.delete_rest_api, restApiId=made) == "AccessDeniedException"


def test_the_refusal_names_the_missing_action(session: Double) -> None:
    with pytest.raises(session.client("apigateway").exceptions.ClientError, match="apigateway:GET"):
        session.client("apigateway").get_api_keys()


def test_functions_of_others_are_out_of_reach(guarded_aws: Double, session: Double) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    guarded_aws.client("iam").create_role(
        RoleName=ROLE.rpartition("/")[2],
        Path="/portal/",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    make_function(guarded_aws, ECHO, FunctionName=(theirs := unique("billing")))
    client = session.client("lambda")
    assert refusal(client.get_function, FunctionName=theirs) == "AccessDeniedException"
    assert refusal(client.get_function, FunctionName="portal-unknown") == "ResourceNotFoundException"
    assert refusal(client.list_functions) == "AccessDeniedException"


def test_the_portal_itself_may_do_nothing_but_assume_roles(portal: Double) -> None:
    assert refusal(portal.client("apigateway").get_rest_apis) == "AccessDeniedException"
    assert refusal(portal.client("iam").list_users) == "AccessDenied"


@pytest.fixture
def stranger(guarded_aws: Double) -> Iterator[httpx.Client]:
    """Somebody on this machine, or a web page, without a key."""
    with httpx.Client(base_url=guarded_aws.url) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/2015-03-31/functions", {}),
        ("OPTIONS", "/2015-03-31/functions", {"origin": "https://elsewhere.example"}),
        ("GET", "/2015-03-31/functions", {"host": "x.execute-api.localhost"}),
        ("GET", "/_aws/execute-api/abcdef12/x", {"host": "elsewhere.example"}),
        ("POST", "/_aws/execute-api/abcdef12/x/@connections/y", {}),
        ("POST", "/_ministack/config", {}),
        ("POST", "/_ministack/reset", {}),
        ("POST", "/_ministack/config", {"host": "abcdef12.execute-api.localhost"}),
        ("GET", "/?Action=ListUsers&Version=2010-05-08", {}),
        ("GET", "/?Action=ListUsers&X-Amz-Credential=000000000000/20260101/us-east-1/iam/aws4_request", {}),
    ],
)
def test_the_guard_stops_who_has_no_key(
    stranger: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    assert stranger.request(method, path, headers=headers).status_code == 403


@pytest.mark.parametrize("key", ["test", ACCOUNT, "AKIAIOSFODNN7EXAMPLE", ""])
def test_the_guard_stops_the_keys_that_ministack_takes_for_its_root(guarded_aws: Double, key: str) -> None:
    client = guarded_aws.as_somebody(Keys(key or "-", "any")).client("lambda")
    assert refusal(client.list_functions) == "AccessDeniedException"


def test_the_guard_stops_a_web_page_that_knows_the_key(guarded_aws: Double) -> None:
    head = f"AWS4-HMAC-SHA256 Credential={guarded_aws.keys.key}/20260101/{REGION}/lambda/aws4_request"
    asked = {"authorization": head, "origin": "https://elsewhere.example"}
    assert httpx.get(f"{guarded_aws.url}/2015-03-31/functions", headers=asked).status_code == 403
