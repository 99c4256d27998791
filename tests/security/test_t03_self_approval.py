"""T3: nobody approves what they asked for, by whatever chain of moves, accounts and teams.

Random sequences of moves by random actors; after each one every approval ever recorded must have a decider who
neither asked nor commands the account that asked, and what is granted must rest on such an approval.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apis.models import PlanRevision
from audit.models import ActionRefused, ActorKind, AuditEvent
from subscriptions.actions import (
    approve_request,
    close_subscription,
    reject_request,
    request_access,
    request_plan_change,
    withdraw_request,
)
from subscriptions.models import AccessRequest, Subscription
from subscriptions.queries import deciders_of, may_decide
from teams.models import SYSTEM, Actor, Membership, ServiceAccount, Team, TeamRole
from teams.queries import actor_of_token, actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db

REFUSALS = (ActionRefused, PermissionDenied, ValidationError)


@dataclass
class Company:
    """People with hats on both sides, their robots, one API with a manual plan and one application a team."""

    random: random.Random
    actors: list = field(default_factory=list)
    teams: list = field(default_factory=list)
    applications: list = field(default_factory=list)
    approved: int = 0
    one_hand_tried: int = 0


def found(seed: int) -> Company:
    company = Company(random.Random(seed))
    company.teams = [factories.make_team() for _number in range(3)]
    people = [factories.make_user() for _number in range(3)]
    people[2].platform_roles = company.random.choice([[], ["approver"]])
    people[2].save()
    for team in company.teams:
        for person in company.random.sample(people, company.random.randint(1, 3)):
            factories.join(team, person, company.random.choice(TeamRole.values))
        role = company.random.choice(TeamRole.values)
        company.actors.append(("robot", factories.make_service_account(team, role)))
        company.applications.append(factories.make_application(team))
    company.actors += [("person", person) for person in people]
    return company


def actor_now(kind: str, who: object) -> Actor:
    """The actor as the next request would see it."""
    if kind == "person":
        return actor_of_user(who)
    token, _value = factories.make_api_token(service_account=who)
    return actor_of_token(token)


def one_move(company: Company, version, plans, where) -> None:
    pick, kind = company.random.choice, company.random.randrange(7)
    hat, who = pick(company.actors)
    actor = actor_now(hat, who)
    waiting = list(AccessRequest.objects.filter(state="pending"))
    held = list(Subscription.objects.open())
    if kind in (0, 1):
        request_access(
            pick(company.applications), version, where, pick(plans).plan, actor=actor, reason="Need it."
        )
    elif kind in (2, 3) and waiting:
        approve(company, pick(waiting), who, actor)
    elif kind == 4 and waiting:
        end = pick([withdraw_request, partial(reject_request, note="No.")])
        end(pick(waiting), actor=actor)
    elif kind == 5 and held:
        change = partial(request_plan_change, plan=pick(plans).plan, reason="Other.")
        pick([partial(close_subscription, reason="Over."), change])(pick(held), actor=actor)
    else:
        move_a_person(company)


def approve(company: Company, request: AccessRequest, who, actor: Actor) -> None:
    """Try to approve; where one hand would ask and decide, it must be refused."""
    alone = one_hand(request, who)
    company.one_hand_tried += alone
    approve_request(request, actor=actor)
    assert not alone, f"{actor.label} approved {request}"
    company.approved += 1


def one_hand(request: AccessRequest, who) -> bool:
    """The rule once more, in plain sets of people: who stands behind the one who asked, who behind `who`."""
    asked = ServiceAccount.objects.filter(public_id=request.requested_by_id).first()
    behind_asker = owners(asked.team) if asked else {request.requested_by_id}
    behind_decider = owners(who.team) if isinstance(who, ServiceAccount) else {who.public_id}
    if isinstance(who, ServiceAccount) and request.application.team_id == who.team_id:
        return True
    both_sides = people(request.application.team) | people(request.api_version.api.team)
    return bool(behind_asker & behind_decider) or both_sides == {who.public_id}


def owners(team: Team) -> set[str]:
    return set(team.memberships.filter(role=TeamRole.OWNER).values_list("user__public_id", flat=True))


def people(team: Team) -> set[str]:
    return set(team.memberships.values_list("user__public_id", flat=True))


def move_a_person(company: Company) -> None:
    """Roles change hands in the middle of it all."""
    member = company.random.choice(list(Membership.objects.all()))
    member.role = company.random.choice(TeamRole.values)
    member.save()


def assert_every_grant_was_decided_by_another() -> None:
    for request in AccessRequest.objects.filter(state="approved").select_related("plan_revision"):
        event = AuditEvent.objects.get(name="request.approved", target_id=request.public_id)
        assert event.actor_id == request.decided_by_id
        if request.plan_revision.approval == PlanRevision.Approval.AUTOMATIC:
            assert event.actor_kind == ActorKind.SYSTEM
            continue
        assert event.actor_kind != ActorKind.SYSTEM
        assert event.actor_id != request.requested_by_id
    approved = AccessRequest.objects.filter(state="approved")
    for subscription in Subscription.objects.all():
        grants = approved.filter(subscription=subscription).order_by("-decided_at")
        assert grants.exists()
        assert grants[0].plan_revision_id == subscription.plan_revision_id


def walk(seed: int, moves: int) -> Company:
    company = found(seed)
    version = factories.make_version(factories.make_api(company.teams[0]))
    plans = [factories.make_plan(version.api, name) for name in ("Gold", "Silver")]
    plans.append(factories.make_plan(version.api, "Free", approval=PlanRevision.Approval.AUTOMATIC))
    where = factories.make_environment()
    for _number in range(moves):
        with suppress(*REFUSALS), transaction.atomic():
            one_move(company, version, plans, where)
    for request in AccessRequest.objects.filter(state="pending"):
        assert not any(one_hand(request, person) for person in deciders_of(request))
    assert_every_grant_was_decided_by_another()
    return company


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32))
def test_t03_no_sequence_of_moves_ends_in_a_grant_without_another_decider(db, seed):
    with transaction.atomic():
        walk(seed, 25)
        transaction.set_rollback(True)


def test_t03_the_walks_do_approve_and_do_try_what_is_refused():
    walks = [walk(seed, 40) for seed in (1, 2, 3)]
    assert sum(company.approved for company in walks) > 0
    assert sum(company.one_hand_tried for company in walks) > 0


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_t03_no_sequence_of_moves_ends_in_a_grant_without_another_decider_in_full(db, seed):
    with transaction.atomic():
        walk(seed, 60)
        transaction.set_rollback(True)


# ---- the hands that are one hand ----


@pytest.fixture
def offer(shop):
    version = factories.make_version(factories.make_api(shop))
    return factories.make_plan(version.api, "Gold")


def ask(application, offer, actor) -> AccessRequest:
    version = offer.plan.api.versions.get()
    where = factories.make_environment()
    return request_access(application, version, where, offer.plan, actor=actor, reason="Need it.")


def robot_actor(account: ServiceAccount) -> Actor:
    return actor_now("robot", account)


def test_an_owner_of_both_sides_does_not_decide_their_own_request(alice, shop, offer):
    request = ask(factories.make_application(shop), offer, actor_of_user(alice))
    assert not may_decide(request, actor_of_user(alice))


def test_a_second_publisher_of_the_same_team_decides(alice, shop, offer):
    request = ask(factories.make_application(shop), offer, actor_of_user(alice))
    second = factories.make_user()
    factories.join(shop, second, TeamRole.PUBLISHER)
    assert may_decide(request, actor_of_user(second))


def test_an_owner_does_not_decide_what_their_service_account_asked(alice, shop, offer):
    request = ask(factories.make_application(shop), offer, robot_actor(factories.make_service_account(shop)))
    assert not may_decide(request, actor_of_user(alice))


def test_the_apis_service_account_does_not_decide_what_its_owner_asked_elsewhere(alice, shop, offer):
    side_team = factories.make_team("Side")
    factories.join(side_team, alice, TeamRole.DEVELOPER)
    request = ask(factories.make_application(side_team), offer, actor_of_user(alice))
    assert not may_decide(request, robot_actor(factories.make_service_account(shop, TeamRole.PUBLISHER)))


def test_two_service_accounts_of_one_owner_do_not_serve_each_other(alice, shop, offer):
    side_team = factories.make_team("Side")
    factories.join(side_team, alice, TeamRole.OWNER)
    asking = robot_actor(factories.make_service_account(side_team))
    deciding = robot_actor(factories.make_service_account(shop, TeamRole.PUBLISHER))
    assert not may_decide(ask(factories.make_application(side_team), offer, asking), deciding)


def test_the_only_person_on_both_sides_leaves_it_to_a_platform_approver(shop, offer, alice, erin):
    Team.objects.filter(pk=shop.pk).update(name="Shop of one")
    asked_by_one_who_left = factories.make_user()
    member = factories.join(shop, asked_by_one_who_left, TeamRole.DEVELOPER)
    request = ask(factories.make_application(shop), offer, actor_of_user(asked_by_one_who_left))
    member.delete()
    assert not may_decide(request, actor_of_user(alice))
    assert may_decide(request, actor_of_user(erin))
    assert deciders_of(request) == [erin]


def test_a_platform_approver_does_not_decide_their_own_request(offer, erin):
    team = factories.make_team()
    factories.join(team, erin, TeamRole.OWNER)
    request = ask(factories.make_application(team), offer, actor_of_user(erin))
    assert not may_decide(request, actor_of_user(erin))


def test_the_database_itself_refuses_a_self_approval(dana, logistics, offer):
    request = ask(factories.make_application(logistics), offer, actor_of_user(dana))
    with pytest.raises(IntegrityError, match="never_self_approved"), transaction.atomic():
        AccessRequest.objects.filter(pk=request.pk).update(
            state="approved", decided_by_kind="user", decided_by_id=dana.public_id
        )


def test_the_system_cannot_be_made_to_approve_what_waits(dana, logistics, offer):
    request = ask(factories.make_application(logistics), offer, actor_of_user(dana))
    with pytest.raises(PermissionDenied):
        approve_request(request, actor=SYSTEM)
