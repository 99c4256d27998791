"""T32: the trail can only grow, and what was altered behind our back is named."""

from __future__ import annotations

import io
from importlib import import_module

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.utils import ProgrammingError
from psycopg import sql

from audit.actions import record_event, seal_events
from audit.models import AuditEvent, AuditSeal
from audit.queries import trail_is_insert_only, verify_chain
from teams.models import SYSTEM, Team
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def events() -> list[AuditEvent]:
    """Six events, sealed in two goes."""
    team, made = factories.make_team(), []
    for number in range(6):
        made.append(record_event("team.changed", team, actor=SYSTEM, after={"n": number}))
        if number in (2, 5):
            seal_events()
    return made


def sql_as_owner(statement: str, *values: object) -> None:
    """What somebody with all rights on the database could do; keys between tables switched off for it."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def test_an_untouched_chain_holds(events: list[AuditEvent]) -> None:
    report = verify_chain()
    assert (report.checked, report.unsealed, report.findings) == (6, 0, [])
    record_event("team.changed", Team.objects.get(), actor=SYSTEM)
    assert verify_chain().unsealed == 1


@pytest.mark.parametrize(
    "column", ["name", "actor_label", "note", "after", "occurred_at", "team_id", "request_id"]
)
def test_an_altered_event_is_named(events: list[AuditEvent], column: str) -> None:
    value = {"after": '{"n": 99}', "occurred_at": "2020-01-01T00:00:00Z"}.get(column, "altered")
    sql_as_owner(f"UPDATE audit_auditevent SET {column} = %s WHERE id = %s", value, events[3].pk)  # noqa: S608
    findings = verify_chain().findings
    assert len(findings) == 1
    assert events[3].public_id in findings[0]


def test_a_deleted_event_is_named(events: list[AuditEvent]) -> None:
    sql_as_owner("DELETE FROM audit_auditevent WHERE id = %s", events[2].pk)
    findings = verify_chain().findings
    assert findings[0].startswith(f"event row {events[2].pk} is gone")


def test_an_event_deleted_with_its_seal_leaves_a_gap_at_its_place(events: list[AuditEvent]) -> None:
    sql_as_owner("DELETE FROM audit_auditseal WHERE event_id = %s", events[2].pk)
    sql_as_owner("DELETE FROM audit_auditevent WHERE id = %s", events[2].pk)
    findings = verify_chain().findings
    assert len(findings) == 1
    assert events[3].public_id in findings[0]


def test_a_cut_off_end_is_seen_by_an_anchor(events: list[AuditEvent]) -> None:
    anchor = verify_chain().head
    assert verify_chain(anchor=anchor).findings == []
    sql_as_owner("DELETE FROM audit_auditseal WHERE event_id = %s", events[5].pk)
    sql_as_owner("DELETE FROM audit_auditevent WHERE id = %s", events[5].pk)
    assert verify_chain().findings == []
    assert "anchor" in verify_chain(anchor=anchor).findings[0]


def test_the_command_says_what_holds_and_fails_when_it_does_not(events: list[AuditEvent]) -> None:
    said = io.StringIO()
    call_command("verify", stdout=said)
    assert "audit chain: 6 looked at, 0 findings" in said.getvalue()
    sql_as_owner("UPDATE audit_auditevent SET note = 'x' WHERE id = %s", events[0].pk)
    complaints = io.StringIO()
    with pytest.raises(CommandError):
        call_command("verify", stdout=said, stderr=complaints)
    assert events[0].public_id in complaints.getvalue()


@pytest.fixture
def application_role() -> str:
    """The role that web and worker use, with the rights that the migration gives. Rolled back with the test."""
    role = sql.Identifier("gatehouse_app")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'gatehouse_app'")
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE ROLE {}").format(role))
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO {}",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}",
        ):
            cursor.execute(sql.SQL(statement).format(role))
    assert [found.split(" may ")[1].split(" ")[0] for found in trail_is_insert_only()] == [
        "UPDATE", "DELETE", "TRUNCATE", "UPDATE", "DELETE", "TRUNCATE",
    ]  # fmt: skip
    migration = import_module("audit.migrations.0002_trail_is_insert_only").Migration
    with connection.cursor() as cursor:
        cursor.execute(migration.operations[0].sql)
    return "gatehouse_app"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET id = id",
        "DELETE FROM {}",
        "TRUNCATE {}",
    ],
)
@pytest.mark.parametrize("model", [AuditEvent, AuditSeal])
def test_the_application_adds_and_reads_and_alters_nothing(
    events: list[AuditEvent], application_role: str, statement: str, model: type
) -> None:
    assert list(trail_is_insert_only()) == []
    team = Team.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {application_role}")
        record_event("team.changed", team, actor=SYSTEM, note="by the application")
        assert seal_events() == 1
        assert AuditEvent.objects.count() == 7
        with pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute(statement.format(model._meta.db_table))
