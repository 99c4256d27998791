"""The pages of apis: what each persona sees, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apis.models import Api, ApiVersion, Environment, Plan, Upstream, Visibility
from tests import factories

type Enter = Callable[[Any], Client]

NOT_FOUND, FORBIDDEN, INVALID = 404, 403, 422


@pytest.fixture
def version(shop: Any) -> ApiVersion:
    """A published version of a private API of Shop, with a plan on offer."""
    api = factories.make_api(
        shop, "Orders", visibility=Visibility.PRIVATE, description="# Hello\n\nSome *text*."
    )
    version = factories.make_version(api)
    factories.make_plan(api, quota_month=10_000, terms="Be **kind**.")
    factories.make_revision(version)
    return version


@pytest.fixture
def draft(shop: Any) -> ApiVersion:
    """A version with nothing in it."""
    return ApiVersion.objects.create(api=factories.make_api(shop, "Draft"), major=1)


def url(name: str, version: ApiVersion, *more: Any) -> str:
    return reverse(name, args=[version.api.team.slug, version.api.slug, *more])


OWN_PAGES = ["version-detail", "version-spec", "version-upstream", "version-deprecate"]
READER_PAGES = ["api-version", "api-reference", "api-plans", "version-openapi"]


class TestReaders:
    @pytest.mark.parametrize("name", READER_PAGES)
    def test_a_private_api_is_nothing_to_outsiders(
        self, name: str, version: ApiVersion, charlie: Any, client_of: Enter
    ) -> None:
        assert client_of(charlie).get(url(name, version, 1)).status_code == NOT_FOUND
        assert client_of(None).get(url(name, version, 1)).status_code == NOT_FOUND

    @pytest.mark.parametrize("name", READER_PAGES)
    @pytest.mark.parametrize("who", ["alice", "bob", "erin", "frank"])
    def test_the_team_and_the_platform_read_it(
        self, name: str, who: str, version: ApiVersion, client_of: Enter, request: Any
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        assert client.get(url(name, version, 1)).status_code == 200

    @pytest.mark.parametrize("name", READER_PAGES)
    def test_a_public_api_is_read_signed_out(self, name: str, version: ApiVersion, client_of: Enter) -> None:
        Api.objects.update(visibility=Visibility.PUBLIC)
        assert client_of(None).get(url(name, version, 1)).status_code == 200

    def test_a_shared_api_is_read_by_that_team(
        self, version: ApiVersion, dana: Any, logistics: Any, client_of: Enter
    ) -> None:
        version.api.shares.create(team=logistics)
        page = client_of(dana).get(url("api-detail", version)).content.decode()
        assert "List orders" in page
        assert "<h3>Hello</h3>" in page
        assert "Manage" not in page

    def test_operations_are_searched(self, version: ApiVersion, alice: Any, client_of: Enter) -> None:
        page = client_of(alice).get(url("api-version", version, 1), {"q": "create"}).content.decode()
        assert "Create an order" in page
        assert "List orders" not in page

    def test_htmx_gets_the_operations_alone(self, version: ApiVersion, alice: Any, client_of: Enter) -> None:
        answer = client_of(alice).get(url("api-version", version, 1), headers={"HX-Request": "true"})
        assert "<html" not in answer.content.decode()
        assert 'id="operations"' in answer.content.decode()

    def test_a_draft_version_is_hidden_from_others(
        self, version: ApiVersion, dana: Any, client_of: Enter
    ) -> None:
        Api.objects.update(visibility=Visibility.PUBLIC)
        ApiVersion.objects.create(api=version.api, major=2)
        client = client_of(dana)
        assert client.get(url("api-version", version, 2)).status_code == NOT_FOUND
        assert "v2" not in client.get(url("api-versions", version)).content.decode()

    def test_readers_see_the_frozen_document_and_not_the_draft(
        self, version: ApiVersion, dana: Any, client_of: Enter
    ) -> None:
        Api.objects.update(visibility=Visibility.PUBLIC)
        changed = {**factories.SPEC, "info": {"title": "Secret plans", "version": "2.0.0"}}
        version.spec = factories.make_spec(version.api.team, changed)
        version.save()
        assert "Secret plans" not in client_of(dana).get(url("version-openapi", version, 1)).content.decode()

    def test_the_document_carries_no_addresses(
        self, version: ApiVersion, alice: Any, client_of: Enter
    ) -> None:
        spec = {**factories.SPEC, "servers": [{"url": "http://backend.internal:8000"}]}
        version.revisions.update(spec=factories.make_spec(version.api.team, spec))
        answer = client_of(alice).get(url("version-openapi", version, 1))
        assert answer.headers["Content-Type"] == "application/json"
        assert "backend.internal" not in answer.content.decode()

    def test_plans_show_limits_and_terms(self, version: ApiVersion, alice: Any, client_of: Enter) -> None:
        page = client_of(alice).get(url("api-plans", version, 1)).content.decode()
        assert "10,000" in page
        assert "<strong>kind</strong>" in page

    def test_draft_plans_are_not_shown(self, version: ApiVersion, alice: Any, client_of: Enter) -> None:
        factories.make_plan(version.api, "Hidden", state=Plan.State.DRAFT)
        assert "Hidden" not in client_of(alice).get(url("api-plans", version, 1)).content.decode()


class TestPublishArea:
    @pytest.mark.parametrize("name", OWN_PAGES)
    def test_outsiders_find_nothing_even_of_a_public_api(
        self, name: str, version: ApiVersion, charlie: Any, client_of: Enter
    ) -> None:
        Api.objects.update(visibility=Visibility.PUBLIC)
        assert client_of(charlie).get(url(name, version, 1)).status_code == NOT_FOUND

    @pytest.mark.parametrize("name", OWN_PAGES)
    def test_signed_out_people_are_asked_to_sign_in(
        self, name: str, version: ApiVersion, client_of: Enter
    ) -> None:
        assert client_of(None).get(url(name, version, 1)).status_code == 302

    def test_a_developer_reads_and_cannot_change(
        self, version: ApiVersion, bob: Any, client_of: Enter
    ) -> None:
        client = client_of(bob)
        page = client.get(url("version-detail", version, 1))
        assert page.status_code == 200
        assert "Replace" not in page.content.decode()
        assert client.get(url("version-spec", version, 1)).status_code == NOT_FOUND
        answer = client.post(
            reverse("upstream-detail", args=[version.upstream.public_id]), {"environment": "sandbox"}
        )
        assert answer.status_code == FORBIDDEN

    def test_a_role_elsewhere_does_not_help(self, version: ApiVersion, bob: Any, client_of: Enter) -> None:
        factories.join(factories.make_team("Own"), bob, "owner")
        client = client_of(bob)
        assert client.get(url("version-spec", version, 1)).status_code == FORBIDDEN
        assert client.post(url("version-retire", version, 1)).status_code == FORBIDDEN

    def test_the_auditor_reads_and_cannot_change(
        self, version: ApiVersion, frank: Any, client_of: Enter
    ) -> None:
        client = client_of(frank)
        assert client.get(url("version-detail", version, 1)).status_code == 200
        assert client.post(url("version-spec", version, 1), {"text": "{}"}).status_code == NOT_FOUND

    def test_the_list_says_what_to_do_first(self, alice: Any, client_of: Enter) -> None:
        assert "Publish your first API" in client_of(alice).get(reverse("publish")).content.decode()

    def test_a_developer_is_told_whom_to_ask(self, bob: Any, client_of: Enter) -> None:
        page = client_of(bob).get(reverse("publish")).content.decode()
        assert "Ask an owner of your team" in page

    def test_the_list_costs_the_same_however_long_it_is(
        self, alice: Any, shop: Any, client_of: Enter, django_assert_max_num_queries: Any
    ) -> None:
        client = client_of(alice)
        for number in range(8):
            version = factories.make_version(factories.make_api(shop, f"Api {number}"))
            factories.make_plan(version.api)
        client.get(reverse("publish"))  # the first call of a session notes where it comes from
        with django_assert_max_num_queries(16):
            assert client.get(reverse("publish")).status_code == 200


class TestCreate:
    def send(self, client: Client, team: Any, **fields: Any) -> Any:
        return client.post(reverse("api-create"), {"team": team.pk, "name": "", "text": "", **fields})

    def test_an_uploaded_document_makes_a_draft(self, alice: Any, shop: Any, client_of: Enter) -> None:
        upload = SimpleUploadedFile("orders.json", json.dumps(factories.SPEC).encode())
        answer = self.send(client_of(alice), shop, file=upload)
        version = ApiVersion.objects.get()
        assert answer.status_code == 302
        assert answer.url == url("version-detail", version, 1)
        assert (version.api.name, version.spec.filename) == ("Orders", "orders.json")

    def test_a_name_alone_is_enough(self, alice: Any, shop: Any, client_of: Enter) -> None:
        assert self.send(client_of(alice), shop, name="Weather").status_code == 302
        assert ApiVersion.objects.get().spec is None

    def test_neither_is_refused(self, alice: Any, shop: Any, client_of: Enter) -> None:
        answer = self.send(client_of(alice), shop)
        assert answer.status_code == INVALID
        assert "Give a name, or a document" in answer.content.decode()

    def test_checking_fills_the_form_and_saves_nothing(self, alice: Any, shop: Any, client_of: Enter) -> None:
        upload = SimpleUploadedFile("orders.json", json.dumps(factories.SPEC).encode())
        answer = self.send(client_of(alice), shop, file=upload, check="1")
        page = answer.content.decode()
        assert answer.status_code == 200
        assert 'value="Orders"' in page
        assert "listOrders" in page
        assert "Nothing is saved yet" in page
        assert not Api.objects.exists()

    def test_every_error_is_shown_with_its_line(self, alice: Any, shop: Any, client_of: Enter) -> None:
        bad = "openapi: 3.1.0\ninfo:\n  title: T\npaths:\n  orders:\n    get: {}\n"
        answer = self.send(client_of(alice), shop, text=bad, name="T")
        page = answer.content.decode()
        assert answer.status_code == INVALID
        assert "/paths/orders" in page
        assert "/info" in page
        assert "openapi: 3.1.0" in page, "what was typed stays"
        assert not Api.objects.exists()

    def test_a_team_of_others_is_no_choice(self, alice: Any, charlie: Any, client_of: Enter) -> None:
        team = charlie.memberships.get().team
        assert self.send(client_of(alice), team, name="Orders").status_code == INVALID

    def test_the_short_name_is_told_when_it_is_taken(
        self, alice: Any, shop: Any, version: ApiVersion, client_of: Enter
    ) -> None:
        answer = self.send(client_of(alice), shop, name="Orders")
        assert answer.status_code == INVALID
        assert "already has an API with this short name" in answer.content.decode()


class TestFlow:
    def test_the_next_step_is_one_until_all_is_there(
        self, draft: ApiVersion, alice: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        page = url("version-detail", draft, 1)
        assert "Add the document" in client.get(page).content.decode()
        client.post(url("version-spec", draft, 1), {"text": json.dumps(factories.SPEC)})
        assert "Say where calls go" in client.get(page).content.decode()
        client.post(
            url("version-upstream", draft, 1),
            {"name": "orders", "url_production": "http://127.0.0.1:9201", "url_sandbox": ""},
        )
        assert "Add a plan" in client.get(page).content.decode()
        plan = {"name": "Bronze", "rate_calls": 10, "rate_period_s": 1, "burst": 20, "approval": "manual"}
        answer = client.post(url("plan-create", draft), {**plan, "currency": "EUR", "publish": "1"})
        assert answer.status_code == 302
        content = client.get(page).content.decode()
        assert "Published to a gateway" in content
        assert content.count('aria-current="step"') == 1
        draft.refresh_from_db()
        binding = draft.upstream.bindings.get()
        assert binding.environment.slug == "production"

    def test_replacing_says_what_changes_before_it_is_saved(
        self, version: ApiVersion, alice: Any, client_of: Enter
    ) -> None:
        paths = {
            "/orders": factories.SPEC["paths"]["/orders"],
            "/new": {"get": {"responses": {"200": {"description": "x"}}}},
        }
        text = json.dumps({**factories.SPEC, "paths": paths})
        client = client_of(alice)
        checked = client.post(url("version-spec", version, 1), {"text": text, "check": "1"})
        page = checked.content.decode()
        assert "1 operation added" in page
        assert "GET /new" in page
        assert "1 operation removed" in page
        assert "GET /orders/{id}" in page
        before = version.spec
        version.refresh_from_db()
        assert version.spec == before
        saved = client.post(url("version-spec", version, 1), {"text": text}, follow=True)
        assert "1 operations added, 0 changed, 1 removed" in saved.content.decode()
        assert "Callers get the change when you publish again" in saved.content.decode()

    def test_a_bad_address_stands_beside_its_field(
        self, draft: ApiVersion, alice: Any, client_of: Enter
    ) -> None:
        answer = client_of(alice).post(
            url("version-upstream", draft, 1), {"name": "orders", "url_production": "http://169.254.169.254"}
        )
        assert answer.status_code == INVALID
        assert "not a public address" in answer.content.decode()
        assert not Upstream.objects.exists()

    def test_an_upstream_of_the_team_can_be_chosen(
        self, draft: ApiVersion, alice: Any, shop: Any, client_of: Enter
    ) -> None:
        upstream = factories.make_upstream(shop, name="shared")
        foreign = factories.make_upstream(factories.make_team(), name="foreign")
        client = client_of(alice)
        page = url("version-upstream", draft, 1)
        assert client.post(page, {"choose": "1", "upstream": foreign.public_id}).status_code == INVALID
        assert client.post(page, {"choose": "1", "upstream": upstream.public_id}).status_code == 302
        draft.refresh_from_db()
        assert draft.upstream == upstream


class TestUpstreamPage:
    def fields(self, *urls: str, total: int | None = None, **more: Any) -> dict[str, Any]:
        rows = {f"production-targets-{n}-url": target for n, target in enumerate(urls)}
        return {
            "environment": "production",
            "production-targets-TOTAL_FORMS": len(urls) if total is None else total,
            "production-targets-INITIAL_FORMS": 0,
            "production-timeout_ms": 5000,
            "production-connect_timeout_ms": 1000,
            "production-health_path": "/healthz",
            **rows,
            **more,
        }

    def test_addresses_are_set_per_environment(self, alice: Any, shop: Any, client_of: Enter) -> None:
        upstream = factories.make_upstream(shop)
        page = reverse("upstream-detail", args=[upstream.public_id])
        sent = self.fields("http://127.0.0.1:9201", "", "http://127.0.0.1:9202")
        assert client_of(alice).post(page, sent | {"production-targets-2-weight": 50}).status_code == 302
        binding = upstream.bindings.get(environment__slug="production")
        assert binding.targets == [
            {"url": "http://127.0.0.1:9201", "weight": 100},
            {"url": "http://127.0.0.1:9202", "weight": 50},
        ]
        assert (binding.timeout_ms, binding.health_path) == (5000, "/healthz")

    def test_another_row_comes_without_scripts_and_saves_nothing(
        self, alice: Any, shop: Any, client_of: Enter
    ) -> None:
        upstream = factories.make_upstream(shop)
        page = reverse("upstream-detail", args=[upstream.public_id])
        answer = client_of(alice).post(page, self.fields("http://127.0.0.1:1") | {"add": "1"})
        content = answer.content.decode()
        assert answer.status_code == 200
        assert "production-targets-1-url" in content
        assert 'value="http://127.0.0.1:1"' in content
        assert upstream.bindings.get(environment__slug="production").targets[0]["url"] != "http://127.0.0.1:1"

    def test_a_refused_address_is_named(self, alice: Any, shop: Any, client_of: Enter) -> None:
        upstream = factories.make_upstream(shop)
        page = reverse("upstream-detail", args=[upstream.public_id])
        answer = client_of(alice).post(page, self.fields("http://127.0.0.1:9201", "http://10.1.2.3"))
        assert answer.status_code == INVALID
        assert "Target 2" in answer.content.decode()

    def test_addresses_are_no_business_of_others(self, shop: Any, charlie: Any, client_of: Enter) -> None:
        upstream = factories.make_upstream(shop)
        page = reverse("upstream-detail", args=[upstream.public_id])
        assert client_of(charlie).get(page).status_code == NOT_FOUND


class TestPlanPages:
    def fields(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "Gold",
            "rate_calls": 50,
            "rate_period_s": 1,
            "burst": 100,
            "approval": "automatic",
            "currency": "EUR",
            "price": "12.50",
            **more,
        }

    def test_a_published_plan_says_who_keeps_what(
        self, version: ApiVersion, alice: Any, client_of: Enter
    ) -> None:
        page = client_of(alice).get(url("plan-detail", version, "bronze")).content.decode()
        assert "Existing subscriptions keep the limits" in page

    def test_saving_a_published_plan_makes_a_revision(
        self, version: ApiVersion, alice: Any, client_of: Enter
    ) -> None:
        answer = client_of(alice).post(url("plan-detail", version, "bronze"), self.fields(name="Bronze"))
        assert answer.status_code == 302
        newest = Plan.objects.get().current
        assert (newest.number, newest.price_nano) == (2, 12_500_000_000)

    def test_the_sentence_follows_the_form(self, alice: Any, client_of: Enter) -> None:
        answer = client_of(alice).get(
            reverse("plan-sentence"), {"rate_calls": 10, "rate_period_s": 60, "burst": 20, "quota_day": ""}
        )
        assert "At most 20 calls at once, refilled 10 per minute; no quota" in answer.content.decode()

    def test_a_quota_that_makes_no_sense_is_refused(
        self, version: ApiVersion, alice: Any, client_of: Enter
    ) -> None:
        answer = client_of(alice).post(url("plan-create", version), self.fields(quota_day=10, quota_month=5))
        assert answer.status_code == INVALID
        assert "More than the quota per month" in answer.content.decode()

    @pytest.mark.parametrize(("move", "state"), [("deprecate", "deprecated"), ("close", "closed")])
    def test_a_plan_is_ended_after_a_question(
        self, move: str, state: str, version: ApiVersion, alice: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        page = url("plan-move", version, "bronze", move)
        assert client.get(page).status_code == 200
        assert client.post(page).status_code == 302
        assert Plan.objects.get().state == state

    def test_an_illegal_move_is_said(self, version: ApiVersion, alice: Any, client_of: Enter) -> None:
        answer = client_of(alice).post(url("plan-move", version, "bronze", "publish"))
        assert answer.status_code == 409

    def test_a_developer_cannot_save(self, version: ApiVersion, bob: Any, client_of: Enter) -> None:
        client = client_of(bob)
        page = url("plan-detail", version, "bronze")
        assert client.get(page).status_code == 200
        assert client.post(page, self.fields()).status_code == FORBIDDEN


class TestEnd:
    def test_deprecate_reinstate_retire(self, version: ApiVersion, alice: Any, client_of: Enter) -> None:
        client = client_of(alice)
        day = timezone.now().date() + timedelta(days=90)
        for name, fields, state in (
            ("version-deprecate", {"sunset_on": day.isoformat()}, "deprecated"),
            ("version-reinstate", {}, "published"),
            ("version-deprecate", {"sunset_on": day.isoformat()}, "deprecated"),
            ("version-retire", {"note": "gone"}, "retired"),
        ):
            assert client.get(url(name, version, 1)).status_code == 200
            assert client.post(url(name, version, 1), fields).status_code == 302
            version.refresh_from_db()
            assert version.state == state
        assert client.get(url("version-detail", version, 1)).status_code == 200

    def test_a_sunset_in_the_past_is_refused(self, version: ApiVersion, alice: Any, client_of: Enter) -> None:
        answer = client_of(alice).post(url("version-deprecate", version, 1), {"sunset_on": "2020-01-01"})
        assert answer.status_code == INVALID
        assert "Choose a day in the future" in answer.content.decode()


class TestSettings:
    def test_visibility_tags_and_sharing(
        self, version: ApiVersion, alice: Any, logistics: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        fields = {
            "name": "Orders",
            "tags": "Shop, orders",
            "visibility": "public",
            "summary": "",
            "description": "",
        }
        assert client.post(url("api-edit", version), fields).status_code == 302
        api = Api.objects.get()
        assert (api.visibility, api.tags) == ("public", ["shop", "orders"])
        assert client.post(url("api-share", version), {"team": "logistics"}).status_code == 302
        assert "Logistics" in client.get(url("api-settings", version)).content.decode()
        assert client.post(url("api-unshare", version, "logistics")).status_code == 302
        assert not api.shares.exists()
        assert client.post(url("api-share", version), {"team": "nobody"}).status_code == INVALID

    def test_a_new_version_is_one_click(self, version: ApiVersion, alice: Any, client_of: Enter) -> None:
        client = client_of(alice)
        assert client.get(url("version-create", version)).status_code == 200
        assert client.post(url("version-create", version)).url == url("version-detail", version, 2)


class TestEnvironments:
    def test_administrators_set_them_up(self, ada: Any, alice: Any, client_of: Enter) -> None:
        assert client_of(alice).get(reverse("environment-list")).status_code == 200
        assert client_of(alice).get(reverse("environment-create")).status_code == NOT_FOUND
        client = client_of(ada)
        made = client.post(reverse("environment-create"), {"name": "Staging", "environment_class": "o"})
        assert made.status_code == 302
        edited = client.post(reverse("environment-edit", args=["staging"]), {"name": "Stage", "position": 5})
        assert edited.status_code == 302
        assert Environment.objects.get(slug="staging").name == "Stage"
