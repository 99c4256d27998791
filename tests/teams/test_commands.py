"""Commands of the operator: the first administrator, and the first of each other platform role."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.test import Client

from audit.models import ActorKind, AuditEvent
from teams.models import PlatformRole, TeamRole, User
from teams.queries import actor_of_user
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_the_first_administrator_comes_in_like_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--email=Root@Example.test", verbosity=0)
    user = User.objects.get(email="root@example.test")
    assert user.is_superuser
    assert user.platform_roles == [PlatformRole.ADMINISTRATOR]
    assert actor_of_user(user).roles == {user.personal_team.pk: TeamRole.OWNER}
    events = AuditEvent.objects.order_by("id").values_list("name", "actor_kind", "after")
    assert ("user.signed_up", ActorKind.USER, {"way": "command"}) in events
    assert ("user.roles_changed", ActorKind.SYSTEM, {"platform_roles": ["administrator"]}) in events
    browser = Client()
    browser.post("/accounts/login/", {"login": "root@example.test", "password": PASSWORD})
    assert browser.get("/administration/").status_code == 200, "no mail has to be answered first"


def test_a_superuser_made_before_is_completed_and_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, alice: User
) -> None:
    earlier = User.objects.create_superuser("earlier@example.test", PASSWORD)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--email=root@example.test", verbosity=0)
    earlier.refresh_from_db()
    alice.refresh_from_db()
    assert earlier.personal_team.slug == "earlier"
    assert alice.platform_roles == []
    assert EmailAddress.objects.get(user=earlier).verified


@pytest.mark.parametrize("role", PlatformRole.values)
def test_the_first_of_each_role_is_made_by_the_operator(role: str, alice: User, capsys: Any) -> None:
    call_command("grant_platform_role", "ALICE@example.test", role)
    alice.refresh_from_db()
    assert alice.platform_roles == [role]
    event = AuditEvent.objects.get(name="user.roles_changed")
    assert (event.actor_kind, event.target_id) == (ActorKind.SYSTEM, alice.public_id)
    call_command("grant_platform_role", alice.email, role)
    assert "Nothing to do" in capsys.readouterr().out
    call_command("grant_platform_role", alice.email, role, "--take")
    alice.refresh_from_db()
    assert alice.platform_roles == []
    assert AuditEvent.objects.filter(name="user.roles_changed").count() == 2


def test_a_role_goes_to_active_people_only(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    for email in (alice.email, "nobody@example.test"):
        with pytest.raises(CommandError, match="Nobody active"):
            call_command("grant_platform_role", email, "approver")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("grant_platform_role", alice.email, "Approver")
