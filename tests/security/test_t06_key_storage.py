"""T6: what is kept of a key. Nothing in the database reads as the key; what is sealed opens in its own row only."""

from __future__ import annotations

import pytest
from django.db import connection

from audit.models import AuditEvent
from audit.sealing import SealBroken
from subscriptions import keys
from subscriptions.actions import issue_credential, revoke_credential
from subscriptions.models import Credential
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def issued(dana, logistics):
    subscription = factories.make_subscription(factories.make_application(logistics))
    return issue_credential(subscription, actor=actor_of_user(dana), name="canary")


def columns_as_text(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT t::text FROM {connection.ops.quote_name(table)} t")  # noqa: S608
        return "\n".join(row[0] for row in cursor.fetchall())


def test_t06_no_table_holds_the_key_as_text_or_bytes(issued, dana):
    credential, value = issued
    revoke_credential(credential, actor=actor_of_user(dana), reason="Canary.")
    secret = value[19:62]
    for table in connection.introspection.table_names():
        text = columns_as_text(table)
        assert secret not in text, table
        assert secret.encode().hex() not in text, table


def test_t06_the_sealed_value_opens_in_its_own_row_only(issued):
    credential, value = issued
    assert keys.open_key(credential.sealed, credential.public_id) == value
    other, _value = factories.make_credential(credential.subscription)
    with pytest.raises(SealBroken):
        keys.open_key(credential.sealed, other.public_id)


def test_t06_the_digest_is_keyed_and_compares_the_whole_key(issued):
    credential, value = issued
    kept = Credential.objects.get(pk=credential.pk)
    assert keys.key_digest(value) == (bytes(kept.digest), kept.digest_key)
    wrong = value[:30] + ("A" if value[30] != "A" else "B") + value[31:]
    assert keys.key_digest(wrong) != (bytes(kept.digest), kept.digest_key)


def test_t06_nothing_prints_the_key(issued):
    credential, value = issued
    made = keys.make_key("p")
    assert made.value not in repr(made)
    for text in (repr(credential), str(credential), f"{AuditEvent.objects.values_list()}"):
        assert value[19:] not in text
