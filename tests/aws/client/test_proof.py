"""The external id: proven by what AWS refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aws.client.errors import NoCredentials, Unreachable
from aws.client.proof import proves_external_id
from tests.aws.fake import FakeAWS


def test_a_role_that_asks_for_the_id_is_proven(fake: FakeAWS) -> None:
    found = proves_external_id(fake.account(), fake.sessions)
    assert (found.number, found.is_proven, found.warnings) == ("111122223333", True, ())


@pytest.mark.parametrize(("trusted", "count"), [(None, 2), ("*", 1)])
def test_a_role_that_lets_others_in_is_warned_of(fake: FakeAWS, trusted: str | None, count: int) -> None:
    found = proves_external_id(fake.account(trusted=trusted), fake.sessions)
    assert not found.is_proven
    assert len(found.warnings) == count


def test_a_role_that_cannot_be_assumed(fake: FakeAWS) -> None:
    with pytest.raises(NoCredentials, match="Check that the role is there"):
        proves_external_id(fake.account(trusted="another"), fake.sessions)


def test_another_account_than_expected(fake: FakeAWS) -> None:
    with pytest.raises(NoCredentials, match="and not to 999988887777"):
        proves_external_id(replace(fake.account(), number="999988887777"), fake.sessions)


def test_own_credentials_have_no_id_to_prove(fake: FakeAWS) -> None:
    account = replace(fake.account(), role_arn="", external_id="", number="")
    found = proves_external_id(account, fake.sessions)
    assert (found.number, found.is_proven) == ("999900001111", False)


def test_no_answer_is_no_proof(fake: FakeAWS) -> None:
    fake.faults.cut_before("AssumeRole", skip=1)
    with pytest.raises(Unreachable):
        proves_external_id(fake.account(), fake.sessions)
