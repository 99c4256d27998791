"""Decisions about functions: who may, what is refused before anything is called, what the trail keeps."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from audit.models import ActionRefused, AuditEvent
from aws import actions
from aws.actions import FunctionValues, Place
from aws.environments import open_environment
from aws.models import AwsAccount, FunctionPush, LambdaFunction
from aws.signals import function_uses_asked
from teams.models import SYSTEM, Actor, Team
from teams.queries import actor_of_user
from tests.aws.factories import make_alias, make_function, make_version
from tests.aws.fake import FakeAWS
from tests.aws.functions.conftest import CANARY, Make, zipped

pytestmark = pytest.mark.django_db
ARN = "arn:aws:lambda:eu-central-1:111122223333:layer:tools:{}"


@pytest.fixture
def function(shop: Team, cloud: AwsAccount) -> LambdaFunction:
    return make_function(shop, cloud, role_arn=f"arn:aws:iam::{cloud.number}:role/runner")


class TestWho:
    @pytest.mark.parametrize("who", ["alice", "bob"])
    def test_owners_and_developers_make_them(self, who: str, make: Make, request: Any) -> None:
        function = make(actor=actor_of_user(request.getfixturevalue(who)))
        assert function.remote_name == "gatehouse-shop-orders"
        assert FunctionPush.objects.get().reasons[0]["what"] == "create"

    @pytest.mark.parametrize("who", ["charlie", "dana", "erin", "frank", "ada"])
    def test_others_do_nothing(self, who: str, make: Make, function: LambdaFunction, request: Any) -> None:
        actor = actor_of_user(request.getfixturevalue(who))
        alias = make_alias(make_version(function, 1))
        for deed in (
            lambda: make("Other", actor=actor),
            lambda: actions.change_function(function, actor=actor, values=FunctionValues(memory_mb=512)),
            lambda: actions.upload_code(function, actor=actor, content=zipped()),
            lambda: actions.publish_version(function, actor=actor),
            lambda: actions.set_reserved(function, actor=actor, reserved=5),
            lambda: actions.set_alias(function, actor=actor, name="x", version=alias.version),
            lambda: actions.roll_back_alias(alias, actor=actor),
            lambda: actions.remove_alias(alias, actor=actor),
            lambda: actions.set_provisioned(alias, actor=actor, provisioned=1),
            lambda: actions.prune_versions(function, actor=actor),
            lambda: actions.push_again(function, actor=actor),
            lambda: actions.delete_function(function, actor=actor),
        ):
            with pytest.raises(PermissionDenied):
                deed()

    def test_the_team_must_be_let_into_the_account(
        self, cloud: AwsAccount, logistics: Team, dana: Any
    ) -> None:
        with pytest.raises(ActionRefused, match="may not use"):
            actions.adopt_function(
                actor=actor_of_user(dana), place=Place(logistics, cloud, "eu-central-1"), remote_name="x"
            )

    def test_an_account_that_is_not_connected_takes_nothing(
        self, cloud: AwsAccount, function: LambdaFunction, owner: Actor
    ) -> None:
        AwsAccount.objects.filter(pk=cloud.pk).update(state=AwsAccount.State.REFUSED)
        with pytest.raises(ActionRefused, match="not connected"):
            actions.publish_version(function, actor=owner)


class TestBadInput:
    @pytest.mark.parametrize(
        ("values", "field", "words"),
        [
            ({"runtime": "python2.7"}, "runtime", "it ended 2021-07-15"),
            ({"runtime": "cobol"}, "runtime", "There is no runtime"),
            ({"handler": ""}, "handler", "which function is called"),
            ({"memory_mb": 64}, "memory_mb", "128"),
            ({"timeout_s": 901}, "timeout_s", "900"),
            ({"environment": {"AWS_REGION": "x"}}, "environment", "AWS's own"),
            ({"environment": {"1X": "x"}}, "environment", "no name of a variable"),
            ({"environment": {"KEY": "x" * 5000}}, "environment", "AWS takes 4096"),
            ({"layers": [ARN.format(n) for n in range(6)]}, "layers", "at most 5"),
            ({"layers": [ARN.format(1), ARN.format(2)]}, "layers", "named twice"),
            ({"layers": ["tools"]}, "layers", "no version of a layer"),
            ({"subnets": ["subnet-0a1b2c3d"]}, "security_groups", "Name both"),
            ({"subnets": ["net"], "security_groups": ["sg-0a1b2c3d"]}, "subnets", "has not the form"),
            ({"dead_letter_arn": "queue"}, "dead_letter_arn", "sqs, sns"),
            ({"role_arn": "arn:aws:iam::999999999999:role/x"}, "role_arn", "999999999999"),
            ({"tags": {"portal:instance": "x"}}, "tags", "no tag of yours"),
            ({"content": b"not a zip"}, "file", "no zip"),
            ({"image_uri": "docker.io/library/x:1"}, "image_uri", "ECR"),
        ],
    )
    def test_it_is_named_before_anything_is_called(
        self, values: Any, field: str, words: str, make: Make, fake: FakeAWS
    ) -> None:
        with pytest.raises(ValidationError) as error:
            make(**values)
        assert words in " ".join(error.value.message_dict[field])
        assert LambdaFunction.objects.count() == FunctionPush.objects.count() == 0
        assert fake.asked == []

    def test_a_feature_that_is_off_is_named(self, make: Make, cloud: AwsAccount) -> None:
        AwsAccount.objects.filter(pk=cloud.pk).update(features=["functions"])
        cloud.refresh_from_db()
        for values, field in (({"role_arn": ""}, "role_arn"), ({"image_uri": "x"}, "image_uri")):
            with pytest.raises(ValidationError, match="not switched on") as error:
                make(**values)
            assert field in error.value.message_dict

    def test_the_name_must_fit_and_be_free(self, make: Make, shop: Team, cloud: AwsAccount) -> None:
        cloud.prefix = "p" * 16
        with pytest.raises(ValidationError, match="at most 42 characters"):
            actions.create_function(
                actor=SYSTEM,
                place=Place(shop, cloud, "eu-central-1"),
                name="Long",
                slug="x" * 48,
                content=zipped(),
                values=FunctionValues(runtime="python3.13", handler="app.handler"),
            )
        cloud.refresh_from_db()
        make()
        with pytest.raises(ValidationError, match="this short name"):
            make()


class TestDecisions:
    def test_values_of_the_environment_are_sealed_and_told_nowhere(self, make: Make, owner: Actor) -> None:
        function = make(environment={"KEY": CANARY, "OTHER": "x"}, actor=owner)
        actions.change_function(function, actor=owner, values=FunctionValues(environment={"OTHER": None}))
        function.refresh_from_db()
        assert open_environment(function) == {"KEY": CANARY}
        assert CANARY.encode() not in bytes(function.environment_sealed)
        told = str(list(AuditEvent.objects.values_list("before", "after", "note")))
        assert CANARY not in told
        assert "KEY" in told

    def test_a_version_is_published_once_at_a_time(self, function: LambdaFunction, owner: Actor) -> None:
        actions.publish_version(function, actor=owner, note="one")
        with pytest.raises(ActionRefused, match="being published already"):
            actions.publish_version(function, actor=owner)

    def test_warm_environments_and_weights_exclude_each_other(
        self, function: LambdaFunction, owner: Actor
    ) -> None:
        one, two = make_version(function, 1), make_version(function, 2)
        alias = make_alias(one)
        actions.set_provisioned(alias, actor=owner, provisioned=5)
        with pytest.raises(ValidationError, match="no provisioned concurrency while two versions"):
            actions.set_alias(function, actor=owner, name="live", version=one, second=two, weight=10)
        with pytest.raises(ValidationError, match="kept warm"):
            actions.set_reserved(function, actor=owner, reserved=4)
        actions.set_reserved(function, actor=owner, reserved=5)
        with pytest.raises(ValidationError, match="Only 5 calls"):
            actions.set_provisioned(alias, actor=owner, provisioned=6)

    def test_an_alias_stands_for_published_versions_of_its_function(
        self, function: LambdaFunction, shop: Team, cloud: AwsAccount, owner: Actor
    ) -> None:
        foreign = make_version(make_function(shop, cloud, "Other"), 1)
        pending = actions.publish_version(function, actor=owner)
        for version in (foreign, pending):
            with pytest.raises(ValidationError, match="published version of this function"):
                actions.set_alias(function, actor=owner, name="live", version=version)
        one = make_version(function, 1)
        for name in ("1", "a b", ""):
            with pytest.raises(ValidationError):
                actions.set_alias(function, actor=owner, name=name, version=one)

    def test_nothing_to_roll_back_to(self, function: LambdaFunction, owner: Actor) -> None:
        with pytest.raises(ActionRefused, match="stood for nothing else"):
            actions.roll_back_alias(make_alias(make_version(function, 1)), actor=owner)

    def test_what_is_used_stays(self, function: LambdaFunction, owner: Actor) -> None:
        def uses(function: LambdaFunction, **_: Any) -> list[str]:
            return [f"the API of {function}"]

        function_uses_asked.connect(uses)
        try:
            with pytest.raises(ActionRefused, match="is used by the API of Orders"):
                actions.delete_function(function, actor=owner)
        finally:
            function_uses_asked.disconnect(uses)
        actions.delete_function(function, actor=owner, note="Over.")
        with pytest.raises(ActionRefused, match="is deleted"):
            actions.publish_version(function, actor=owner)
