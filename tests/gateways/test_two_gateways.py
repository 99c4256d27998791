"""An API on Envoy and on nginx: chosen together, and told apart where they cannot do the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apis.models import ApiVersion
from gateways.models import Gateway, Publication
from gateways.queries.capabilities import shortfalls_of
from teams.models import User
from tests import factories

pytestmark = pytest.mark.django_db

Enter = Callable[[User | None], Client]


@pytest.fixture
def both(db: None) -> tuple[Gateway, Gateway]:
    return factories.make_gateway("edge", Gateway.Kind.ENVOY), factories.make_gateway(
        "second", Gateway.Kind.NGINX
    )


def test_what_nginx_cannot_do_is_said_before_publishing(both: tuple[Gateway, Gateway]) -> None:
    envoy, nginx = both
    assert shortfalls_of(envoy, None) == []
    words = " ".join(map(str, shortfalls_of(nginx, None)))
    assert "one call a minute" in words
    assert "what is left of the rate" in words
    assert "ended after 10 seconds" in words


def test_an_upstreams_health_is_checked_by_envoy_alone(
    both: tuple[Gateway, Gateway], orders: ApiVersion
) -> None:
    assert orders.upstream is not None
    binding = orders.upstream.bindings.first()
    assert binding is not None
    binding.health_path = "/healthz"
    envoy, nginx = both
    assert shortfalls_of(envoy, binding) == []
    assert any("health" in str(words) for words in shortfalls_of(nginx, binding))


def test_both_are_chosen_at_first_and_published_to_at_once(
    both: tuple[Gateway, Gateway], orders: ApiVersion, alice: User, client_of: Enter
) -> None:
    url = reverse("publication-create", args=[orders.api.team.slug, orders.api.slug, orders.major])
    browser = client_of(alice)
    form = " ".join(browser.get(url).content.decode().split())
    places = [f"{gateway.slug}.{place}" for gateway in both for place in ("production", "sandbox")]
    for place in places:
        assert f'value="{place}" checked' in form
    assert "nginx" in form
    assert browser.post(url, {"places": places}).status_code == 302
    assert {publication.gateway for publication in Publication.objects.all()} == set(both)


def test_more_gateways_than_two_are_chosen_by_hand(
    both: tuple[Gateway, Gateway], orders: ApiVersion, alice: User, client_of: Enter
) -> None:
    factories.make_gateway("third", Gateway.Kind.NGINX)
    url = reverse("publication-create", args=[orders.api.team.slug, orders.api.slug, orders.major])
    form = " ".join(client_of(alice).get(url).content.decode().split())
    assert 'value="edge.production"' in form
    assert 'production" checked' not in form
