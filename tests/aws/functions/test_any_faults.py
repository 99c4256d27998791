"""Whatever goes wrong, in whatever order: run again, a push ends where it would have ended, with nothing made twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aws import actions
from aws.actions import FunctionValues
from aws.models import FunctionPush, LambdaFunction
from teams.models import SYSTEM
from tests.aws.fake import FakeAWS
from tests.aws.fake.faults import Crashed
from tests.aws.fake.refusals import Refused
from tests.aws.functions.conftest import Make, Worker, all_functions, there, zipped

pytestmark = pytest.mark.django_db
State = FunctionPush.State
KINDS = ("lose_response", "lose_request", "cut_before", "crash_before", "crash_after", "throttled", "failed")
OPERATIONS = (
    "*",
    "CreateFunction",
    "GetFunction",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "PublishVersion",
    "CreateAlias",
    "UpdateAlias",
    "PutProvisionedConcurrencyConfig",
)
FAULTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(OPERATIONS), st.integers(0, 3)), max_size=6
)


def inject(fake: FakeAWS, kind: str, operation: str, skip: int) -> None:
    if kind == "throttled":
        fake.faults.fail(operation, Refused("TooManyRequestsException", "Rate exceeded", 429), skip=skip)
    elif kind == "failed":
        fake.faults.fail(operation, Refused("ServiceException", "Something broke", 500), skip=skip)
    else:
        getattr(fake.faults, kind)(operation, skip=skip)


def carry_on(function: LambdaFunction, run: Worker) -> FunctionPush:
    """Until it is over, through crashes."""
    push = FunctionPush.objects.filter(function=function).order_by("-pk")[0]
    for _count in range(120):
        try:
            run.once(push)
        except Crashed:
            run.bury(push)
        push.refresh_from_db()
        if push.is_over:
            break
        if push.state == State.WAITING:
            run.later(push)
    function.refresh_from_db()
    return push


def settle(function: LambdaFunction, run: Worker, fake: FakeAWS) -> None:
    """A push that gave up is taken up again, as a person would."""
    push = carry_on(function, run)
    if push.state == State.FAILED:
        fake.faults.coming.clear()
        actions.push_again(function, actor=SYSTEM)
        push = carry_on(function, run)
    assert push.state == State.SUCCEEDED, push.message


@pytest.mark.usefixtures("cloud")
@settings(max_examples=8)
@given(making=FAULTS, changing=FAULTS)
def test_a_push_converges(making: Any, changing: Any, make: Make, run: Worker, fake: FakeAWS) -> None:
    converges(making, changing, make, run, fake)


@pytest.mark.long
@pytest.mark.usefixtures("cloud")
@settings(max_examples=300)
@given(making=FAULTS, changing=FAULTS)
def test_a_push_converges_again_and_again(
    making: Any, changing: Any, make: Make, run: Worker, fake: FakeAWS
) -> None:
    converges(making, changing, make, run, fake)


def converges(making: Any, changing: Any, make: Make, run: Worker, fake: FakeAWS) -> None:
    function = make(f"Orders {LambdaFunction.objects.count()}")
    began = len(fake.asked)
    for fault in making:
        inject(fake, *fault)
    first = actions.publish_version(function, actor=SYSTEM, note="first")
    settle(function, run, fake)
    for fault in changing:
        inject(fake, *fault)
    first.refresh_from_db()
    actions.upload_code(function, actor=SYSTEM, content=zipped("two"))
    actions.change_function(function, actor=SYSTEM, values=FunctionValues(memory_mb=1024))
    second = actions.publish_version(function, actor=SYSTEM, note="second")
    alias = actions.set_alias(function, actor=SYSTEM, name="live", version=first)
    settle(function, run, fake)
    second.refresh_from_db()
    actions.set_alias(function, actor=SYSTEM, name="live", version=second)
    actions.set_provisioned(alias, actor=SYSTEM, provisioned=3)
    settle(function, run, fake)
    fake.faults.coming.clear()

    told = there(fake, function)
    assert all_functions(fake, function).count(function.remote_name) == 1
    assert list(told.versions) == ["1", "2"]
    assert [(one.number, one.state) for one in function.versions.order_by("number")] == [
        (1, "published"),
        (2, "published"),
    ]
    assert (told.aliases["live"].version, told.provisioned["live"].requested) == ("2", 3)
    made = [one for one in fake.asked[began:] if one.operation == "CreateFunction" and not one.code]
    assert len(made) == 1
    again = len(fake.asked)
    actions.push_again(function, actor=SYSTEM)
    settle(function, run, fake)
    writes = [one.operation for one in fake.asked[again:] if not one.operation.startswith(("Get", "List"))]
    assert [name for name in writes if name != "AssumeRole"] == []
