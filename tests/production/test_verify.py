"""`manage.py verify` finds each kind of damage, says it in words, and exits with its code."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from gateways.actions import hold_gateway, mark_behind, reconcile
from gateways.drivers.memory import forget_gateways, memory_gateway
from gateways.engine.document import Kind, Ref
from gateways.models import Gateway
from portal.verification import AUDIT, DIFFERS, ROWS, SECRETS, UNREACHABLE
from subscriptions.models import Credential
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_gateways() -> None:
    forget_gateways()


@pytest.fixture
def live() -> tuple[Gateway, Credential, str]:
    """A gateway that serves one key."""
    edge = factories.make_gateway("edge")
    version = factories.make_version()
    factories.make_publication(version, edge)
    credential, value = factories.make_credential(
        factories.make_subscription(plan_revision=factories.make_plan(version.api))
    )
    mark_behind([edge.pk])
    reconcile(edge, whether_due=True)
    return edge, credential, value


def verify(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the JSON answer."""
    out = io.StringIO()
    try:
        call_command("verify", "--json", *arguments, stdout=out)
        code = 0
    except CommandError as error:
        code = error.returncode
    found = json.loads(out.getvalue())
    assert found["exit_code"] == code
    return code, found


def findings(found: dict[str, Any]) -> list[str]:
    return [sentence for check in found["checks"] for sentence in check["findings"]]


def test_a_sound_installation_is_sound(live: tuple[Gateway, Credential, str]) -> None:
    code, found = verify()
    assert (code, found["sound"], findings(found)) == (0, True, [])
    looked = {check["name"]: check["looked_at"] for check in found["checks"]}
    assert looked["sealed secrets"] == 2
    assert looked["desired against gateways"] == 1
    assert looked["foreign keys"] > 40
    out = io.StringIO()
    call_command("verify", stdout=out)
    assert "sealed secrets: 2 looked at, 0 findings" in out.getvalue()
    assert live[2] not in out.getvalue()


def test_a_secret_that_does_not_open_is_named(live: tuple[Gateway, Credential, str], settings: Any) -> None:
    _edge, credential, value = live
    other, _value = factories.make_credential(credential.subscription)
    Credential.objects.filter(pk=credential.pk).update(sealed=other.sealed)
    code, found = verify("--no-gateways")
    assert code == SECRETS
    [sentence] = findings(found)
    assert credential.public_id in sentence
    assert value not in json.dumps(found)


def test_a_lost_master_key_is_said_once_per_table(
    live: tuple[Gateway, Credential, str], settings: Any
) -> None:
    settings.MASTER_KEYS = {9: b"x" * 32}
    code, found = verify("--no-gateways")
    assert code == SECRETS
    assert any("need master key 1, which is not configured" in one for one in findings(found))


def test_a_gateway_that_differs_is_described_in_words(live: tuple[Gateway, Credential, str]) -> None:
    _edge, credential, _value = live
    held = memory_gateway("edge").items
    held.pop(Ref(Kind.KEY, credential.public_id))
    Credential.objects.exclude(pk=credential.pk).delete()
    route = next(name for name in held if name.kind is Kind.ROUTE)
    held.pop(route)
    code, found = verify()
    assert code == DIFFERS
    said = " | ".join(findings(found))
    assert f"edge: key {credential.key_id} of " in said
    assert "is decided and not on the gateway" in said
    assert "edge: route " in said


def test_what_is_held_back_with_a_reason_is_a_note(live: tuple[Gateway, Credential, str]) -> None:
    edge, credential, _value = live
    factories.make_credential(credential.subscription)
    hold_gateway(edge, reason="restored", wake=False)
    mark_behind([edge.pk])
    reconcile(edge, whether_due=True)
    code, found = verify()
    assert code == 0
    notes = [note for check in found["checks"] for note in check["notes"]]
    assert "edge is held: restored" in notes
    assert any("held back" in note for note in notes)


def test_a_gateway_that_does_not_answer_has_a_code_of_its_own(live: tuple[Gateway, Credential, str]) -> None:
    Gateway.objects.update(options={"unreachable": "1"})
    code, found = verify()
    assert code == UNREACHABLE
    assert findings(found) == ["edge: The gateway does not answer."]


def test_rows_that_point_at_nothing_are_counted(live: tuple[Gateway, Credential, str]) -> None:
    _edge, credential, _value = live
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL session_replication_role = replica"
        )  # as pg_restore --disable-triggers does
        cursor.execute(
            "UPDATE subscriptions_credential SET subscription_id = 987654 WHERE id = %s", [credential.pk]
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    code, found = verify("--no-gateways")
    assert code == ROWS
    [sentence] = findings(found)
    assert sentence.startswith("subscriptions.Credential.subscription: 1 rows point at nothing")


def test_a_lost_anchor_and_a_dead_gateway_add_up(live: tuple[Gateway, Credential, str]) -> None:
    Gateway.objects.update(options={"unreachable": "1"})
    code, _found = verify("--anchor", "f" * 64)
    assert code == AUDIT | UNREACHABLE
