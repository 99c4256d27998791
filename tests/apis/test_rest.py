"""The REST resources of apis: the same rights as the pages, problems that say what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from apis.actions.search import refresh_search
from apis.models import Api, ApiVersion, Environment, Plan, PlanRevision, SpecDocument, Visibility
from tests import factories

type Enter = Callable[..., APIClient]

ROOT = "/api/v1"
ORDERS = f"{ROOT}/apis/shop/orders"
V1 = f"{ORDERS}/versions/1"


@pytest.fixture
def version(shop: Any) -> ApiVersion:
    """A published version of a private API of Shop, with a plan on offer."""
    version = factories.make_version(factories.make_api(shop, "Orders", visibility=Visibility.PRIVATE))
    factories.make_plan(version.api)
    factories.make_revision(version)
    refresh_search(version.api)
    return version


class TestGoldenPath:
    def test_from_nothing_to_a_published_plan(self, alice: Any, api_of: Enter) -> None:
        client = api_of(alice)
        made = client.post(
            f"{ROOT}/apis", {"team": "shop", "name": "Orders", "tags": ["a"], "visibility": "public"}
        )
        assert made.status_code == 201
        assert made.data["slug"] == "orders"
        assert made.headers["ETag"] == '"1"'
        assert client.post(f"{ORDERS}/versions", {}).data["major"] == 1
        spec = client.put(f"{V1}/spec", json.dumps(factories.SPEC), content_type="application/json")
        assert spec.status_code == 200
        assert (spec.data["title"], spec.data["operations"]) == ("Orders", 3)
        assert spec.data["changes"]["added"] == ["GET /orders", "POST /orders", "GET /orders/{id}"]
        upstream = client.post(f"{ROOT}/upstreams", {"team": "shop", "name": "orders"}).data["id"]
        bound = client.put(
            f"{ROOT}/upstreams/{upstream}/bindings/production",
            {"targets": [{"url": "http://127.0.0.1:9201"}]},
        )
        assert bound.data["bindings"][0]["targets"] == [{"url": "http://127.0.0.1:9201", "weight": 100}]
        assert client.put(f"{V1}/upstream", {"upstream": upstream}).data["upstream"] == upstream
        revision = client.post(f"{V1}/revisions", {"cors_origins": ["https://a.example"]})
        assert (revision.status_code, revision.data["number"]) == (201, 1)
        plan = client.post(f"{ORDERS}/plans", {"name": "Bronze", "rate_calls": 10, "burst": 20})
        assert (plan.status_code, plan.data["state"]) == (201, "draft")
        published = client.post(f"{ORDERS}/plans/bronze/publish")
        assert (published.status_code, published.data["state"]) == (200, "published")
        assert published.data["revision"]["published_at"]

    def test_the_end_of_a_version(self, version: ApiVersion, alice: Any, api_of: Enter) -> None:
        client = api_of(alice)
        day = (timezone.now().date() + timedelta(days=30)).isoformat()
        assert client.post(f"{V1}/deprecate", {"sunset_on": day}).data["state"] == "deprecated"
        assert client.post(f"{V1}/reinstate", {}).data["state"] == "published"
        refused = client.post(f"{V1}/retire", {})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:gatehouse:transition_not_allowed")
        client.post(f"{V1}/deprecate", {"sunset_on": day})
        assert client.post(f"{V1}/retire", {}).data["state"] == "retired"


class TestSpec:
    BAD = "openapi: 3.1.0\ninfo:\n  title: T\npaths:\n  orders:\n    get: {}\n"

    def test_every_error_carries_pointer_line_and_code(
        self, version: ApiVersion, alice: Any, api_of: Enter
    ) -> None:
        answer = api_of(alice).put(f"{V1}/spec", self.BAD, content_type="application/yaml")
        problem = answer.json()
        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert problem["type"] == "urn:gatehouse:spec_invalid"
        assert len(problem["errors"]) >= 2
        for error in problem["errors"]:
            assert set(error) == {"field", "line", "column", "code", "message"}
        assert any(error["field"].startswith("/paths") and error["line"] == 5 for error in problem["errors"])
        assert SpecDocument.objects.count() == 1

    @pytest.mark.parametrize("content_type", ["application/yaml", "text/yaml", "application/octet-stream"])
    def test_yaml_is_taken_however_it_is_called(
        self, content_type: str, version: ApiVersion, alice: Any, api_of: Enter
    ) -> None:
        text = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\n"
        answer = api_of(alice).put(f"{V1}/spec", text, content_type=content_type)
        assert (answer.status_code, answer.data["title"]) == (200, "T")

    def test_a_file_is_taken(self, version: ApiVersion, alice: Any, api_of: Enter) -> None:
        upload = SimpleUploadedFile("orders.json", json.dumps(factories.SPEC).encode())
        answer = api_of(alice).put(f"{V1}/spec", {"file": upload}, format="multipart")
        assert answer.status_code == 200

    def test_no_file_is_refused(self, version: ApiVersion, alice: Any, api_of: Enter) -> None:
        answer = api_of(alice).put(f"{V1}/spec", {"other": "x"}, format="multipart")
        assert answer.status_code == 422

    def test_a_dry_run_tells_and_saves_nothing(self, version: ApiVersion, alice: Any, api_of: Enter) -> None:
        text = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\n"
        answer = api_of(alice).put(f"{V1}/spec?dry_run=true", text, content_type="application/yaml")
        assert answer.data["id"] is None
        assert len(answer.data["changes"]["removed"]) == 3
        assert SpecDocument.objects.count() == 1

    def test_outsiders_read_the_frozen_document_only(
        self, version: ApiVersion, dana: Any, alice: Any, api_of: Enter
    ) -> None:
        Api.objects.update(visibility=Visibility.PUBLIC)
        changed = {**factories.SPEC, "info": {"title": "Next", "version": "2"}}
        version.spec = factories.make_spec(version.api.team, changed)
        version.save()
        assert api_of(dana).get(f"{V1}/spec").json()["info"]["title"] == "Orders"
        assert api_of(dana).get(f"{V1}/spec?draft=true").status_code == 404
        assert api_of(alice).get(f"{V1}/spec?draft=true").json()["info"]["title"] == "Next"


class TestRights:
    READS = [ORDERS, f"{ORDERS}/versions", V1, f"{V1}/spec", f"{ORDERS}/plans", f"{ORDERS}/plans/bronze"]
    WRITES = [
        ("patch", ORDERS, {"name": "X"}),
        ("post", f"{ORDERS}/versions", {}),
        ("put", f"{V1}/spec", {}),
        ("put", f"{V1}/upstream", {"upstream": "ups_x"}),
        ("post", f"{V1}/revisions", {}),
        ("post", f"{V1}/deprecate", {"sunset_on": "2030-01-01"}),
        ("post", f"{V1}/reinstate", {}),
        ("post", f"{V1}/retire", {}),
        ("post", f"{ORDERS}/plans", {"name": "X", "rate_calls": 1, "burst": 1}),
        ("patch", f"{ORDERS}/plans/bronze", {"name": "X"}),
        ("post", f"{ORDERS}/plans/bronze/publish", None),
        ("post", f"{ORDERS}/plans/bronze/deprecate", {}),
        ("post", f"{ORDERS}/plans/bronze/close", {}),
        ("post", f"{ORDERS}/shares", {"team": "logistics"}),
    ]

    @pytest.mark.parametrize("path", READS)
    def test_a_private_api_is_nothing_to_outsiders(
        self, path: str, version: ApiVersion, charlie: Any, api_of: Enter
    ) -> None:
        assert api_of(charlie).get(path).status_code == 404
        assert api_of(None).get(path).status_code == 404

    @pytest.mark.parametrize("path", READS)
    @pytest.mark.parametrize("who", ["alice", "bob", "erin", "frank"])
    def test_the_team_and_the_platform_read(
        self, path: str, who: str, version: ApiVersion, api_of: Enter, request: Any
    ) -> None:
        assert api_of(request.getfixturevalue(who)).get(path).status_code == 200

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_outsiders_change_nothing_even_where_they_read(
        self, method: str, path: str, body: Any, version: ApiVersion, charlie: Any, api_of: Enter
    ) -> None:
        Api.objects.update(visibility=Visibility.PUBLIC)
        answer = getattr(api_of(charlie), method)(path, body)
        assert answer.status_code in (403, 404)
        assert self.state(version) == ("Orders", "published", "published", 1, 1)

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    @pytest.mark.parametrize("who", ["bob", "frank"])
    def test_roles_that_may_only_read_are_told_so(
        self, who: str, method: str, path: str, body: Any, version: ApiVersion, api_of: Enter, request: Any
    ) -> None:
        answer = getattr(api_of(request.getfixturevalue(who)), method)(path, body)
        assert answer.status_code in (403, 404)
        assert self.state(version) == ("Orders", "published", "published", 1, 1)

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_a_token_without_the_scope_changes_nothing(
        self, method: str, path: str, body: Any, version: ApiVersion, alice: Any, api_of: Enter
    ) -> None:
        answer = getattr(api_of(alice, scopes=["read"]), method)(path, body)
        assert answer.status_code == 403
        assert "apis:write" in answer.json()["detail"]

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_nobody_changes_anything_without_a_token(
        self, method: str, path: str, body: Any, version: ApiVersion, api_of: Enter
    ) -> None:
        assert getattr(api_of(None), method)(path, body).status_code == 401

    def state(self, version: ApiVersion) -> tuple[Any, ...]:
        version.refresh_from_db()
        plan = Plan.objects.get()
        return (
            version.api.name,
            version.state,
            plan.state,
            version.revisions.count(),
            PlanRevision.objects.count(),
        )

    def test_upstreams_are_told_to_their_team_only(
        self, version: ApiVersion, alice: Any, charlie: Any, api_of: Enter
    ) -> None:
        Api.objects.update(visibility=Visibility.PUBLIC)
        assert version.upstream is not None
        path = f"{ROOT}/upstreams/{version.upstream.public_id}"
        assert api_of(alice).get(path).status_code == 200
        assert api_of(charlie).get(path).status_code == 404
        assert api_of(charlie).get(V1).data["upstream"] is None
        assert api_of(charlie).get(V1).data["draft_spec"] is None
        assert api_of(charlie).get(f"{V1}/revisions").status_code == 404
        assert api_of(charlie).get(f"{ORDERS}/shares").status_code == 404

    def test_environments_are_set_up_by_administrators(self, ada: Any, alice: Any, api_of: Enter) -> None:
        new = {"name": "Staging", "environment_class": "o", "publishers": ["shop"]}
        assert api_of(alice).post(f"{ROOT}/environments", new).status_code == 403
        assert api_of(ada).post(f"{ROOT}/environments", new).status_code == 201
        changed = api_of(ada).patch(f"{ROOT}/environments/staging", {"publishers": []})
        assert changed.data["publishers"] == []
        assert api_of(ada).patch(f"{ROOT}/environments/staging", {"publishers": ["x"]}).status_code == 422
        listed = [row["slug"] for row in api_of(alice).get(f"{ROOT}/environments").data["results"]]
        assert listed == ["sandbox", "production", "staging"]


class TestAnswers:
    def test_unlisted_fields_are_left_alone(self, version: ApiVersion, alice: Any, api_of: Enter) -> None:
        before = Api.objects.values().get()
        body = {
            "id": 1,
            "public_id": "api_x",
            "team": "logistics",
            "slug": "x",
            "first_published_at": None,
            "search": "",
        }
        answer = api_of(alice).patch(ORDERS, body)
        assert answer.status_code == 200
        assert Api.objects.values().get() == before

    def test_a_stale_version_is_refused(self, version: ApiVersion, alice: Any, api_of: Enter) -> None:
        client = api_of(alice)
        tag = client.get(ORDERS).headers["ETag"]
        answer = client.patch(ORDERS, {"name": "New"}, headers={"If-Match": '"99"'})
        assert answer.status_code == 412
        assert client.patch(ORDERS, {"name": "New"}, headers={"If-Match": tag}).data["name"] == "New"

    def test_a_refused_address_names_its_field(self, version: ApiVersion, alice: Any, api_of: Enter) -> None:
        assert version.upstream is not None
        answer = api_of(alice).put(
            f"{ROOT}/upstreams/{version.upstream.public_id}/bindings/sandbox",
            {"targets": [{"url": "http://169.254.169.254/"}]},
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "/targets"

    def test_changed_limits_make_a_revision(self, version: ApiVersion, alice: Any, api_of: Enter) -> None:
        answer = api_of(alice).patch(f"{ORDERS}/plans/bronze", {"burst": 99})
        assert (answer.data["revision"]["number"], answer.data["revision"]["burst"]) == (2, 99)
        assert answer.data["revision"]["rate_calls"] == 10

    def test_the_catalogue_is_searched_page_by_page(self, shop: Any, alice: Any, api_of: Enter) -> None:
        for number in range(5):
            api = factories.make_version(factories.make_api(shop, f"Orders {number}")).api
            factories.make_plan(api)
            refresh_search(api)
        client = api_of(alice)
        seen: list[str] = []
        url = f"{ROOT}/catalogue?q=orders&limit=2"
        while url:
            answer = client.get(url).json()
            seen += [row["slug"] for row in answer["results"]]
            url = answer["next"]
        assert sorted(seen) == [f"orders-{number}" for number in range(5)]
        first = client.get(f"{ROOT}/catalogue?q=orders").json()["results"][0]
        assert first["versions"] == [{"major": 1, "state": "published"}]
        assert first["plans"][0]["revision"]["burst"] == 20
        assert client.get(f"{ROOT}/catalogue?state=nonsense").status_code == 422

    def test_lists_cost_the_same_however_long(
        self, shop: Any, alice: Any, api_of: Enter, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(6):
            version = factories.make_version(factories.make_api(shop, f"Api {number}"))
            factories.make_revision(version)
            for name in ("A", "B", "C"):
                factories.make_plan(version.api, name)
        client = api_of(alice)
        for path in (
            "/apis",
            "/catalogue",
            "/upstreams",
            "/environments",
            "/apis/shop/api-0/plans",
            "/apis/shop/api-0/versions",
        ):
            with django_assert_max_num_queries(9):
                assert client.get(f"{ROOT}{path}").status_code == 200

    def test_sharing(self, version: ApiVersion, alice: Any, dana: Any, logistics: Any, api_of: Enter) -> None:
        client = api_of(alice)
        assert client.post(f"{ORDERS}/shares", {"team": "logistics"}).status_code == 201
        assert api_of(dana).get(ORDERS).status_code == 200
        assert client.delete(f"{ORDERS}/shares/logistics").status_code == 204
        assert api_of(dana).get(ORDERS).status_code == 404


def test_environments_of_a_plan_are_named_by_short_name(
    version: ApiVersion, alice: Any, api_of: Enter
) -> None:
    client = api_of(alice)
    body = {"name": "Sand", "rate_calls": 1, "burst": 1, "environments": ["sandbox"]}
    assert client.post(f"{ORDERS}/plans", body).data["environments"] == ["sandbox"]
    assert client.post(f"{ORDERS}/plans", {**body, "name": "X", "environments": ["moon"]}).status_code == 422
    assert Environment.objects.count() == 2
