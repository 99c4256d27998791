"""Who finds what in the catalogue, and what a search costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apis.actions import freeze_revision, publish_version
from apis.actions.search import refresh_search
from apis.catalogue import CatalogueFilters, catalogue, look, search_query, with_offer
from apis.models import Api, ApiVersion, Visibility
from teams.models import ANONYMOUS, SYSTEM
from teams.queries import actor_of_user
from tests import factories

type Enter = Callable[[Any], Client]


def offer(team: Any, name: str, **fields: Any) -> Api:
    """A published API that the search knows."""
    version = factories.make_version(factories.make_api(team, name, **fields))
    factories.make_revision(version)
    refresh_search(version.api)
    return version.api


def found(actor: Any, text: str = "", **filters: Any) -> list[str]:
    return [api.name for api in catalogue(actor, CatalogueFilters(text=text, **filters))]


class TestWhoFinds:
    def test_each_sees_what_the_visibility_says(
        self, shop: Any, alice: Any, charlie: Any, dana: Any, logistics: Any, erin: Any, frank: Any
    ) -> None:
        for visibility in Visibility:
            offer(shop, f"{visibility} one", visibility=visibility)
        Api.objects.get(visibility="private").shares.create(team=logistics)
        everything = ["internal one", "private one", "public one"]
        assert found(ANONYMOUS) == ["public one"]
        assert found(actor_of_user(charlie)) == ["internal one", "public one"]
        for person in (alice, dana, erin, frank):
            assert found(actor_of_user(person)) == everything

    def test_drafts_and_retired_apis_are_not_on_offer(self, shop: Any, alice: Any) -> None:
        factories.make_version(factories.make_api(shop, "Draft"), state="draft")
        factories.make_version(factories.make_api(shop, "Retired"), state="retired")
        assert found(actor_of_user(alice)) == []

    def test_an_api_enters_when_its_first_version_is_published(self, shop: Any, alice: Any) -> None:
        version = factories.make_version(factories.make_api(shop, "Orders"), state="draft")
        actor = actor_of_user(alice)
        freeze_revision(version, actor=actor)
        assert found(actor) == []
        publish_version(version, actor=actor)
        assert found(actor, "createorder") == []
        assert found(actor, "create order") == ["Orders"]


class TestSearch:
    @pytest.mark.parametrize(
        "text",
        [
            "orders",
            "ORD",
            "list ord",
            "shop",
            "deliveries",
            "delivery",
            "logist",
            "/orders/{id}",
            "getOrder",
            "é",
        ],
    )
    def test_words_prefixes_stems_tags_and_operations_are_found(self, shop: Any, text: str) -> None:
        offer(shop, "Orders", tags=["logistics"], description="Deliveries of the café é.")
        assert found(SYSTEM, text) == ["Orders"]

    @pytest.mark.parametrize("text", ["weather", "orders weather", "xorders"])
    def test_every_word_must_occur(self, shop: Any, text: str) -> None:
        offer(shop, "Orders")
        assert found(SYSTEM, text) == []

    @pytest.mark.parametrize("text", ["'", "a & b | !", ":*", "\\", "<->", "((", "%", "\x00x", " ", "the"])
    def test_no_text_breaks_the_search(self, shop: Any, text: str) -> None:
        offer(shop, "Orders")
        found(SYSTEM, text)

    def test_a_name_counts_more_than_a_description(self, shop: Any) -> None:
        offer(shop, "Alpha", description="weather")
        offer(shop, "Weather")
        assert found(SYSTEM, "weather") == ["Weather", "Alpha"]

    def test_a_draft_document_is_not_searched(self, shop: Any) -> None:
        api = offer(shop, "Orders")
        secret = {
            **factories.SPEC,
            "paths": {"/unreleased": {"get": {"responses": {"200": {"description": "x"}}}}},
        }
        version = api.versions.get()
        version.spec = factories.make_spec(shop, secret)
        version.save()
        refresh_search(api)
        assert found(SYSTEM, "unreleased") == []

    def test_filters_narrow(self, shop: Any, logistics: Any) -> None:
        offer(shop, "Orders", tags=["a", "b"], visibility="public")
        old = offer(logistics, "Tours", tags=["a"])
        factories.make_plan(old).plan.environments.add(factories.make_environment("sandbox"))
        ApiVersion.objects.filter(api=old).update(state="deprecated", sunset_on="2030-01-01")
        assert found(SYSTEM, tags=("a",)) == ["Orders", "Tours"]
        assert found(SYSTEM, tags=("a", "b")) == ["Orders"]
        assert found(SYSTEM, team="logistics") == ["Tours"]
        assert found(SYSTEM, visibility="public") == ["Orders"]
        assert found(SYSTEM, state="deprecated") == ["Tours"]
        assert found(SYSTEM, environment="sandbox") == ["Tours"]
        assert found(SYSTEM, environment="production") == []

    def test_facets_count_only_what_the_reader_may_see(self, shop: Any, logistics: Any) -> None:
        offer(shop, "Orders", tags=["a"], visibility="public")
        offer(logistics, "Tours", tags=["a", "b"])
        facets = look(ANONYMOUS, CatalogueFilters(), start=0, most=24).facets
        assert [(facet.value, facet.count) for facet in facets.tags] == [("a", 1)]
        assert [(facet.value, facet.count) for facet in facets.teams] == [("shop", 1)]

    def test_cards_cost_three_queries(self, shop: Any, django_assert_num_queries: Any) -> None:
        for number in range(5):
            factories.make_plan(offer(shop, f"Api {number}"))
        with django_assert_num_queries(5):  # apis, versions, plans, their newest limits, their environments
            apis = list(with_offer(catalogue(SYSTEM, CatalogueFilters(text="api"))))
            assert [api.offered_plans[0].newest[0].burst for api in apis] == [20] * 5

    def test_the_index_is_used(self, shop: Any) -> None:
        offer(shop, "Orders")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # with one row it would not be worth it
        assert "api_search" in Api.objects.filter(search=search_query("orders")).explain()


class TestPage:
    def test_signed_out_people_see_public_apis(self, shop: Any, client_of: Enter) -> None:
        offer(shop, "Orders", visibility="public")
        offer(shop, "Inside")
        page = client_of(None).get(reverse("catalogue")).content.decode()
        assert "Orders" in page
        assert "Inside" not in page

    def test_the_filters_stand_in_the_address(self, shop: Any, alice: Any, client_of: Enter) -> None:
        offer(shop, "Orders", tags=["logistics"])
        offer(shop, "Weather", tags=["climate"])
        client = client_of(alice)
        page = client.get(
            reverse("catalogue"), {"q": "ord", "tag": "logistics", "view": "table"}
        ).content.decode()
        assert "Orders" in page
        assert "Weather" not in page
        assert "<table" in page

    def test_nonsense_in_the_address_is_left_out(self, shop: Any, alice: Any, client_of: Enter) -> None:
        offer(shop, "Orders")
        query = {
            "state": "x",
            "visibility": "y",
            "environment": "z",
            "page": "999",
            "view": "<script>",
            "team": "Ü",
        }
        answer = client_of(alice).get(reverse("catalogue"), query)
        assert answer.status_code == 200
        assert "Orders" in answer.content.decode()

    def test_nothing_found_says_how_to_go_on(self, alice: Any, client_of: Enter) -> None:
        page = client_of(alice).get(reverse("catalogue"), {"q": "nothing"}).content.decode()
        assert "Clear filters" in page

    def test_htmx_gets_the_results_alone(self, shop: Any, alice: Any, client_of: Enter) -> None:
        offer(shop, "Orders")
        answer = client_of(alice).get(reverse("catalogue"), headers={"HX-Request": "true"})
        content = answer.content.decode()
        assert "<html" not in content
        assert content.count('id="results"') == 1

    def test_the_page_costs_the_same_however_many_there_are(
        self, shop: Any, alice: Any, client_of: Enter, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(30):
            factories.make_plan(offer(shop, f"Api {number}", tags=[f"t{number}"]))
        client = client_of(alice)
        client.get(reverse("catalogue"))  # the first call of a session notes where it comes from
        with django_assert_max_num_queries(20):
            page = client.get(reverse("catalogue"), {"q": "api"}).content.decode()
        assert "Page 1 of 2" in page

    def test_the_address_leaves_out_what_is_empty(self, alice: Any, client_of: Enter) -> None:
        answer = client_of(alice).get(
            reverse("catalogue"), {"q": "ord", "state": "", "tag": ["a", "b"]}, headers={"HX-Request": "true"}
        )
        assert answer.headers["HX-Push-Url"] == "/catalogue/?q=ord&tag=a&tag=b"
