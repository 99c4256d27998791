"""R11 as people and programs meet it: the page, one finding, the three actions, and the same over REST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from gateways.actions import inspect_after_push, inspect_gateway, reconcile
from gateways.drivers.memory import memory_gateway
from gateways.engine.document import Kind, Ref, Upstream
from gateways.models import Deployment, DriftFinding, Gateway, Publication
from teams.models import TeamRole, User
from teams.permissions import Scope
from tests import factories

pytestmark = pytest.mark.django_db

Enter = Callable[[User | None], Client]
Api = Callable[..., APIClient]
Push = Callable[[Gateway], Deployment | None]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def finding(published: Publication, edge: Gateway, push: Push) -> DriftFinding:
    """Somebody has given the upstream of Orders another timeout, on the gateway itself."""
    push(edge)
    held = memory_gateway("edge")
    name, item = next((n, i) for n, i in held.items.items() if isinstance(i, Upstream))
    held.items[name] = replace(item, timeout_ms=60_000)
    found = inspect_gateway(edge)
    assert found is not None
    [row] = found
    return row


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_an_empty_page_says_when_each_gateway_was_read(
    published: Publication, edge: Gateway, ada: User, client_of: Enter, push: Push
) -> None:
    browser = client_of(ada)
    assert "nothing was pushed to it yet" in text_of(browser.get("/drift/"))
    push(edge)
    assert "not read yet" in text_of(browser.get("/drift/"))
    inspect_gateway(edge)
    page = text_of(browser.get("/drift/"))
    assert "All is as it should be" in page
    assert "all of it <time" in page
    assert "not read yet" not in page


def test_the_page_shows_the_difference_and_where_it_is(
    finding: DriftFinding, ada: User, client_of: Enter
) -> None:
    browser = client_of(ada)
    page = text_of(browser.get("/drift/"))
    assert "1 thing that a gateway does and nobody decided" in page
    for words in ("timeout ms", ">15000<", ">60000<", "changed</span>", "Overwrite", "Ignore…"):
        assert words in page
    factories.make_gateway("other")
    assert finding.label in text_of(browser.get("/drift/?gateway=edge"))
    assert finding.label not in text_of(browser.get("/drift/?gateway=other"))
    assert finding.label not in text_of(browser.get("/drift/?show=ignored"))
    assert finding.label in text_of(browser.get(f"/drift/{finding.public_id}/"))
    detail = text_of(browser.get("/gateways/edge/"))
    assert "1 thing on it was not decided by anybody." in detail
    assert "/drift/?gateway=edge" in detail
    assert "drifted" in text_of(browser.get("/gateways/"))


def test_a_gateway_that_is_not_read_is_said_to_be_so(
    finding: DriftFinding, edge: Gateway, ada: User, client_of: Enter
) -> None:
    Gateway.objects.update(options={"unreachable": "yes"})
    inspect_gateway(edge)
    page = text_of(client_of(ada).get("/drift/"))
    assert "Not read: The gateway does not answer." in page
    assert finding.label in page


def test_the_rail_counts_what_waits_for_administrators_alone(
    finding: DriftFinding, ada: User, alice: User, frank: User, client_of: Enter
) -> None:
    counts = {
        person: {str(link.label): link.count for link in client_of(person).get("/drift/").context["rail"]}
        for person in (ada, alice, frank)
    }
    assert counts[ada]["Gateways"] == 1
    assert counts[alice]["Gateways"] == counts[frank]["Gateways"] == 0


def test_others_see_what_is_about_their_own_teams_alone(
    finding: DriftFinding, alice: User, charlie: User, bob: User, frank: User, client_of: Enter, api_of: Api
) -> None:
    own = text_of(client_of(alice).get("/drift/"))
    assert finding.label in own
    assert "Overwrite" not in own
    assert finding.label in text_of(client_of(frank).get("/drift/"))
    assert finding.label not in text_of(client_of(charlie).get("/drift/"))
    assert client_of(charlie).get(f"/drift/{finding.public_id}/").status_code == 404
    assert client_of(bob).get("/drift/").status_code == 404
    assert api_of(charlie).get("/api/v1/gateways/edge/drift").json()["results"] == []


@pytest.mark.parametrize("deed", ["overwrite", "adopt", "ignore"])
def test_nobody_but_an_administrator_acts(
    finding: DriftFinding, alice: User, frank: User, erin: User, client_of: Enter, api_of: Api, deed: str
) -> None:
    for person in (alice, frank, erin):
        answer = client_of(person).post(f"/drift/{finding.public_id}/{deed}/", {"reason": "no"})
        assert answer.status_code == 404
        answer = api_of(person).post(
            f"/api/v1/gateways/edge/drift/{finding.public_id}/{deed}", {"reason": "no"}
        )
        assert answer.status_code == 403
    finding.refresh_from_db()
    assert finding.state == "open"
    assert finding.asked_at is None


def test_overwriting_leads_to_the_push_and_ends_the_finding(
    finding: DriftFinding, edge: Gateway, ada: User, client_of: Enter
) -> None:
    browser = client_of(ada)
    answer = browser.post(f"/drift/{finding.public_id}/overwrite/")
    deployment = Deployment.objects.get(state="queued")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/deployments/{deployment.public_id}/"
    assert "Ada has asked to overwrite it" in text_of(browser.get("/drift/"))
    refused = browser.post(f"/drift/{finding.public_id}/overwrite/")
    assert refused.status_code == 409
    assert "is due or waits" in text_of(refused)
    reconcile(edge, whether_due=True)
    inspect_after_push(edge)
    assert finding.label in text_of(browser.get("/drift/?show=ended"))
    assert "by Ada" in text_of(browser.get(f"/drift/{finding.public_id}/"))
    assert browser.post(f"/drift/{finding.public_id}/overwrite/").status_code == 409


def test_with_htmx_the_finding_is_exchanged_in_its_place(
    finding: DriftFinding, ada: User, client_of: Enter
) -> None:
    browser = client_of(ada)
    wrong = browser.post(f"/drift/{finding.public_id}/ignore/", {"reason": ""}, headers=HTMX)
    assert wrong.status_code == 422
    text = text_of(wrong)
    assert text.startswith(f'<li id="{finding.public_id}"')
    assert "Say why this may stay." in text
    assert "open" in text
    answer = browser.post(f"/drift/{finding.public_id}/overwrite/", headers=HTMX)
    assert answer.status_code == 200
    assert 'hx-trigger="every 2s"' in text_of(answer)
    refused = browser.post(f"/drift/{finding.public_id}/overwrite/", headers=HTMX)
    assert refused.status_code == 422
    assert "is due or waits" in text_of(refused)


def test_ignoring_keeps_the_reason_beside_it(finding: DriftFinding, ada: User, client_of: Enter) -> None:
    browser = client_of(ada)
    assert browser.post(f"/drift/{finding.public_id}/ignore/", {"reason": ""}).status_code == 422
    answer = browser.post(
        f"/drift/{finding.public_id}/ignore/", {"reason": "Until the backend is faster."}, follow=True
    )
    assert "Ignored until something else is there" in text_of(answer)
    assert finding.label not in text_of(browser.get("/drift/")).split("Last read")[0].split("main")[-1]
    page = text_of(browser.get("/drift/?show=ignored"))
    assert "Until the backend is faster." in page
    assert "by Ada" in page


def test_adopting_is_offered_to_whoever_may_edit_the_upstream(
    finding: DriftFinding, ada: User, shop: Any, client_of: Enter
) -> None:
    browser = client_of(ada)
    assert "Whoever may edit the upstream could adopt this." in text_of(browser.get("/drift/"))
    assert browser.post(f"/drift/{finding.public_id}/adopt/").status_code == 403
    factories.join(shop, ada, TeamRole.PUBLISHER)
    assert "/adopt/" in text_of(browser.get("/drift/"))
    answer = browser.post(f"/drift/{finding.public_id}/adopt/", follow=True)
    assert "Adopted" in text_of(answer)
    finding.refresh_from_db()
    assert finding.state == "adopted"


def test_the_same_over_rest(
    finding: DriftFinding, edge: Gateway, ada: User, shop: Any, api_of: Api, published: Publication
) -> None:
    api = api_of(ada)
    [row] = api.get("/api/v1/gateways/edge/drift?state=open").json()["results"]
    assert row["id"] == finding.public_id
    assert (row["kind"], row["sort"], row["state"], row["urgent"]) == ("upstream", "changed", "open", False)
    assert row["differences"] == [{"name": "timeout_ms", "before": "15000", "after": "60000"}]
    address = f"/api/v1/gateways/edge/drift/{finding.public_id}"
    assert api.get(address).json() == row
    assert api.get("/api/v1/gateways/nowhere/drift").status_code == 404
    assert api.post(f"{address}/ignore", {}).status_code == 422
    assert api.post(f"{address}/ignore", {"reason": "known"}).json()["state"] == "ignored"
    assert api.post(f"{address}/ignore", {"reason": "known"}).status_code == 409
    answer = api.post(f"{address}/overwrite")
    assert answer.status_code == 202
    assert answer.headers["Location"].startswith("/api/v1/deployments/dep_")
    assert api.post(f"{address}/adopt").status_code == 403
    factories.join(shop, ada, TeamRole.OWNER)
    assert api_of(ada).post(f"{address}/adopt").json()["state"] == "adopted"


def test_a_token_needs_the_scope_of_gateways(finding: DriftFinding, ada: User, api_of: Api) -> None:
    address = f"/api/v1/gateways/edge/drift/{finding.public_id}"
    reader = api_of(ada, scopes=[Scope.READ])
    assert reader.get(address).status_code == 200
    assert reader.post(f"{address}/ignore", {"reason": "no"}).status_code == 403


def test_the_policy_is_set_on_the_gateway(edge: Gateway, ada: User, client_of: Enter, api_of: Api) -> None:
    api = api_of(ada)
    assert api.get("/api/v1/gateways/edge").json()["drift_policy"] == "report"
    changed = api.patch("/api/v1/gateways/edge", {"drift_policy": "overwrite"})
    assert changed.json()["drift_policy"] == "overwrite"
    assert api.patch("/api/v1/gateways/edge", {"drift_policy": "whatever"}).status_code == 422
    browser = client_of(ada)
    page = text_of(browser.get("/gateways/edge/edit/"))
    assert '<option value="overwrite" selected>' in page
    form = {"name": "Edge", "drift_policy": "report"}
    form |= {"port-production": 8080, "url-production": "http://edge.example.test:8080"}
    assert browser.post("/gateways/edge/edit/", form).status_code == 302
    edge.refresh_from_db()
    assert edge.drift_policy == "report"


def test_a_ghost_of_nobody_is_seen_by_overseers_alone(
    published: Publication, edge: Gateway, push: Push, alice: User, ada: User, client_of: Enter
) -> None:
    push(edge)
    memory_gateway("edge").items[Ref(Kind.UPSTREAM, "bnd_x")] = Upstream("bnd_x", "Somebody's", ())
    inspect_gateway(edge)
    assert "Somebody" in text_of(client_of(ada).get("/drift/"))
    assert "Somebody" not in text_of(client_of(alice).get("/drift/"))
