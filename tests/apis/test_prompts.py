"""A prompt is offered as an API from its page, and the page tells of it from then on."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from ai.models import Prompt
from apis.models import ApiVersion, Upstream
from teams.models import Team, User
from tests import factories
from tests.ai import factories as ai

pytestmark = pytest.mark.django_db


@pytest.fixture
def prompt(shop: Team) -> Prompt:
    """A prompt of Shop with a version that is labelled production."""
    for slug in ("sandbox", "production"):
        factories.make_environment(slug)
    prompt = ai.make_prompt(shop, "Summary")
    ai.make_label(ai.make_prompt_version(prompt))
    return prompt


def url(name: str, prompt: Prompt) -> str:
    return reverse(name, args=[prompt.team.slug, prompt.slug])


def test_an_owner_offers_a_prompt_from_its_page(prompt: Prompt, alice: User, client_of: Any) -> None:
    client = client_of(alice)
    detail = client.get(url("prompt-detail", prompt)).content.decode()
    assert url("prompt-offer", prompt) in detail
    assert "No API yet" in client.get(url("prompt-uses", prompt)).content.decode()
    body = {"name": "Summaries", "slug": "summaries", "label_production": "production"}
    made = client.post(url("prompt-offer", prompt), body)
    version = ApiVersion.objects.get()
    assert made.url == reverse("version-detail", args=["shop", "summaries", 1])
    assert (version.upstream and version.upstream.prompt) == prompt
    assert version.spec is not None
    assert (
        "Summaries v1"
        in client.get(url("prompt-uses", prompt), headers={"HX-Request": "true"}).content.decode()
    )


def test_what_cannot_be_offered_is_said(prompt: Prompt, alice: User, client_of: Any) -> None:
    client = client_of(alice)
    nowhere = client.post(url("prompt-offer", prompt), {"name": "Summaries", "slug": "summaries"})
    assert nowhere.status_code == 422
    assert not Upstream.objects.exists()
    prompt.labels.all().delete()
    assert (
        "No version of this prompt has a label yet"
        in client.get(url("prompt-offer", prompt)).content.decode()
    )
    assert "Offer as an API" not in client.get(url("prompt-detail", prompt)).content.decode()


@pytest.mark.parametrize("name", ["prompt-offer", "prompt-uses"])
def test_an_outsider_finds_no_prompt(prompt: Prompt, charlie: User, client_of: Any, name: str) -> None:
    assert client_of(charlie).get(url(name, prompt)).status_code == 404


def test_a_published_api_keeps_what_its_document_promises(
    prompt: Prompt, alice: User, client_of: Any
) -> None:
    client = client_of(alice)
    client.post(
        url("prompt-offer", prompt),
        {"name": "Summaries", "slug": "summaries", "label_production": "production"},
    )
    upstream = Upstream.objects.get()
    same = ai.make_prompt_version(prompt, parameters={"temperature": 0})
    other = ai.make_prompt_version(prompt, output_schema={"type": "object"})
    ai.make_label(same, "calm")
    ai.make_label(other, "shaped")
    page = reverse("upstream-detail", args=[upstream.public_id])
    for environment in ("production", "sandbox"):
        refused = client.post(page, {"environment": environment, f"{environment}-label": "shaped"})
        assert refused.status_code == 422
        assert "Offer the prompt as another API by this label" in refused.content.decode()
    assert client.post(page, {"environment": "production", "production-label": "calm"}).status_code == 302
    assert {binding.prompt_label for binding in upstream.bindings.all()} == {"calm"}


def test_the_page_to_publish_leads_to_prompts(prompt: Prompt, alice: User, client_of: Any) -> None:
    for name in ("publish", "api-create"):
        assert reverse("prompts") in client_of(alice).get(reverse(name)).content.decode().split("<main", 1)[1]
