"""Legal moves of versions and plans: any sequence of deeds leaves a state that the table allows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apis import actions
from apis.models import ApiVersion, Plan
from audit.models import ActionRefused, AuditEvent
from teams.models import SYSTEM
from tests import factories

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sunset() -> Any:
    return timezone.now().date() + timedelta(days=10)


VERSION_DEEDS = {
    "publish": lambda version: actions.publish_version(version, actor=SYSTEM),
    "deprecate": lambda version: actions.deprecate_version(version, actor=SYSTEM, sunset_on=sunset()),
    "reinstate": lambda version: actions.reinstate_version(version, actor=SYSTEM),
    "retire": lambda version: actions.retire_version(version, actor=SYSTEM),
}
PLAN_DEEDS = {
    "publish": lambda plan: actions.publish_plan(plan, actor=SYSTEM),
    "deprecate": lambda plan: actions.deprecate_plan(plan, actor=SYSTEM),
    "close": lambda plan: actions.close_plan(plan, actor=SYSTEM),
}


def walk(target: Any, deeds: dict[str, Any], names: list[str]) -> None:
    """Do each deed: it moves along the table and leaves one event, or is refused and leaves nothing."""
    for name in names:
        was, events = type(target).objects.get(pk=target.pk).state, AuditEvent.objects.count()
        try:
            deeds[name](target)
        except ActionRefused:
            moved = False
        else:
            moved = True
        now = type(target).objects.get(pk=target.pk).state
        assert now == was or now in target.moves[was]
        if now != was:
            assert moved
            assert AuditEvent.objects.count() == events + 1
        if not moved:
            assert (now, AuditEvent.objects.count()) == (was, events)


@few
@given(names=st.lists(st.sampled_from(sorted(VERSION_DEEDS)), max_size=7))
def test_a_version_only_moves_along_the_table(db: None, names: list[str]) -> None:
    with transaction.atomic():
        version = factories.make_version(state=ApiVersion.State.DRAFT)
        factories.make_revision(version)
        walk(version, VERSION_DEEDS, names)


@few
@given(names=st.lists(st.sampled_from(sorted(PLAN_DEEDS)), max_size=7))
def test_a_plan_only_moves_along_the_table(db: None, names: list[str]) -> None:
    with transaction.atomic():
        plan = factories.make_plan(factories.make_api(), state=Plan.State.DRAFT).plan
        walk(plan, PLAN_DEEDS, names)


def test_the_database_holds_a_deprecated_version_to_its_sunset(shop: Any) -> None:
    version = factories.make_version(factories.make_api(shop))
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiVersion.objects.filter(pk=version.pk).update(state="deprecated", sunset_on=None)
