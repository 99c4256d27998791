"""What the actions of apis promise: rights, states, one audit event each, all or nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from apis.actions import (
    BindingValues,
    PlanLimits,
    SpecNotAccepted,
    begin_api,
    change_api,
    change_environment,
    change_plan,
    choose_upstream,
    close_plan,
    create_api,
    create_environment,
    create_plan,
    create_upstream,
    create_version,
    deprecate_plan,
    deprecate_version,
    freeze_revision,
    give_upstream,
    import_spec,
    publish_plan,
    publish_version,
    reinstate_version,
    retire_version,
    set_binding,
    share_api,
    unshare_api,
)
from apis.models import Api, ApiVersion, Environment, Operation, Plan, SpecDocument, Upstream
from audit.models import ActionRefused, AuditEvent, TransitionNotAllowed
from teams.queries import actor_of_user
from tests import factories

SPEC = json.dumps(factories.SPEC).encode()
LIMITS = PlanLimits(rate_calls=10, burst=20)


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("name", flat=True))


@pytest.fixture
def actor(alice: Any) -> Any:
    return actor_of_user(alice)


@pytest.fixture
def version(actor: Any, shop: Any) -> ApiVersion:
    return begin_api(actor=actor, team=shop, name="Orders", document=SPEC, filename="orders.json")


def ready(version: ApiVersion, actor: Any) -> ApiVersion:
    """The version with an upstream in production."""
    target = [{"url": "http://127.0.0.1:9201"}]
    production = Environment.objects.get(slug="production")
    give_upstream(version, actor=actor, name="orders", bindings=[BindingValues(production, target)])
    version.refresh_from_db()
    return version


class TestApi:
    def test_sandbox_and_production_are_there_from_the_start(self, db: None) -> None:
        found = list(Environment.objects.values_list("slug", "environment_class"))
        assert found == [("sandbox", "s"), ("production", "p")]
        assert all(row.public_id.startswith("env_") for row in Environment.objects.all())

    def test_an_api_begins_with_its_document_in_one_step(self, version: ApiVersion) -> None:
        assert (version.major, version.state, version.api.visibility) == (1, "draft", "private")
        assert version.spec is not None
        assert version.spec.operations.count() == 3
        assert events() == ["api.created", "version.created", "version.spec_imported"]

    def test_what_is_left_empty_comes_from_the_document(self, actor: Any, shop: Any) -> None:
        api = begin_api(actor=actor, team=shop, document=SPEC).api
        assert (api.name, api.slug, api.description) == ("Orders", "orders", "Orders of the shop.")

    def test_a_refused_document_leaves_nothing(self, actor: Any, shop: Any) -> None:
        with pytest.raises(SpecNotAccepted):
            begin_api(actor=actor, team=shop, name="Orders", document=b'{"openapi": "3.1.0"}')
        assert not Api.objects.exists()
        assert events() == []

    def test_a_short_name_is_taken_once_per_team(self, actor: Any, shop: Any, version: ApiVersion) -> None:
        with pytest.raises(ValidationError, match="already has an API"):
            create_api(actor=actor, team=shop, name="Orders")

    def test_a_developer_makes_none(self, bob: Any, shop: Any) -> None:
        with pytest.raises(PermissionDenied):
            create_api(actor=actor_of_user(bob), team=shop, name="Orders")

    def test_a_change_that_changes_nothing_records_nothing(self, actor: Any, version: ApiVersion) -> None:
        before = events()
        change_api(version.api, actor=actor, name="Orders", tags=[])
        assert events() == before

    def test_a_change_records_before_and_after(self, actor: Any, version: ApiVersion) -> None:
        change_api(version.api, actor=actor, tags=["Shop ", "shop", "orders"], visibility="public")
        event = AuditEvent.objects.get(name="api.changed")
        assert event.before == {"tags": [], "visibility": "private"}
        assert event.after == {"tags": ["shop", "orders"], "visibility": "public"}

    def test_sharing_twice_is_sharing_once(self, actor: Any, version: ApiVersion, logistics: Any) -> None:
        share_api(version.api, actor=actor, team=logistics)
        share_api(version.api, actor=actor, team=logistics)
        unshare_api(version.api, actor=actor, team=logistics)
        unshare_api(version.api, actor=actor, team=logistics)
        assert events()[-2:] == ["api.shared", "api.unshared"]

    def test_sharing_with_the_own_team_is_refused(self, actor: Any, version: ApiVersion, shop: Any) -> None:
        with pytest.raises(ActionRefused, match="owns the API"):
            share_api(version.api, actor=actor, team=shop)


class TestSpec:
    def test_a_bad_document_tells_every_error_and_saves_nothing(
        self, actor: Any, version: ApiVersion
    ) -> None:
        bad = {**factories.SPEC, "paths": {"orders": {"get": {"responses": {}}}, "/a": {"get": 5}}}
        before = version.spec
        with pytest.raises(SpecNotAccepted) as caught:
            import_spec(version, actor=actor, data=json.dumps(bad, indent=1).encode())
        version.refresh_from_db()
        assert version.spec == before
        assert SpecDocument.objects.count() == 1
        problems = caught.value.problems
        assert len(problems) >= 2
        assert all(problem.line > 0 and problem.pointer and problem.message for problem in problems)

    def test_the_same_content_is_kept_once_per_team(
        self, actor: Any, version: ApiVersion, charlie: Any
    ) -> None:
        second = create_version(version.api, actor=actor)
        kept = import_spec(second, actor=actor, data=SPEC)
        assert kept == version.spec
        other = actor_of_user(charlie)
        team = charlie.memberships.get().team
        begin_api(actor=other, team=team, name="Orders", document=SPEC)
        assert SpecDocument.objects.count() == 2

    def test_yaml_and_json_of_one_content_are_one_document(self, actor: Any, version: ApiVersion) -> None:
        text = b"openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\n"
        first = import_spec(version, actor=actor, data=text)
        again = b'{"openapi":"3.1.0","info":{"title":"T","version":"1"},"paths":{}}'
        assert import_spec(version, actor=actor, data=again) == first

    def test_operations_keep_the_order_of_the_document(self, version: ApiVersion) -> None:
        found = Operation.objects.filter(spec=version.spec).values_list("method", "path", "key")
        assert list(found) == [
            ("GET", "/orders", "listOrders"),
            ("POST", "/orders", "createOrder"),
            ("GET", "/orders/{id}", "getOrder"),
        ]


class TestUpstream:
    def test_an_upstream_is_given_whole_or_not_at_all(self, actor: Any, version: ApiVersion) -> None:
        production = Environment.objects.get(slug="production")
        with pytest.raises(ValidationError, match="Target 1"):
            give_upstream(
                version,
                actor=actor,
                name="orders",
                bindings=[BindingValues(production, [{"url": "http://169.254.169.254/latest"}])],
            )
        assert not Upstream.objects.exists()

    @pytest.mark.parametrize(
        "targets",
        [
            [],
            [{"url": ""}],
            [{"url": "ftp://127.0.0.1/"}],
            [{"url": "http://user:pass@127.0.0.1/"}],
            [{"url": "http://10.0.0.1/"}],
            [{"url": "http://127.0.0.1", "weight": 0}],
            [{"url": "http://127.0.0.1", "weight": True}],
            [{"url": 5}],
        ],
    )
    def test_targets_that_calls_must_not_go_to_are_refused(
        self, actor: Any, shop: Any, targets: list[Any]
    ) -> None:
        upstream = create_upstream(actor=actor, team=shop, name="orders")
        environment = Environment.objects.get(slug="sandbox")
        with pytest.raises(ValidationError):
            set_binding(upstream, actor=actor, environment=environment, targets=targets)
        assert not upstream.bindings.exists()

    def test_setting_the_same_addresses_again_records_nothing(self, actor: Any, version: ApiVersion) -> None:
        ready(version, actor)
        before = events()
        ready_again = version.upstream
        assert ready_again is not None
        set_binding(
            ready_again,
            actor=actor,
            environment=Environment.objects.get(slug="production"),
            targets=[{"url": "http://127.0.0.1:9201/", "weight": 100}],
        )
        assert events() == before

    def test_an_upstream_of_another_team_is_refused(
        self, actor: Any, version: ApiVersion, charlie: Any
    ) -> None:
        team = charlie.memberships.get().team
        foreign = create_upstream(actor=actor_of_user(charlie), team=team, name="foreign")
        with pytest.raises(ActionRefused, match="another team"):
            choose_upstream(version, actor=actor, upstream=foreign)


class TestVersionLife:
    def test_publishing_needs_a_frozen_revision(self, actor: Any, version: ApiVersion) -> None:
        with pytest.raises(ActionRefused, match="no frozen revision"):
            publish_version(version, actor=actor)
        with pytest.raises(ActionRefused, match="no upstream"):
            freeze_revision(version, actor=actor)

    def test_the_whole_life(self, actor: Any, version: ApiVersion) -> None:
        ready(version, actor)
        freeze_revision(version, actor=actor)
        publish_version(version, actor=actor)
        publish_version(version, actor=actor)
        soon = timezone.now().date() + timedelta(days=30)
        deprecate_version(version, actor=actor, sunset_on=soon, note="v2 is out")
        reinstate_version(version, actor=actor)
        deprecate_version(version, actor=actor, sunset_on=soon)
        retired = retire_version(version, actor=actor)
        assert retired.state == "retired"
        assert [name for name in events() if name.startswith("version.")][-5:] == [
            "version.published",
            "version.deprecated",
            "version.published",
            "version.deprecated",
            "version.retired",
        ]
        version.api.refresh_from_db()
        assert version.api.first_published_at is not None

    def test_a_sunset_lies_ahead(self, actor: Any, version: ApiVersion) -> None:
        ready(version, actor)
        freeze_revision(version, actor=actor)
        publish_version(version, actor=actor)
        with pytest.raises(ValidationError, match="future"):
            deprecate_version(version, actor=actor, sunset_on=timezone.now().date())

    def test_freezing_the_same_twice_makes_one_revision(self, actor: Any, version: ApiVersion) -> None:
        ready(version, actor)
        first = freeze_revision(version, actor=actor)
        assert freeze_revision(version, actor=actor) == first
        second = freeze_revision(version, actor=actor, policies={"cors_origins": ["https://a.example"]})
        assert second.number == 2
        assert freeze_revision(version, actor=actor).policies == {"cors_origins": ["https://a.example"]}

    def test_a_retired_version_takes_nothing_more(self, actor: Any, version: ApiVersion) -> None:
        ApiVersion.objects.filter(pk=version.pk).update(state="retired")
        with pytest.raises(ActionRefused, match="retired"):
            import_spec(version, actor=actor, data=SPEC)
        with pytest.raises(ActionRefused, match="retired"):
            freeze_revision(version, actor=actor)
        with pytest.raises(TransitionNotAllowed):
            publish_version(version, actor=actor)

    def test_the_next_version_takes_over_the_upstream(self, actor: Any, version: ApiVersion) -> None:
        ready(version, actor)
        second = create_version(version.api, actor=actor)
        assert (second.major, second.upstream) == (2, version.upstream)


class TestPlan:
    def test_a_draft_is_edited_in_place(self, actor: Any, version: ApiVersion) -> None:
        plan = create_plan(version.api, actor=actor, name="Bronze", limits=LIMITS)
        change_plan(plan, actor=actor, limits=PlanLimits(rate_calls=5, burst=5))
        assert plan.revisions.count() == 1
        assert plan.current is not None
        assert plan.current.rate_calls == 5

    def test_published_limits_never_change(self, actor: Any, version: ApiVersion) -> None:
        plan = create_plan(version.api, actor=actor, name="Bronze", limits=LIMITS, publish=True)
        first = plan.current
        change_plan(plan, actor=actor, limits=PlanLimits(rate_calls=5, burst=5))
        assert first is not None
        first.refresh_from_db()
        assert first.limits == LIMITS
        assert plan.current is not None
        assert (plan.current.number, plan.current.rate_calls) == (2, 5)
        assert plan.current.published_at is not None
        event = AuditEvent.objects.filter(name="plan.changed").get()
        assert event.before == {"revision": 1, "rate_calls": 10, "burst": 20}

    def test_the_same_limits_make_no_revision(self, actor: Any, version: ApiVersion) -> None:
        plan = create_plan(version.api, actor=actor, name="Bronze", limits=LIMITS, publish=True)
        change_plan(plan, actor=actor, limits=LIMITS)
        assert plan.revisions.count() == 1
        assert "plan.changed" not in events()

    def test_offered_deprecated_offered_again_closed(self, actor: Any, version: ApiVersion) -> None:
        plan = create_plan(version.api, actor=actor, name="Bronze", limits=LIMITS)
        publish_plan(plan, actor=actor)
        deprecate_plan(plan, actor=actor)
        publish_plan(plan, actor=actor)
        assert close_plan(plan, actor=actor).state == Plan.State.CLOSED
        with pytest.raises(ActionRefused, match="closed"):
            change_plan(plan, actor=actor, name="Other")
        with pytest.raises(TransitionNotAllowed):
            publish_plan(plan, actor=actor)

    def test_a_day_larger_than_the_month_is_refused(self, actor: Any, version: ApiVersion) -> None:
        with pytest.raises(ValidationError, match="larger than the quota per month"):
            create_plan(
                version.api,
                actor=actor,
                name="Odd",
                limits=PlanLimits(rate_calls=1, burst=1, quota_day=10, quota_month=5),
            )
        assert not Plan.objects.exists()

    def test_the_limits_in_words(self) -> None:
        limits = PlanLimits(rate_calls=10, burst=20, quota_month=10_000)
        assert str(limits) == "at most 20 calls at once, refilled 10 per second; 10,000 a month"


class TestEnvironment:
    def test_only_administrators_make_environments(self, actor: Any, ada: Any, shop: Any) -> None:
        with pytest.raises(PermissionDenied):
            create_environment(actor=actor, name="Staging", environment_class="o")
        made = create_environment(
            actor=actor_of_user(ada), name="Staging", environment_class="o", publishers=[shop]
        )
        assert (made.slug, made.position) == ("staging", 2)
        change_environment(made, actor=actor_of_user(ada), publishers=[])
        event = AuditEvent.objects.get(name="environment.changed")
        assert (event.before, event.after) == ({"publishers": ["shop"]}, {"publishers": []})
