"""Functions of the team Shop in an AWS in memory, and the worker that brings it to what is decided."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from aws import actions
from aws.actions import FunctionValues, Place
from aws.actions import pushing as worker
from aws.actions.journal import ALIVE
from aws.client.buckets import Buckets, Priority
from aws.client.calls import Calls
from aws.connections import account_of
from aws.external_ids import open_external_id
from aws.models import AwsAccount, Feature, FunctionPush, FunctionVersion, LambdaFunction
from aws.tasks import push_function, sweep_pushes
from teams.models import SYSTEM, Actor, Team, User
from teams.queries import actor_of_user
from tests.aws.factories import make_account
from tests.aws.fake import FakeAWS
from tests.aws.fake.identities import Trust
from tests.aws.fake.lambda_state import Function, LambdaState, lambdas
from tests.aws.fake.place import Place as FakePlace

ROLE = "arn:aws:iam::{number}:role/portal/gatehouse-runner"
CANARY = "canary-value-5f3a90c1d7e2"
"""A value of an environment that must be found nowhere."""


def zipped(text: str = "def handler(event, context): return 1", **files: str) -> bytes:
    """A zip with app.py, the same bytes each time."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in {"app.py": text, **files}.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return body.getvalue()


@pytest.fixture
def cloud(fake: FakeAWS, shop: Team) -> AwsAccount:
    """An account that Shop may use for everything; `gatehouse-runner` is a role in it that Lambda may assume."""
    account = make_account("cloud", teams=[shop], features=[feature.value for feature in Feature])
    fake.identities.trusts[account.role_arn] = Trust(open_external_id(account))
    fake.add_role(account_of(account), "gatehouse-runner")
    return account


@pytest.fixture(autouse=True)
def _in_memory(fake: FakeAWS, buckets: Buckets) -> Iterator[None]:
    """Pushes call the fake, on its clock: waiting costs no time."""

    def calls_for(
        account: AwsAccount, *, who: str, region: str = "", priority: Priority = Priority.PUSH
    ) -> Calls:
        return fake.calls(account_of(account, region), buckets, who=who, priority=priority)

    with mock.patch.object(worker, "calls_for", calls_for):
        yield


@pytest.fixture
def owner(alice: User) -> Actor:
    return actor_of_user(alice)


Make = Callable[..., LambdaFunction]


@pytest.fixture
def make(cloud: AwsAccount, shop: Team) -> Make:
    """A function as an owner makes it; what is not said is usual. Nothing is pushed yet."""

    def made(
        name: str = "Orders", *, content: bytes | None = None, actor: Actor = SYSTEM, **values: Any
    ) -> LambdaFunction:
        usual = {
            "runtime": "python3.13",
            "handler": "app.handler",
            "role_arn": ROLE.format(number=cloud.number),
            **values,
        }
        image = usual.pop("image_uri", "")
        return actions.create_function(
            actor=actor,
            place=Place(shop, cloud, "eu-central-1"),
            name=name,
            content=b"" if image else zipped() if content is None else content,
            image_uri=image,
            values=FunctionValues(**usual),
        )

    return made


class Worker:
    """What Celery does: the task is run, and run again when its countdown is over, on the clock of the fake."""

    def __init__(self, fake: FakeAWS) -> None:
        self._fake = fake

    def once(self, push: FunctionPush) -> FunctionPush:
        """One run of the task. What crashes leaves a push that nobody is at."""
        push_function.apply(args=[push.pk])
        push.refresh_from_db()
        return push

    def later(self, push: FunctionPush) -> None:
        """Let the time pass that it waits for."""
        assert push.waits_until is not None
        self._fake.clock.advance(max(1.0, (push.waits_until - timezone.now()).total_seconds()))
        FunctionPush.objects.filter(pk=push.pk).update(waits_until=timezone.now())

    def bury(self, push: FunctionPush) -> None:
        """Its worker died: after some minutes the sweep finds it."""
        FunctionPush.objects.filter(pk=push.pk).update(
            updated_at=timezone.now() - ALIVE - timedelta(seconds=1)
        )
        with mock.patch.object(push_function, "delay") as rung:
            sweep_pushes.apply()
        assert [call.args for call in rung.call_args_list] == [(push.pk,)]

    def through(self, function: LambdaFunction, *, most: int = 80) -> FunctionPush:
        """Run the last push of a function until it is over."""
        push = FunctionPush.objects.filter(function=function).order_by("-pk")[0]
        for _count in range(most):
            self.once(push)
            if push.is_over:
                function.refresh_from_db()
                return push
            if push.state == FunctionPush.State.WAITING:
                self.later(push)
        raise AssertionError(f"not over after {most} runs: {push.state} {push.waits_on}")


@pytest.fixture
def run(fake: FakeAWS) -> Worker:
    return Worker(fake)


@pytest.fixture
def orders(make: Make, run: Worker) -> LambdaFunction:
    """A function that is in AWS."""
    function = make()
    assert run.through(function).state == FunctionPush.State.SUCCEEDED
    return function


@pytest.fixture
def publish(run: Worker) -> Callable[..., FunctionVersion]:
    """Publish a version of other code."""

    def published(function: LambdaFunction, text: str, note: str = "") -> FunctionVersion:
        actions.upload_code(function, actor=SYSTEM, content=zipped(text))
        version = actions.publish_version(function, actor=SYSTEM, note=note)
        push = run.through(function)
        assert push.state == FunctionPush.State.SUCCEEDED, push.message
        version.refresh_from_db()
        return version

    return published


def there(fake: FakeAWS, function: LambdaFunction) -> Function:
    """The function as AWS keeps it."""
    return place_of(fake, function).state(LambdaState).functions[function.remote_name]


def place_of(fake: FakeAWS, function: LambdaFunction) -> FakePlace:
    return fake.place(function.account.number, function.region)


def all_functions(fake: FakeAWS, function: LambdaFunction) -> list[str]:
    return list(lambdas(place_of(fake, function)).functions)


def steps_of(push: FunctionPush) -> list[tuple[str, str]]:
    """Names and states of its journal."""
    return list(push.steps.values_list("name", "state"))
