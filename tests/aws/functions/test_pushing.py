"""Pushes of functions through their task: the order of calls, what waits, what is resumed, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from aws import actions
from aws.actions import FunctionValues
from aws.models import AwsAccount, FunctionPush, FunctionVersion, LambdaFunction
from teams.models import SYSTEM
from tests.aws.fake import FakeAWS
from tests.aws.fake.faults import Crashed
from tests.aws.fake.lambda_state import LATEST
from tests.aws.fake.roles import roles
from tests.aws.functions.conftest import (
    CANARY,
    Make,
    Worker,
    all_functions,
    place_of,
    steps_of,
    there,
    zipped,
)

pytestmark = pytest.mark.django_db
State = FunctionPush.State


class TestMaking:
    def test_it_is_made_with_all_that_was_decided(self, make: Make, run: Worker, fake: FakeAWS) -> None:
        function = make(
            environment={"KEY": CANARY}, memory_mb=512, timeout_s=20, tags={"cost": "shop"}, tracing=True
        )
        push = run.through(function)
        assert push.state == State.SUCCEEDED
        told = there(fake, function)
        assert told.configuration["MemorySize"] == 512
        assert told.configuration["Environment"] == {"Variables": {"KEY": CANARY}}
        assert told.tags == {
            "cost": "shop",
            "portal:instance": "gatehouse",
            "portal:object": function.public_id,
        }
        assert function.state == LambdaFunction.State.ACTIVE
        assert steps_of(push) == [("make_function", "done"), ("look", "done")]
        assert fake.times("CreateFunction") == 1

    def test_nothing_is_called_when_nothing_differs(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS
    ) -> None:
        before = len(fake.asked)
        actions.push_again(orders, actor=SYSTEM)
        assert run.through(orders).state == State.SUCCEEDED
        asked = [one.operation for one in fake.asked[before:]]
        assert asked == ["GetFunction", "ListEventSourceMappings", "GetPolicy"]

    def test_the_portal_makes_the_role_and_waits_until_lambda_can_assume_it(
        self, make: Make, run: Worker, fake: FakeAWS
    ) -> None:
        function = make(role_arn="")
        push = run.through(function)
        assert push.state == State.SUCCEEDED, push.message
        assert steps_of(push) == [
            ("make_role", "done"),
            ("set_rights", "done"),
            ("make_function", "done"),
            ("look", "done"),
        ]
        role = roles(place_of(fake, function))["gatehouse-shop-orders"]
        assert role.path == "/portal/"
        assert role.boundary.endswith(":policy/gatehouse-boundary")
        assert "logs:PutLogEvents" in role.policies["portal"]

    def test_a_role_that_is_never_assumable_ends_the_push(
        self, make: Make, run: Worker, fake: FakeAWS
    ) -> None:
        fake.delays.roles = 1e9
        function = make(role_arn="")
        push = FunctionPush.objects.get()
        for _count in range(3):
            run.once(push)
            run.later(push)
        step = push.steps.get(name="make_function")
        assert step.state == "again"
        assert "cannot be assumed" in step.detail
        step.started_at -= worker_patience()
        step.save()
        run.once(push)
        assert push.state == State.FAILED
        assert "cannot be assumed by Lambda" in push.message
        fake.delays.roles = 0
        for role in roles(place_of(fake, function)).values():
            role.assumable_at = 0
        actions.push_again(function, actor=SYSTEM)
        FunctionPush.objects.get().steps.update(started_at=step.started_at)
        assert run.through(function).state == State.SUCCEEDED


def worker_patience() -> Any:
    from aws.actions.pushing import NOT_YET_TIME

    return NOT_YET_TIME * 2


class TestFaults:
    @pytest.mark.parametrize("operation", ["CreateFunction", "GetFunction"])
    def test_a_lost_answer_makes_no_second_function(
        self, operation: str, make: Make, run: Worker, fake: FakeAWS
    ) -> None:
        function = make()
        fake.faults.lose_response(operation)
        assert run.through(function).state == State.SUCCEEDED
        assert all_functions(fake, function) == [function.remote_name]
        assert fake.times("CreateFunction") == 1

    @pytest.mark.parametrize("skip", range(12))
    @pytest.mark.parametrize("kind", ["crash_before", "crash_after"])
    def test_a_crash_at_each_call_is_resumed(
        self, kind: str, skip: int, orders: LambdaFunction, run: Worker, fake: FakeAWS
    ) -> None:
        first = actions.publish_version(orders, actor=SYSTEM, note="first")
        run.through(orders)
        first.refresh_from_db()
        actions.upload_code(orders, actor=SYSTEM, content=zipped("two"))
        actions.change_function(orders, actor=SYSTEM, values=FunctionValues(memory_mb=1024))
        second = actions.publish_version(orders, actor=SYSTEM, note="second")
        actions.set_alias(orders, actor=SYSTEM, name="live", version=first)
        getattr(fake.faults, kind)(skip=skip)
        push = FunctionPush.objects.order_by("-pk")[0]
        crashed = False
        for _count in range(40):
            try:
                run.once(push)
            except Crashed:
                crashed = True
                run.bury(push)
            push.refresh_from_db()
            if push.is_over:
                break
            if push.state == State.WAITING:
                run.later(push)
        assert push.state == State.SUCCEEDED, push.message
        assert crashed or fake.faults.coming
        second.refresh_from_db()
        assert second.state == FunctionVersion.State.PUBLISHED
        told = there(fake, orders)
        assert list(told.versions) == ["1", "2"]
        assert told.aliases["live"].version == "1"
        assert second.number == 2

    def test_a_lost_version_is_found_by_its_mark(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS
    ) -> None:
        version = actions.publish_version(orders, actor=SYSTEM, note="first")
        fake.faults.lose_response("PublishVersion")
        push = run.through(orders)
        assert steps_of(push)[0] == ("publish", "unknown")
        version.refresh_from_db()
        assert (version.number, version.state) == (1, "published")
        assert fake.times("PublishVersion") == 1

    def test_quota_full_names_what_is_left(self, orders: LambdaFunction, run: Worker, fake: FakeAWS) -> None:
        actions.set_reserved(orders, actor=SYSTEM, reserved=950)
        push = run.through(orders)
        assert push.state == State.FAILED
        assert "950 cannot be reserved" in push.message
        assert "900 are left" in push.message
        assert fake.times("PutFunctionConcurrency") == 0
        actions.set_reserved(orders, actor=SYSTEM, reserved=900)
        assert run.through(orders).state == State.SUCCEEDED
        assert there(fake, orders).reserved == 900

    def test_denied_names_the_action_and_resume_carries_on(
        self, make: Make, run: Worker, fake: FakeAWS
    ) -> None:
        fake.faults.deny("lambda:CreateFunction")
        function = make()
        push = run.through(function)
        assert push.state == State.FAILED
        assert "lambda:CreateFunction" in push.message
        fake.faults.allow("lambda:CreateFunction")
        assert actions.push_again(function, actor=SYSTEM) == push
        assert run.through(function).state == State.SUCCEEDED

    def test_a_function_of_others_is_never_touched(self, make: Make, run: Worker, fake: FakeAWS) -> None:
        function = make()
        run.through(function)
        there(fake, function).tags.clear()
        before = dict(there(fake, function).configuration)
        actions.change_function(function, actor=SYSTEM, values=FunctionValues(memory_mb=1024))
        push = run.through(function)
        assert push.state == State.FAILED
        assert "that the portal did not make" in push.message
        actions.delete_function(function, actor=SYSTEM)
        assert run.through(function).state == State.SUCCEEDED
        assert function.state == LambdaFunction.State.GONE
        assert there(fake, function).configuration == before

    def test_values_of_the_environment_are_in_no_message(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS
    ) -> None:
        from tests.aws.fake.refusals import invalid_parameter

        error = invalid_parameter(f'exceeded the 4KB limit. String measured: {{"KEY": "{CANARY}"}}')
        fake.faults.fail("UpdateFunctionConfiguration", error)
        actions.change_function(orders, actor=SYSTEM, values=FunctionValues(environment={"KEY": CANARY}))
        push = run.through(orders)
        assert push.state == State.FAILED
        assert "String measured" in push.message
        assert CANARY not in push.message + "".join(push.steps.values_list("detail", flat=True))

    def test_an_update_in_progress_is_waited_for(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS
    ) -> None:
        actions.upload_code(orders, actor=SYSTEM, content=zipped("two"))
        actions.change_function(orders, actor=SYSTEM, values=FunctionValues(timeout_s=30))
        actions.publish_version(orders, actor=SYSTEM)
        push = FunctionPush.objects.order_by("-pk")[0]
        run.once(push)
        assert push.state == State.WAITING
        assert push.waits_on == "AWS takes the last change over"
        assert run.through(orders).state == State.SUCCEEDED
        refused = [one.code for one in fake.asked if one.code == "ResourceConflictException"]
        assert refused == []
        writes = [one.operation for one in fake.asked if one.operation.startswith(("Update", "Publish"))]
        assert writes == ["UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"]

    def test_a_bucket_that_is_empty_shows_on_the_push(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS
    ) -> None:
        from unittest import mock

        from aws.client.buckets import Buckets

        actions.push_again(orders, actor=SYSTEM)
        push = FunctionPush.objects.order_by("-pk")[0]
        with mock.patch.object(Buckets, "take", return_value=7.0):
            run.once(push)
        assert push.state == State.WAITING
        assert "waits 7 seconds for a limit of AWS" in push.waits_on
        assert run.through(orders).state == State.SUCCEEDED


class TestDeciding:
    def test_a_decision_during_a_push_joins_it(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS
    ) -> None:
        actions.upload_code(orders, actor=SYSTEM, content=zipped("two"))
        push = FunctionPush.objects.order_by("-pk")[0]
        run.once(push)
        actions.change_function(orders, actor=SYSTEM, values=FunctionValues(memory_mb=2048))
        assert FunctionPush.objects.unfinished().get() == push
        run.through(orders)
        assert there(fake, orders).configuration["MemorySize"] == 2048

    def test_a_push_that_another_worker_took_over_writes_no_more(
        self, orders: LambdaFunction, run: Worker
    ) -> None:
        from aws.actions.journal import Overtaken, taken_up

        actions.push_again(orders, actor=SYSTEM)
        push = FunctionPush.objects.order_by("-pk")[0]
        first = taken_up(push.pk)
        assert first is not None
        assert taken_up(push.pk) is None
        run.bury(push)
        assert taken_up(push.pk) is not None
        with pytest.raises(Overtaken):
            first.begin("look", "", "")


class TestReleases:
    def test_weights_roll_back_and_warm_environments(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS, publish: Any
    ) -> None:
        one, two = publish(orders, "one", "first"), publish(orders, "two")
        alias = actions.set_alias(orders, actor=SYSTEM, name="live", version=one, second=two, weight=10)
        run.through(orders)
        assert there(fake, orders).aliases["live"].weights == {"2": 0.1}
        actions.roll_back_alias(alias, actor=SYSTEM)
        run.through(orders)
        assert there(fake, orders).aliases["live"].weights == {}
        actions.set_alias(orders, actor=SYSTEM, name="live", version=two)
        actions.set_provisioned(alias, actor=SYSTEM, provisioned=5)
        push = run.through(orders)
        assert push.state == State.SUCCEEDED, push.message
        assert there(fake, orders).aliases["live"].version == "2"
        assert there(fake, orders).provisioned["live"].requested == 5
        actions.roll_back_alias(alias, actor=SYSTEM)
        run.through(orders)
        assert there(fake, orders).aliases["live"].version == "1"
        actions.set_provisioned(alias, actor=SYSTEM, provisioned=None)
        actions.set_alias(orders, actor=SYSTEM, name="live", version=one, second=two, weight=50)
        push = run.through(orders)
        assert push.state == State.SUCCEEDED, push.message
        assert there(fake, orders).aliases["live"].weights == {"2": 0.5}
        assert there(fake, orders).provisioned == {}

    def test_publishing_without_a_change_makes_no_version(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS, publish: Any
    ) -> None:
        one = publish(orders, "one")
        again = actions.publish_version(orders, actor=SYSTEM, note="again")
        run.through(orders)
        again.refresh_from_db()
        assert (again.state, again.same_as, again.number) == ("same", one, None)
        assert list(there(fake, orders).versions) == ["1"]

    def test_old_versions_are_pruned_but_for_those_that_are_needed(
        self, make: Make, run: Worker, fake: FakeAWS, publish: Any
    ) -> None:
        function = make(keeps_versions=2)
        run.through(function)
        versions = [publish(function, str(number)) for number in range(5)]
        actions.set_alias(function, actor=SYSTEM, name="live", version=versions[0])
        run.through(function)
        chosen = actions.prune_versions(function, actor=SYSTEM)
        assert [version.number for version in chosen] == [3, 2]
        run.through(function)
        assert list(there(fake, function).versions) == ["1", "4", "5"]
        assert list(function.versions.filter(state="pruned").values_list("number", flat=True)) == [3, 2]

    def test_destinations_are_set_and_taken_away(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS, publish: Any
    ) -> None:
        arn = "arn:aws:sqs:eu-central-1:111122223333:gatehouse-failed"
        actions.set_alias(orders, actor=SYSTEM, name="live", version=publish(orders, "one"))
        actions.change_function(orders, actor=SYSTEM, values=FunctionValues(on_failure_arn=arn))
        run.through(orders)
        assert set(there(fake, orders).event_invoke) == {LATEST, "live"}
        actions.change_function(orders, actor=SYSTEM, values=FunctionValues(on_failure_arn=""))
        run.through(orders)
        assert there(fake, orders).event_invoke == {}


class TestAdoptingAndDeleting:
    def test_what_is_adopted_is_read_and_never_deleted(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS, publish: Any, shop: Any, cloud: AwsAccount
    ) -> None:
        actions.change_function(orders, actor=SYSTEM, values=FunctionValues(environment={"KEY": CANARY}))
        actions.set_alias(orders, actor=SYSTEM, name="live", version=publish(orders, "one", "by hand"))
        run.through(orders)
        told = there(fake, orders)
        told.tags = {"portal:instance": "gatehouse", "cost": "shop"}
        told.reserved = 7
        LambdaFunction.objects.filter(pk=orders.pk).update(state="gone")
        place = actions.Place(shop, cloud, "eu-central-1")
        function = actions.adopt_function(
            actor=SYSTEM, place=place, remote_name=orders.remote_name, slug="mine"
        )
        push = run.through(function)
        assert push.state == State.SUCCEEDED, push.message
        assert (function.runtime, function.reserved, function.tags) == ("python3.13", 7, {"cost": "shop"})
        assert function.environment_names == ["KEY"]
        assert function.aliases.get().version.number == 1
        before = len(fake.asked)
        actions.push_again(function, actor=SYSTEM)
        run.through(function)
        assert not [one for one in fake.asked[before:] if not one.operation.startswith(("Get", "List"))]
        actions.delete_function(function, actor=SYSTEM)
        function.refresh_from_db()
        assert function.state == LambdaFunction.State.GONE
        assert all_functions(fake, function) == [function.remote_name]

    def test_another_portals_function_is_not_adopted(
        self, orders: LambdaFunction, run: Worker, fake: FakeAWS, shop: Any, cloud: AwsAccount
    ) -> None:
        there(fake, orders).tags = {"portal:instance": "other"}
        LambdaFunction.objects.filter(pk=orders.pk).update(state="gone")
        place = actions.Place(shop, cloud, "eu-central-1")
        function = actions.adopt_function(actor=SYSTEM, place=place, remote_name=orders.remote_name)
        push = run.through(function)
        assert push.state == State.FAILED
        assert "belongs to other" in push.message

    def test_deleting_takes_function_and_role_away(self, make: Make, run: Worker, fake: FakeAWS) -> None:
        function = make(role_arn="")
        run.through(function)
        actions.delete_function(function, actor=SYSTEM, note="Over.")
        push = run.through(function)
        assert push.state == State.SUCCEEDED, push.message
        assert all_functions(fake, function) == []
        assert set(roles(place_of(fake, function))) == {"gatehouse-runner"}
        assert function.state == LambdaFunction.State.GONE
        assert bytes(function.codes.get().content) == b""
