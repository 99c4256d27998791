"""Sessions: whose credentials go where, and how they are called."""

from __future__ import annotations

import pytest

from aws.client.account import Account
from aws.client.sessions import Sessions, session_name

SIMULATED = Account("aws_1", "eu-central-1", endpoint_url="http://127.0.0.1:9")


def test_a_simulated_aws_sees_no_real_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    sessions = Sessions()
    assert sessions.client(SIMULATED, "sts", "test")._get_credentials().access_key == "simulated"
    real = Account("aws_2", "eu-central-1")
    assert sessions.client(real, "sts", "test")._get_credentials().access_key == "AKIAREAL"


def test_the_environment_does_not_lead_calls_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere.example.test")
    client = Sessions().client(Account("aws_2", "eu-central-1"), "apigateway", "test")
    assert client.meta.endpoint_url == "https://apigateway.eu-central-1.amazonaws.com"


def test_nothing_is_retried_by_botocore_itself() -> None:
    client = Sessions().client(SIMULATED, "apigateway", "test")
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (5, 65)


@pytest.mark.parametrize(
    ("who", "name"),
    [("push dep_1", "gatehouse-push-dep_1"), ("ä/ö", "gatehouse--"), ("x" * 99, "gatehouse-" + "x" * 54)],
)
def test_names_of_sessions_are_such_as_aws_takes(who: str, name: str) -> None:
    assert session_name(who) == name


def test_clients_are_kept_and_forgotten() -> None:
    sessions = Sessions()
    first = sessions.client(SIMULATED, "sts", "test")
    assert sessions.client(SIMULATED, "sts", "test") is first
    sessions.forget(SIMULATED, "test")
    assert sessions.client(SIMULATED, "sts", "test") is not first
