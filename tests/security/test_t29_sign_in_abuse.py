"""T29: tries at signing in are limited, however address and sender are spelt; nothing tells who has an account."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client

from teams.models import User, fold
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


WRONG = "wrong password"


def sign_in(email: str, password: str = WRONG, **headers: str):
    return Client().post(LOGIN, {"login": email, "password": password}, **headers)


def test_the_limit_on_an_address_holds_for_every_spelling_of_it(alice: User) -> None:
    spellings = [
        "alice@example.test", "ALICE@example.test", "Alice@Example.Test", " alice@example.test ", "aLiCe@eXample.test",
    ]  # fmt: skip
    for spelling in spellings:
        sign_in(spelling)
    answer = sign_in("alice@example.test", PASSWORD)
    assert answer.status_code == 200
    assert "Too many failed" in answer.content.decode()


def test_spellings_that_the_database_takes_for_one_are_counted_as_one() -> None:
    assert fold("alice@example.te\u017ft") == fold("ALICE@example.TEST") == "alice@example.test"
    assert fold("\u212aate@example.test") == "kate@example.test"


def test_a_made_up_forwarded_header_does_not_reset_the_limit(alice: User) -> None:
    for number in range(12):
        sign_in(f"nobody{number}@example.test", HTTP_X_FORWARDED_FOR=f"10.1.1.{number}")
    answer = sign_in(alice.email, PASSWORD, HTTP_X_FORWARDED_FOR="10.9.9.9")
    assert answer.status_code != 302


def test_behind_a_trusted_proxy_only_its_entry_counts(alice: User, settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(12):
        sign_in(f"nobody{number}@example.test", HTTP_X_FORWARDED_FOR=f"10.1.1.{number}, 192.0.2.7")
    assert sign_in(alice.email, PASSWORD, HTTP_X_FORWARDED_FOR="10.9.9.9, 192.0.2.7").status_code != 302
    assert sign_in(alice.email, PASSWORD, HTTP_X_FORWARDED_FOR="192.0.2.7, 192.0.2.8").status_code == 302


def test_a_known_and_an_unknown_address_cost_one_password_hash_each(alice: User) -> None:
    hasher = Argon2PasswordHasher
    with (
        patch.object(hasher, "verify", autospec=True, side_effect=hasher.verify) as verified,
        patch.object(hasher, "encode", autospec=True, side_effect=hasher.encode) as encoded,
    ):
        known = sign_in(alice.email)
        after_known = verified.call_count + encoded.call_count
        unknown = sign_in("nobody@example.test")
        after_unknown = verified.call_count + encoded.call_count - after_known
    assert after_known == after_unknown == 1
    assert known.status_code == unknown.status_code == 200
    for page in (known, unknown):
        assert "are not correct" in page.content.decode()


def test_sign_up_and_reset_answer_alike_for_known_and_unknown_addresses(alice: User) -> None:
    def sign_up(email: str):
        return Client().post("/accounts/signup/", {"name": "X", "email": email, "password1": PASSWORD + "9"})

    def reset(email: str):
        return Client().post("/accounts/password/reset/", {"email": email})

    for call in (sign_up, reset):
        known, unknown = call(alice.email), call("nobody@example.test")
        assert (known.status_code, known.get("Location")) == (unknown.status_code, unknown.get("Location"))
        assert known.status_code == 302
