"""Providers, models and routes of the team Shop and of the whole installation, made by the actions."""

from __future__ import annotations

from typing import Any

import pytest

from ai.actions import ProviderValues, TargetValues, add_key, add_model, create_provider, create_route
from ai.models import AiModel, ModelRoute, Provider, ProviderKey
from teams.models import SYSTEM, Actor, Team, User
from teams.queries import actor_of_user

SERVER = "http://127.0.0.1:11434/v1"
CANARY = "sk-canary-5f3a90c1d7e24b68a1"
"""A vendor's key that must be found nowhere."""
RATES = [{"unit": "input", "nanos": 150_000_000}, {"unit": "output", "nanos": 600_000_000}]


def acting(user: User) -> Actor:
    """The actor of a signed-in person."""
    return actor_of_user(user)


def make_provider(team: Team | None = None, name: str = "House", **values: Any) -> Provider:
    """A server of one's own, at an address that tests may save."""
    vendor = values.pop("vendor", "")
    reached = ProviderValues(base_url=values.pop("base_url", SERVER), **values)
    return create_provider(actor=SYSTEM, team=team, name=name, vendor=vendor, values=reached)


@pytest.fixture
def provider(shop: Team) -> Provider:
    """Of the team Shop."""
    return make_provider(shop)


@pytest.fixture
def shared(db: None) -> Provider:
    """Of the whole installation."""
    return make_provider(None, "Everybody's")


@pytest.fixture
def key(provider: Provider) -> ProviderKey:
    return add_key(provider, actor=SYSTEM, label="first", value=CANARY)


@pytest.fixture
def model(provider: Provider) -> AiModel:
    return add_model(provider, actor=SYSTEM, remote="house-large", context=8_192)


@pytest.fixture
def route(model: AiModel, shop: Team) -> ModelRoute:
    return create_route(actor=SYSTEM, team=shop, alias="fast-text", targets=[TargetValues(model)])
