"""What `make run` prints of the demo's sign-ins is true of the database, whoever seeded it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from embedded.report import OTHER_PASSWORD
from teams.models import User
from tests import factories

pytestmark = pytest.mark.django_db


def test_whom_the_password_does_not_let_in_is_marked(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name in ("alice", "bob", "dana"):
        factories.make_user(f"{name}@example.test")
    bob = User.objects.get(email="bob@example.test")
    bob.set_password("a password of his own")
    bob.save()
    User.objects.filter(email="dana@example.test").update(is_active=False)
    monkeypatch.setenv("GATEHOUSE_DEMO_PASSWORD", factories.PASSWORD)
    call_command("seed_demo", "--look")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["alice@example.test", "bob@example.test"]
    assert [line.endswith(OTHER_PASSWORD) for line in lines] == [False, True]
    monkeypatch.setenv("GATEHOUSE_DEMO_PASSWORD", "changed since then")
    call_command("seed_demo", "--look")
    assert all(line.endswith(OTHER_PASSWORD) for line in capsys.readouterr().out.splitlines())
