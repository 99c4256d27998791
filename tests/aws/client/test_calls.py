"""The door to AWS: what is checked, counted, repeated and said."""

from __future__ import annotations

import pytest

from aws.client.account import Account
from aws.client.buckets import Buckets
from aws.client.calls import Calls, is_safe_to_repeat
from aws.client.errors import (
    Busy,
    Conflict,
    Denied,
    Invalid,
    Lost,
    Missing,
    MustWait,
    NoCredentials,
    NotYet,
    QuotaFull,
    Throttled,
    Unreachable,
)
from tests.aws.fake import Crashed, FakeAWS, Refused
from tests.aws.fake.acts import REGIONAL, make_api, put
from tests.aws.fake.documents import document
from tests.aws.fake.rest_state import concurrent_modification


def create(calls: Calls, name: str = "orders") -> str:
    return str(
        calls.call(
            "apigateway",
            "CreateRestApi",
            name=name,
            endpointConfiguration=REGIONAL,
            tags={"portal:object": name},
        )["id"]
    )


def test_what_is_wrong_is_said_before_anything_is_called(fake: FakeAWS, calls: Calls) -> None:
    with pytest.raises(Invalid, match=r"endpointConfiguration.types must be said"):
        calls.call("apigateway", "CreateRestApi", name="orders")
    assert fake.asked == []


def test_the_role_is_assumed_once_and_again_before_it_ends(
    fake: FakeAWS, account: Account, calls: Calls
) -> None:
    calls.call("apigateway", "GetRestApis")
    calls.call("lambda", "ListFunctions")
    assert fake.times("AssumeRole") == 1
    fake.clock.advance(3600 - 200)
    calls.call("apigateway", "GetRestApis")
    assert fake.times("AssumeRole") == 2


def test_who_calls_is_seen_in_the_name_of_the_session(
    fake: FakeAWS, account: Account, buckets: Buckets
) -> None:
    fake.calls(account, buckets, who="push dep_1/ü").call("apigateway", "GetRestApis")
    assert fake.asked[0].params["RoleSessionName"] == "gatehouse-push-dep_1-"


def test_a_session_that_was_ended_is_begun_anew(fake: FakeAWS, calls: Calls) -> None:
    calls.call("apigateway", "GetRestApis")
    for key, identity in list(fake.identities.sessions.items()):
        fake.identities.sessions[key] = type(identity)(identity.arn, identity.number, fake.clock())
    calls.call("apigateway", "GetRestApis")
    assert fake.times("AssumeRole") == 2


def test_a_role_that_lets_nobody_in(fake: FakeAWS, buckets: Buckets) -> None:
    account = fake.account("222233334444", trusted="another")
    with pytest.raises(NoCredentials, match="trust policy"):
        fake.calls(account, buckets).call("apigateway", "GetRestApis")


def test_without_patience_a_wait_is_told(fake: FakeAWS, account: Account, buckets: Buckets) -> None:
    hasty = fake.calls(account, buckets, patience_s=0)
    create(hasty)
    with pytest.raises(MustWait) as caught:
        create(hasty)
    assert caught.value.retry_in_s == pytest.approx(3 / 0.9, abs=0.01)
    assert fake.times("CreateRestApi") == 1


def test_a_short_wait_is_waited(fake: FakeAWS, account: Account, buckets: Buckets) -> None:
    patient = fake.calls(account, buckets, patience_s=2)
    api_id = make_api(patient)
    began = fake.clock()
    put(patient, api_id, document())
    assert 1 < fake.clock() - began <= 2


def test_a_read_is_repeated_and_a_create_never(fake: FakeAWS, calls: Calls) -> None:
    fake.faults.lose_response("GetRestApis", times=2)
    calls.call("apigateway", "GetRestApis")
    assert fake.times("GetRestApis") == 3
    fake.faults.lose_response("CreateRestApi")
    with pytest.raises(Lost, match="may have done it"):
        create(calls)
    assert fake.times("CreateRestApi") == 1
    assert len(list(calls.pages("apigateway", "GetRestApis", "items"))) == 1


def test_what_was_not_sent_is_told_apart(fake: FakeAWS, calls: Calls) -> None:
    fake.faults.cut_before("CreateRestApi")
    with pytest.raises(Unreachable):
        create(calls)
    assert fake.times("CreateRestApi") == 0


def test_a_dead_caller_leaves_what_it_did(fake: FakeAWS, calls: Calls) -> None:
    fake.faults.crash_after("CreateRestApi")
    with pytest.raises(Crashed):
        create(calls)
    assert len(list(calls.pages("apigateway", "GetRestApis", "items"))) == 1


def test_retry_after_is_heeded_by_everybody(fake: FakeAWS, account: Account, buckets: Buckets) -> None:
    """Somebody else used the account's rate up."""
    hasty = fake.calls(account, buckets, patience_s=0)
    error = Refused("TooManyRequestsException", "Too Many Requests", 429, retryAfterSeconds=17)
    fake.faults.fail("DeleteRestApi", error)
    with pytest.raises(Throttled) as caught:
        hasty.call("apigateway", "DeleteRestApi", restApiId="x")
    assert caught.value.retry_in_s == 17
    with pytest.raises(MustWait) as waited:
        fake.calls(account, buckets, who="other", patience_s=0).call(
            "apigateway", "DeleteRestApi", restApiId="y"
        )
    assert waited.value.retry_in_s == pytest.approx(30 / 0.9, abs=0.1)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refused("LimitExceededException", "Maximum of 10,000 reached", 429), QuotaFull),
        (concurrent_modification(), Busy),
        (Refused("ConflictException", "API Key already exists", 409), Conflict),
        (Refused("NotFoundException", "Invalid API identifier specified 1:x", 404), Missing),
        (Refused("BadRequestException", "Invalid stage", 400), Invalid),
        (Refused("ServiceUnavailableException", "Service Unavailable", 503), Lost),
        (Refused("UnrecognizedClientException", "The security token is invalid.", 403), NoCredentials),
        (Refused("SomethingNewException", "No", 400), Invalid),
    ],
)
def test_errors_by_what_to_do_next(fake: FakeAWS, calls: Calls, error: Refused, kind: type) -> None:
    fake.faults.fail("CreateUsagePlan", error)
    with pytest.raises(kind) as caught:
        calls.call("apigateway", "CreateUsagePlan", name="gold")
    assert type(caught.value) is kind
    assert (caught.value.service, caught.value.operation, caught.value.code) == (
        "apigateway",
        "CreateUsagePlan",
        error.code,
    )
    assert caught.value.request_id.startswith("request-")
    assert error.message.rstrip(".") in caught.value.message


def test_a_quota_has_its_number(fake: FakeAWS, calls: Calls) -> None:
    fake.faults.fail("CreateUsagePlan", Refused("LimitExceededException", "Limit of 10,000 reached", 429))
    with pytest.raises(QuotaFull) as caught:
        calls.call("apigateway", "CreateUsagePlan", name="gold")
    assert caught.value.number == 10_000
    assert caught.value.is_permanent


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("The final policy size (20546) is bigger than the limit (20480).", 20_480),
        ("Maximum number of stages for this API has been reached", 300),
        ("No room in account 111122223333 for api a1b2c3.", 300),
        ("Limit: 10.", 10),
    ],
)
def test_numbers_in_aws_own_words(fake: FakeAWS, calls: Calls, words: str, number: int) -> None:
    """Where there is none, it is the documented one: 300 plans."""
    fake.faults.fail("CreateUsagePlan", Refused("LimitExceededException", words, 429))
    with pytest.raises(QuotaFull) as caught:
        calls.call("apigateway", "CreateUsagePlan", name="gold")
    assert caught.value.number == number


def test_what_lambda_cannot_assume_yet_is_no_fault(fake: FakeAWS, calls: Calls) -> None:
    message = "The role defined for the function cannot be assumed by Lambda."
    fake.faults.fail("UpdateFunctionConfiguration", Refused("InvalidParameterValueException", message, 400))
    with pytest.raises(NotYet):
        calls.call("lambda", "UpdateFunctionConfiguration", FunctionName="f")


@pytest.mark.parametrize(
    ("service", "operation", "params", "action"),
    [
        ("apigateway", "GetRestApis", {}, "apigateway:GET"),
        ("apigateway", "CreateUsagePlan", {"name": "gold"}, "apigateway:POST"),
        ("lambda", "ListFunctions", {}, "lambda:ListFunctions"),
        ("iam", "GetRole", {"RoleName": "r"}, "iam:GetRole"),
    ],
)
def test_the_missing_action_is_named(
    fake: FakeAWS, calls: Calls, service: str, operation: str, params: dict[str, str], action: str
) -> None:
    fake.faults.deny(action)
    with pytest.raises(Denied) as caught:
        calls.call(service, operation, **params)
    assert caught.value.action == action
    assert f"lacks {action}" in str(caught.value)
    fake.faults.allow(action)


def test_an_action_that_aws_does_not_name_is_worked_out(fake: FakeAWS, calls: Calls) -> None:
    fake.faults.fail("DeleteRestApi", Refused("AccessDeniedException", "Forbidden", 403))
    with pytest.raises(Denied) as caught:
        calls.call("apigateway", "DeleteRestApi", restApiId="x")
    assert caught.value.action == "apigateway:DELETE"


def test_what_depends_on_a_revision_is_not_repeated(fake: FakeAWS) -> None:
    model = fake.sessions.model("lambda", "UpdateAlias")
    assert is_safe_to_repeat(model, {})
    assert not is_safe_to_repeat(model, {"RevisionId": "1"})
    assert not is_safe_to_repeat(fake.sessions.model("apigateway", "UpdateUsagePlan"), {})
    assert is_safe_to_repeat(fake.sessions.model("apigateway", "ImportApiKeys"), {})
    assert not is_safe_to_repeat(fake.sessions.model("apigatewayv2", "ImportApi"), {})
    assert is_safe_to_repeat(fake.sessions.model("apigatewayv2", "ReimportApi"), {})


def test_pages_of_texts_and_numbers(fake: FakeAWS, calls: Calls) -> None:
    """Sizes are numbers in one version of API Gateway and texts in the other; Lambda's are capped by what it gives."""
    list(calls.pages("apigateway", "GetRestApis", "items"))
    list(calls.pages("lambda", "ListFunctions", "Functions"))
    assert [one.params for one in fake.asked[-2:]] == [{"limit": 500}, {"MaxItems": 50}]
