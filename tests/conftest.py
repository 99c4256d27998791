"""The people of every test, and how they come in.

alice owns the team Shop, bob is a developer in it, charlie belongs elsewhere, dana consumes from the team
Logistics, erin approves for the platform, frank audits it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from celery import current_app
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings
from kombu import pools
from rest_framework.test import APIClient

from gateways.drivers.memory import forget_gateways
from teams.models import PlatformRole, Team, TeamRole, User
from tests import factories
from tests.databases import migrated_template

SLOW_BY_NATURE = [hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile(
    "normal", deadline=None, derandomize=True, suppress_health_check=SLOW_BY_NATURE
)
hypothesis.settings.register_profile(
    "long", deadline=None, print_blob=True, suppress_health_check=SLOW_BY_NATURE
)
hypothesis.settings.load_profile("normal")
"""The same examples on every machine and in every run; `make test-long` looks for new ones each time."""


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("markexpr") == "long":
        hypothesis.settings.load_profile("long")


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_not_listed_for_each_client(django_test_environment: None) -> Iterator[None]:
    """WhiteNoise lists all static files at start; a test client starts it anew, which took longer than most tests."""
    with override_settings(WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Rate limits and counters in Redis start anew with each test, and so do Celery's connections to it:
    a test that took the broker away leaves a closed pool behind."""
    cache.clear()
    pools.reset()
    current_app._after_fork()


@pytest.fixture(autouse=True)
def _no_memory_gateways() -> Iterator[None]:
    """Memory gateways live as long as the process: each test begins and ends with none."""
    forget_gateways()
    yield
    forget_gateways()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each process of the run has a test database of its own, copied from one that is migrated once."""
    lock = tmp_path_factory.getbasetemp().parent / "template.lock"
    connection.settings_dict["TEST"]["TEMPLATE"] = migrated_template(os.environ["DATABASE_URL"], lock)


@pytest.fixture(scope="session", autouse=True)
def _no_session_outlives_the_tests(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A server thread of a browser test may hold its connection a moment longer than its test; the test
    database cannot be dropped under it."""
    yield
    if not connection.settings_dict["NAME"].startswith("test_"):
        return  # no test of this process needs a database, so that none was made
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def shop(db: None) -> Team:
    """The team that publishes: alice and bob."""
    return factories.make_team("Shop")


@pytest.fixture
def logistics(db: None) -> Team:
    """The team that consumes: dana."""
    return factories.make_team("Logistics")


@pytest.fixture
def alice(shop: Team) -> User:
    user = factories.make_user("alice@example.test", name="Alice")
    factories.join(shop, user, TeamRole.OWNER)
    return user


@pytest.fixture
def bob(shop: Team) -> User:
    user = factories.make_user("bob@example.test", name="Bob")
    factories.join(shop, user, TeamRole.DEVELOPER)
    return user


@pytest.fixture
def charlie(db: None) -> User:
    user = factories.make_user("charlie@example.test", name="Charlie")
    factories.join(factories.make_team("Elsewhere"), user, TeamRole.OWNER)
    return user


@pytest.fixture
def dana(logistics: Team) -> User:
    user = factories.make_user("dana@example.test", name="Dana")
    factories.join(logistics, user, TeamRole.OWNER)
    return user


@pytest.fixture
def erin(db: None) -> User:
    return factories.make_user("erin@example.test", name="Erin", platform_roles=[PlatformRole.APPROVER])


@pytest.fixture
def frank(db: None) -> User:
    return factories.make_user("frank@example.test", name="Frank", platform_roles=[PlatformRole.AUDITOR])


@pytest.fixture
def ada(db: None) -> User:
    """The platform's administrator."""
    return factories.make_user("ada@example.test", name="Ada", platform_roles=[PlatformRole.ADMINISTRATOR])


@pytest.fixture
def client_of() -> Callable[[User | None], Client]:
    """A browser in which the person (None: nobody) is signed in."""

    def enter(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return enter


@pytest.fixture
def api_of() -> Callable[..., APIClient]:
    """A REST client with a real token of the person; `scopes` limits it."""

    def enter(user: User | None, *, scopes: list[str] | None = None) -> APIClient:
        client = APIClient()
        if user is not None:
            _token, value = factories.make_api_token(user=user, scopes=scopes)
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
        return client

    return enter
