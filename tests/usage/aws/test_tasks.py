"""The beats, through the role of each gateway's own account."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from aws.client.account import Account
from aws.external_ids import open_external_id
from aws.models import AwsAccount
from gateways.actions.lease import take_lease
from tests.aws.fake.identities import Trust
from tests.aws.fake.rest_state import rest
from tests.aws.fake.telemetry import telemetry
from tests.usage.aws.conftest import Shop, calls_in
from usage import tasks
from usage.actions import gateways_at_aws
from usage.models import AwsReading


@pytest.fixture
def own(at_aws: Shop) -> Shop:
    """In the account that its row names, with the role that it names."""
    account = at_aws.gateway.aws_account
    assert account is not None
    at_aws.account = Account(id=account.public_id, region=at_aws.gateway.aws_region, number=account.number)
    at_aws.fake.identities.trusts[account.role_arn] = Trust(open_external_id(account))
    at_aws.hold(logged_at=timezone.now() - timedelta(hours=1))
    rest(at_aws.fake.at(at_aws.account)).log_role = "arn:aws:iam::1:role/logs"
    return at_aws


def test_a_beat_reads_in_the_gateways_account_and_region(own: Shop) -> None:
    own.call(3)
    with own.fake.installed():
        tasks.read_gateway_at_aws(own.gateway.pk)
    assert calls_in() == 3
    [asked] = [one for one in own.fake.asked if one.operation == "FilterLogEvents"]
    assert (asked.number, asked.region) == (own.account.number, own.account.region)


def test_a_role_that_lets_nobody_in_is_written_down(own: Shop) -> None:
    own.fake.identities.trusts.clear()
    own.fake.sessions._kept.clear()
    with own.fake.installed():
        tasks.read_gateway_at_aws(own.gateway.pk)
    assert AwsReading.objects.get().trouble
    assert calls_in() == 0


def test_logs_are_seen_to_beside_the_pushes(own: Shop) -> None:
    with own.fake.installed():
        tasks.keep_aws_logs()
    assert telemetry(own.fake.at(own.account)).groups[own.group].retention == 30
    own.gateway.refresh_from_db()
    assert own.gateway.lease_owner == ""


def test_a_push_under_way_is_let_be(own: Shop) -> None:
    take_lease(own.gateway.pk)
    with own.fake.installed():
        tasks.keep_aws_logs()
    assert own.fake.asked == []


def test_retired_ones_are_read_for_the_last_calls_alone(own: Shop) -> None:
    own.gateway.retired_at = timezone.now()
    own.gateway.save()
    assert gateways_at_aws() == [own.gateway.pk]
    own.gateway.retired_at = timezone.now() - timedelta(hours=2)
    own.gateway.save()
    assert gateways_at_aws() == []


def test_an_account_that_was_retired_is_not_asked(own: Shop) -> None:
    AwsAccount.objects.update(state=AwsAccount.State.RETIRED)
    assert gateways_at_aws() == []


def test_what_is_no_gateway_any_more_is_passed_over(db: None) -> None:
    tasks.read_gateway_at_aws(0)
