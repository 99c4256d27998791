"""Publishing: who may, where, under which path, and what follows."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection

from apis.models import ApiVersion, Upstream
from audit.models import ActionRefused, AuditEvent, TransitionNotAllowed
from gateways.actions import publish, publish_to, roll_back, withdraw
from gateways.actions.previews import preview_publishing
from gateways.actions.publications import PlaceToPublish, clean_base_path
from gateways.models import BasePathClaim, Deployment, Gateway, Publication
from teams.models import Actor, Team, User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(alice: User) -> Actor:
    return actor_of_user(alice)


@pytest.fixture
def draft(shop: Team) -> ApiVersion:
    return factories.make_version(factories.make_api(shop, "Orders"), state="draft")


@pytest.fixture
def production(db: None) -> Any:
    return factories.make_environment()


def another_team(edge: Gateway, path: str) -> BasePathClaim:
    api = factories.make_api(name="Foreign")
    return BasePathClaim.objects.create(gateway=edge, path=path, team=api.team, api=api)


def test_publishing_freezes_a_revision_and_offers_the_version(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    publication = publish(draft, edge, production, actor=owner, note="First")
    assert publication.claim.path == "/shop/orders/v1"
    assert publication.revision.number == 1
    draft.refresh_from_db()
    assert draft.state == "published"
    queued = Deployment.objects.get()
    assert queued.state == "queued"
    assert queued.asked_by == owner.label
    names = list(AuditEvent.objects.order_by("id").values_list("name", flat=True))
    assert names == ["revision.frozen", "version.published", "publication.published"]


def test_publishing_again_serves_what_is_new_under_the_same_path(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor, shop: Team
) -> None:
    first = publish(draft, edge, production, actor=owner)
    draft.upstream = factories.make_upstream(shop)
    draft.save()
    second = publish(draft, edge, production, actor=owner)
    assert second.pk == first.pk
    assert second.revision.number == 2
    assert second.claim_id == first.claim_id
    assert Deployment.objects.count() == 1, "one queued push takes both"


def test_both_environments_of_a_gateway_share_path_and_push(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    sandbox = factories.make_environment("sandbox")
    made = publish_to(draft, [PlaceToPublish(edge, production), PlaceToPublish(edge, sandbox)], actor=owner)
    assert len(made) == 2
    assert BasePathClaim.objects.count() == 1
    assert Deployment.objects.count() == 1
    assert draft.revisions.count() == 1


@pytest.mark.parametrize("who", ["bob", "charlie", "dana", "erin", "frank", "ada"])
def test_others_publish_nothing(
    who: str, draft: ApiVersion, edge: Gateway, production: Any, request: pytest.FixtureRequest
) -> None:
    actor = actor_of_user(request.getfixturevalue(who))
    with pytest.raises(PermissionDenied):
        publish(draft, edge, production, actor=actor)
    assert not Publication.objects.exists()


def test_an_environment_admits_the_teams_it_lists(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor, logistics: Team
) -> None:
    production.publishers.add(logistics)
    with pytest.raises(ActionRefused, match="may not publish"):
        publish(draft, edge, production, actor=owner)
    draft.refresh_from_db()
    assert draft.state == "draft", "nothing of it stays"


def test_a_place_needs_a_listener_and_the_upstream_an_address(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor, shop: Team
) -> None:
    with pytest.raises(ActionRefused, match="does not serve"):
        publish(draft, edge, factories.make_environment("moon"), actor=owner)
    draft.upstream = Upstream.objects.create(team=shop, name="homeless")
    draft.save()
    with pytest.raises(ActionRefused, match="no address in Production"):
        publish(draft, edge, production, actor=owner)


@pytest.mark.parametrize("taken", ["/shop", "/shop/orders", "/shop/orders/v1", "/shop/orders/v1/deep"])
def test_no_path_above_or_below_another_teams(
    taken: str, draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    another_team(edge, taken)
    with pytest.raises(ActionRefused, match="belongs to another API"):
        publish(draft, edge, production, actor=owner)


@pytest.mark.parametrize("near", ["/shop/orders/v10", "/sho", "/shop/order", "/shop2/orders/v1"])
def test_segments_count_whole(
    near: str, draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    another_team(edge, near)
    assert publish(draft, edge, production, actor=owner).claim.path == "/shop/orders/v1"


def test_another_gateway_is_another_namespace(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    another_team(factories.make_gateway("west"), "/shop/orders/v1")
    publish(draft, edge, production, actor=owner)


def test_a_path_is_frozen_and_never_given_to_another(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor, shop: Team
) -> None:
    publication = publish(draft, edge, production, actor=owner, base_path="/orders")
    with pytest.raises(ActionRefused, match="fixed when it was first published"):
        publish(draft, edge, production, actor=owner, base_path="/other")
    withdraw(publication, actor=owner, reason="moved")
    other = factories.make_version(factories.make_api(shop, "Other"))
    with pytest.raises(ActionRefused, match="belongs to another API"):
        publish(other, edge, production, actor=owner, base_path="/orders")
    second = factories.make_version(draft.api, major=2)
    with pytest.raises(ActionRefused, match="belongs to another API"):
        publish(second, edge, production, actor=owner, base_path="/orders")
    assert publish(draft, edge, production, actor=owner).claim.path == "/orders"


@pytest.mark.parametrize(
    "path",
    [
        *("", "orders", "/", "/orders/", "//orders", "/Orders", "/a/../b", "/a/./b", "/a b", "/a%2fb", "/é"),
        *("/a?b", "/a;b", "/{x}", "/a\\b", "/a\x00", "/" + "a" * 400, "/.hidden"),
    ],
)
def test_only_canonical_paths_are_claimed(path: str) -> None:
    with pytest.raises(ValidationError):
        clean_base_path(path.rstrip(" ") if path.strip() else "/")


def test_rolling_back_serves_the_earlier_revision(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor, shop: Team
) -> None:
    publication = publish(draft, edge, production, actor=owner)
    first = publication.revision
    draft.upstream = factories.make_upstream(shop)
    draft.save()
    publication = publish(draft, edge, production, actor=owner)
    roll_back(publication, first, actor=owner, note="The new backend is slow.")
    publication.refresh_from_db()
    assert publication.revision == first
    with pytest.raises(ActionRefused, match="served already"):
        roll_back(publication, first, actor=owner)
    foreign = factories.make_revision(factories.make_version())
    with pytest.raises(ActionRefused, match="another version"):
        roll_back(publication, foreign, actor=owner)


def test_withdrawing_needs_a_reason_and_happens_once(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor, bob: User
) -> None:
    publication = publish(draft, edge, production, actor=owner)
    with pytest.raises(PermissionDenied):
        withdraw(publication, actor=actor_of_user(bob), reason="no")
    with pytest.raises(ValidationError):
        withdraw(publication, actor=owner, reason="  ")
    withdraw(publication, actor=owner, reason="It moves.")
    with pytest.raises(TransitionNotAllowed):
        withdraw(publication, actor=owner, reason="Again.")


def test_a_preview_shows_the_change_and_keeps_nothing(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    [preview] = preview_publishing(draft, [PlaceToPublish(edge, production)], actor=owner)
    assert preview.part is not None
    assert [change["kind"] for change in preview.part.changes] == ["upstream", "route"]
    assert preview.counts["create"] == 2
    draft.refresh_from_db()
    assert draft.state == "draft"
    for model in (Publication, BasePathClaim, Deployment, AuditEvent):
        assert not model.objects.exists()


def test_a_preview_says_what_the_portal_would_refuse(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    another_team(edge, "/shop")
    [preview] = preview_publishing(draft, [PlaceToPublish(edge, production)], actor=owner)
    assert "belongs to another API" in preview.refused


def test_a_preview_does_not_show_other_teams_changes(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    foreign = factories.make_publication(factories.make_version(factories.make_api(name="Secret")), edge)
    [preview] = preview_publishing(draft, [PlaceToPublish(edge, production)], actor=owner)
    assert preview.part is not None
    assert preview.part.others == 2
    assert foreign.public_id not in str(preview.part.changes)
    assert "secret" not in str(preview.part.changes)


@pytest.mark.django_db(transaction=True)
def test_two_teams_race_for_one_path_and_one_gets_it() -> None:
    edge, production = factories.make_gateway("edge"), factories.make_environment()
    versions, actors = [], []
    for number in range(4):
        team, user = factories.make_team(f"Racer {number}"), factories.make_user()
        factories.join(team, user, "owner")
        versions.append(factories.make_version(factories.make_api(team, "Race")))
        actors.append(actor_of_user(user))
    outcomes: list[str] = []
    barrier = threading.Barrier(4)

    def run(number: int) -> None:
        try:
            barrier.wait()
            publish(
                versions[number], edge, production, actor=actors[number], base_path=["/x", "/x/y"][number % 2]
            )
            outcomes.append("won")
        except ActionRefused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["base_path_taken"] * 3 + ["won"]
    assert BasePathClaim.objects.count() == 1


def test_a_draft_that_changed_since_it_was_looked_at_is_not_published(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    seen = draft.draft
    draft.spec = factories.make_spec(
        draft.api.team, {"openapi": "3.1.0", "info": {"title": "x", "version": "2"}, "paths": {}}
    )
    draft.save()
    place = PlaceToPublish(edge, production)
    with pytest.raises(ActionRefused, match="changed since you looked"):
        publish_to(draft, [place], actor=owner, seen=seen)
    assert publish_to(draft, [place], actor=owner, seen=draft.draft)


def test_a_path_under_another_teams_name_is_kept_for_that_team(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor
) -> None:
    factories.make_team("Logistics")
    with pytest.raises(ActionRefused, match="for the team of that name"):
        publish(draft, edge, production, actor=owner, base_path="/logistics/orders")
    assert (
        publish(draft, edge, production, actor=owner, base_path="/shop/ledger").claim.path == "/shop/ledger"
    )


def test_subscribers_are_told_when_what_they_call_is_withdrawn(
    draft: ApiVersion, edge: Gateway, production: Any, owner: Actor, dana: User, logistics: Team
) -> None:
    publication = publish(draft, edge, production, actor=owner)
    draft.refresh_from_db()
    factories.make_subscription(factories.make_application(logistics), factories.make_plan(draft.api))
    withdraw(publication, actor=owner, reason="Moved to v2.")
    notice = dana.notices.get(name="publication.withdrawn")
    assert "No longer served" in notice.title
    assert notice.body == "Moved to v2."
