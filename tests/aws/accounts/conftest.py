"""A simulated-in-memory AWS behind the process's own sessions, and accounts that it lets in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aws.external_ids import open_external_id
from aws.models import AwsAccount
from teams.models import Actor, Team, User
from teams.queries import actor_of_user
from tests.aws.factories import make_account
from tests.aws.fake import FakeAWS
from tests.aws.fake.identities import Trust


@pytest.fixture(scope="session")
def _one_fake() -> FakeAWS:
    """Its clients take longer to make than most tests."""
    return FakeAWS()


@pytest.fixture
def fake(_one_fake: FakeAWS) -> Iterator[FakeAWS]:
    """AWS, empty; what the portal calls goes there."""
    _one_fake.reset()
    with _one_fake.installed():
        yield _one_fake


@pytest.fixture
def trusted(fake: FakeAWS) -> Callable[..., AwsAccount]:
    """Make an account whose role's trust policy names its external id, or what `trusted` says."""

    def make(slug: str = "cloud", *, trusted: str | None = "", **values: Any) -> AwsAccount:
        values = {"state": AwsAccount.State.PENDING, **values}
        account = make_account(slug, **values)
        named = open_external_id(account) if trusted == "" else trusted
        fake.identities.trusts[account.role_arn] = Trust(named)
        return account

    return make


@pytest.fixture
def administrator(ada: User) -> Actor:
    return actor_of_user(ada)


@pytest.fixture
def shops(shop: Team) -> AwsAccount:
    """One that the team Shop may use: alice and bob."""
    return make_account("shops", name="Shop's account", teams=[shop])
