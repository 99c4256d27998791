"""Functions of the fake: states, versions, weights, permissions, and what AWS says."""

from __future__ import annotations

import pytest

from aws.client.account import Account
from aws.client.calls import Calls
from aws.client.errors import Busy, Conflict, Invalid, Missing, NotYet, QuotaFull
from tests.aws.fake import FakeAWS, Verdict
from tests.aws.fake.acts import change_code, let_in, make_api, make_function, publish, zipped
from tests.aws.fake.documents import document, lambda_integration, operation

NAME = {"FunctionName": "portal-orders"}
LAYER = "arn:aws:lambda:eu-central-1:111122223333:layer:a"


def test_a_function_is_pending_then_active(fake: FakeAWS, calls: Calls) -> None:
    role = fake.add_role(calls.account, "role")
    code = {"ZipFile": zipped()}
    made = calls.call(
        "lambda", "CreateFunction", **NAME, Role=role, Runtime="python3.13", Handler="a.b", Code=code
    )
    assert made["State"] == "Pending"
    with pytest.raises(Busy, match="Pending"):
        calls.call("lambda", "PublishVersion", **NAME)
    fake.clock.advance(fake.delays.function_active)
    assert calls.call("lambda", "GetFunctionConfiguration", **NAME)["State"] == "Active"
    with pytest.raises(Conflict, match="already exist"):
        calls.call(
            "lambda", "CreateFunction", **NAME, Role=role, Runtime="python3.13", Handler="a.b", Code=code
        )


def test_one_update_at_a_time(fake: FakeAWS, calls: Calls) -> None:
    make_function(fake, calls)
    calls.call("lambda", "UpdateFunctionConfiguration", **NAME, MemorySize=256)
    with pytest.raises(Busy, match="An update is in progress"):
        fake.calls(calls.account, calls._buckets, patience_s=0).call(
            "lambda", "UpdateFunctionCode", **NAME, ZipFile=zipped()
        )
    fake.clock.advance(fake.delays.function_updated)
    assert calls.call("lambda", "GetFunctionConfiguration", **NAME)["LastUpdateStatus"] == "Successful"


def test_a_new_role_is_not_assumed_at_once(fake: FakeAWS, calls: Calls) -> None:
    trust = '{"Statement": [{"Principal": {"Service": "lambda.amazonaws.com"}}]}'
    role = calls.call("iam", "CreateRole", RoleName="fresh", Path="/portal/", AssumeRolePolicyDocument=trust)[
        "Role"
    ]
    told = {"Role": role["Arn"], "Runtime": "python3.13", "Handler": "a.b", "Code": {"ZipFile": zipped()}}
    with pytest.raises(NotYet, match="cannot be assumed by Lambda"):
        calls.call("lambda", "CreateFunction", **NAME, **told)
    fake.clock.advance(fake.delays.roles)
    calls.call("lambda", "CreateFunction", **NAME, **told)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Code": {"ZipFile": b"not a zip"}}, "Could not unzip"),
        ({"Runtime": "python3.7"}, "no longer supported"),
        ({"Layers": [f"{LAYER}:1", f"{LAYER}:2"]}, "Two different versions"),
    ],
)
def test_what_lambda_does_not_take(fake: FakeAWS, calls: Calls, change: dict[str, object], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        make_function(fake, calls, **change)


def test_what_has_not_changed_is_the_same_version(fake: FakeAWS, calls: Calls) -> None:
    make_function(fake, calls)
    first = calls.call("lambda", "PublishVersion", **NAME)
    again = calls.call("lambda", "PublishVersion", **NAME, CodeSha256=first["CodeSha256"])
    assert (first["Version"], again["Version"]) == ("1", "1")
    assert change_code(fake, calls, "two = 2") == "2"
    with pytest.raises(Invalid, match="is different from current CodeSHA256"):
        calls.call("lambda", "PublishVersion", **NAME, CodeSha256=first["CodeSha256"])
    found = calls.pages("lambda", "ListVersionsByFunction", "Versions", **NAME)
    assert [one["Version"] for one in found] == ["$LATEST", "1", "2"]


def test_every_version_counts_in_the_code_storage(fake: FakeAWS, calls: Calls) -> None:
    make_function(fake, calls)
    fake.quotas.code_bytes = 3 * len(zipped())
    calls.call("lambda", "PublishVersion", **NAME)
    change_code(fake, calls, "def handler(event, context): return 1")
    with pytest.raises(QuotaFull):
        change_code(fake, calls, "def handler(event, context): return 2")


def test_an_alias_has_weights(fake: FakeAWS, calls: Calls) -> None:
    make_function(fake, calls)
    calls.call("lambda", "PublishVersion", **NAME)
    change_code(fake, calls, "two = 2")
    calls.call("lambda", "CreateAlias", **NAME, Name="live", FunctionVersion="1")
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    alias = calls.call("lambda", "UpdateAlias", **NAME, Name="live", RoutingConfig=weights)
    versions = [
        calls.call("lambda", "Invoke", **NAME, Qualifier="live", Payload=b"{}")["ExecutedVersion"]
        for _ in range(8)
    ]
    assert versions.count("2") == 2
    with pytest.raises(Conflict, match="is used by an alias"):
        calls.call("lambda", "DeleteFunction", **NAME, Qualifier="2")
    with pytest.raises(Conflict, match="Revision Id provided does not match"):
        calls.call("lambda", "UpdateAlias", **NAME, Name="live", FunctionVersion="2", RevisionId="0" * 36)
    gone = {"AdditionalVersionWeights": {}}
    calls.call(
        "lambda",
        "UpdateAlias",
        **NAME,
        Name="live",
        FunctionVersion="2",
        RoutingConfig=gone,
        RevisionId=alias["RevisionId"],
    )
    with pytest.raises(Missing, match="Function not found"):
        calls.call("lambda", "UpdateAlias", **NAME, Name="live", FunctionVersion="9")


def test_provisioned_concurrency_takes_time_and_no_weights(fake: FakeAWS, calls: Calls) -> None:
    make_function(fake, calls)
    calls.call("lambda", "PublishVersion", **NAME)
    change_code(fake, calls, "two = 2")
    calls.call("lambda", "CreateAlias", **NAME, Name="live", FunctionVersion="1")
    told = {**NAME, "Qualifier": "live", "ProvisionedConcurrentExecutions": 5}
    assert calls.call("lambda", "PutProvisionedConcurrencyConfig", **told)["Status"] == "IN_PROGRESS"
    fake.clock.advance(fake.delays.provisioned)
    found = calls.call("lambda", "GetProvisionedConcurrencyConfig", **NAME, Qualifier="live")
    assert (found["Status"], found["AvailableProvisionedConcurrentExecutions"]) == ("READY", 5)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    with pytest.raises(Invalid, match="Provisioned Concurrency"):
        calls.call("lambda", "UpdateAlias", **NAME, Name="live", RoutingConfig=weights)
    with pytest.raises(Invalid, match="unpublished function versions"):
        calls.call("lambda", "PutProvisionedConcurrencyConfig", **{**told, "Qualifier": "$LATEST"})


def test_some_concurrency_stays_for_others(fake: FakeAWS, calls: Calls) -> None:
    make_function(fake, calls)
    calls.call("lambda", "PutFunctionConcurrency", **NAME, ReservedConcurrentExecutions=900)
    with pytest.raises(Invalid, match="below its minimum value of"):
        calls.call("lambda", "PutFunctionConcurrency", **NAME, ReservedConcurrentExecutions=901)
    limits = calls.call("lambda", "GetAccountSettings")["AccountLimit"]
    assert limits["UnreservedConcurrentExecutions"] == 100


def test_a_permission_counts_on_the_qualifier_that_is_called(
    fake: FakeAWS, account: Account, calls: Calls
) -> None:
    arn = make_function(fake, calls)
    calls.call("lambda", "PublishVersion", **NAME)
    calls.call("lambda", "CreateAlias", **NAME, Name="live", FunctionVersion="1")
    target = lambda_integration(f"{arn}:${{stageVariables.alias}}")
    api_id = make_api(calls, document({"/orders": {"get": operation(target, security=[])}}))
    publish(calls, api_id, alias="live")
    assert fake.invoke(account, api_id, "live", "GET", "/orders").status == 500
    let_in(calls, api_id, "1")
    assert fake.invoke(account, api_id, "live", "GET", "/orders").status == 500
    let_in(calls, api_id, "live")
    assert fake.invoke(account, api_id, "live", "GET", "/orders").by == "portal-orders:1"
    with pytest.raises(Conflict, match="statement id"):
        let_in(calls, api_id, "live")
    with pytest.raises(Missing, match="does not exist"):
        calls.call("lambda", "GetPolicy", **NAME)
    with pytest.raises(Invalid, match=r"adding policies for \$LATEST"):
        let_in(calls, api_id, "$LATEST")


def test_the_policy_of_a_function_has_an_end(fake: FakeAWS, calls: Calls) -> None:
    make_function(fake, calls)
    calls.call("lambda", "PublishVersion", **NAME)
    fake.quotas.policy_bytes = 400
    let_in(calls, "api1", "1")
    with pytest.raises(QuotaFull) as caught:
        let_in(calls, "api2", "1")
    assert "bigger than the limit (400)" in caught.value.message


def test_an_authorizer_says_who_comes_in(fake: FakeAWS, account: Account, calls: Calls) -> None:
    arn = make_function(fake, calls, "portal-gate")
    calls.call("lambda", "PublishVersion", FunctionName="portal-gate")
    uri = lambda_integration(f"{arn}:1")["uri"]
    scheme = {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {"type": "request", "authorizerUri": uri},
    }
    paths = {"/orders": {"get": operation(security=[{"gate": []}])}}
    api_id = make_api(calls, document(paths, components={"securitySchemes": {"gate": scheme}}))
    publish(calls, api_id)
    fake.authorize(
        account,
        "gate",
        lambda headers: Verdict(headers["authorization"] == "yes") if "authorization" in headers else None,
    )

    def status(headers: dict[str, str]) -> int:
        return fake.invoke(account, api_id, "live", "GET", "/orders", headers).status

    assert status({"Authorization": "yes"}) == 500
    let_in(calls, api_id, "1", "portal-gate")
    assert [status({}), status({"Authorization": "no"}), status({"Authorization": "yes"})] == [401, 403, 200]


def test_tags_are_of_functions_alone(fake: FakeAWS, calls: Calls) -> None:
    arn = make_function(fake, calls, Tags={"portal:object": "fn_1"})
    assert calls.call("lambda", "ListTags", Resource=arn)["Tags"] == {"portal:object": "fn_1"}
    with pytest.raises(Invalid, match="Tags on function aliases and versions are not supported"):
        calls.call("lambda", "TagResource", Resource=f"{arn}:1", Tags={"a": "b"})
