"""Asking, and what comes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from apis.actions import deprecate_version, retire_sunset_versions
from apis.models import ApiVersion, Plan, Visibility
from audit.models import ActionRefused, AuditEvent, TransitionNotAllowed
from subscriptions.actions import (
    approve_request,
    archive_application,
    close_subscription,
    issue_credential,
    lapse_requests,
    reject_request,
    request_access,
    request_plan_change,
    withdraw_request,
)
from subscriptions.actions.requests import working_days_after
from subscriptions.models import AccessRequest, Credential, DecisionStep, Subscription
from subscriptions.queries import deciders_of
from teams.models import SYSTEM, Notice, TeamRole
from teams.tasks import send_notice_mail
from tests import factories

pytestmark = pytest.mark.django_db


def ask(world, actor, plan=None, **changes):
    values = {
        "application": world.application,
        "version": world.version,
        "environment": world.production,
        "plan": (plan or world.gold).plan,
        "reason": "We plan tours.",
    } | changes
    return request_access(
        values.pop("application"),
        values.pop("version"),
        values.pop("environment"),
        values.pop("plan"),
        actor=actor,
        **values,
    )


def test_a_manual_plan_waits_and_those_who_decide_are_told(world, alice, bob, dana, erin, charlie, acting):
    request = ask(world, acting(dana))
    assert request.state == AccessRequest.State.PENDING
    assert request.requested_by_id == dana.public_id
    assert request.due_at
    assert request.lapses_at - timezone.now() > timedelta(days=29)
    assert [step.state for step in request.steps.all()] == [DecisionStep.State.WAITING]
    assert set(deciders_of(request)) == {alice, erin}
    told = Notice.objects.filter(name="request.made")
    assert {notice.user for notice in told} == {alice, erin}
    assert {notice.path for notice in told} == {f"/approvals/{request.public_id}/"}
    event = AuditEvent.objects.get(name="request.made")
    assert event.after["limits"]["rate_calls"] == 200
    assert event.team_id == world.application.team.public_id


def test_an_automatic_plan_is_granted_at_once_by_the_system(world, dana, acting):
    request = ask(world, acting(dana), plan=world.bronze)
    assert request.state == AccessRequest.State.APPROVED
    assert request.decided_by_kind == "system"
    assert request.subscription.state == Subscription.State.ACTIVE
    assert request.due_at is None
    assert not Notice.objects.filter(name="request.made").exists()
    names = list(AuditEvent.objects.order_by("id").values_list("name", flat=True))
    assert names == ["request.made", "request.approved", "subscription.opened"]


def test_an_approval_opens_the_subscription_and_tells_the_applications_team(
    world, waiting, alice, dana, acting
):
    subscription = approve_request(waiting, actor=acting(alice), note="Fine for this season.")
    waiting.refresh_from_db()
    assert (waiting.state, waiting.decided_by_id) == (AccessRequest.State.APPROVED, alice.public_id)
    assert waiting.subscription == subscription
    assert subscription.plan_revision == world.gold
    notice = Notice.objects.get(user=dana, name="request.approved")
    assert notice.path == f"/subscriptions/{subscription.public_id}/"
    assert notice.body == "Fine for this season."


def test_a_rejection_needs_a_reason_and_the_one_who_asked_reads_it(waiting, alice, dana, acting):
    with pytest.raises(ValidationError, match="Give a reason"):
        reject_request(waiting, actor=acting(alice), note="  ")
    waiting.refresh_from_db()
    assert waiting.state == AccessRequest.State.PENDING
    reject_request(waiting, actor=acting(alice), note="Use Bronze first.")
    notice = Notice.objects.get(user=dana, name="request.rejected")
    assert (notice.body, notice.path) == ("Use Bronze first.", f"/requests/{waiting.public_id}/")
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("who", ["bob", "charlie", "dana", "frank", "ada"])
def test_who_may_not_decide_is_refused(request, waiting, acting, who):
    person = request.getfixturevalue(who)
    with pytest.raises(PermissionDenied):
        approve_request(waiting, actor=acting(person))
    with pytest.raises(PermissionDenied):
        reject_request(waiting, actor=acting(person), note="No.")
    waiting.refresh_from_db()
    assert waiting.state == AccessRequest.State.PENDING


def test_the_system_decides_nothing_that_waits(waiting):
    with pytest.raises(PermissionDenied):
        approve_request(waiting, actor=SYSTEM)


def test_the_plans_approver_group_decides(world, waiting, charlie, shop, acting):
    group = shop.approver_groups.create(name="Capacity board")
    group.people.add(charlie)
    plan = world.gold.plan
    plan.approvers = group
    plan.save()
    assert charlie in deciders_of(waiting)
    approve_request(waiting, actor=acting(charlie))
    waiting.refresh_from_db()
    assert waiting.decided_by_id == charlie.public_id


def test_a_decision_is_made_once(waiting, alice, erin, dana, acting):
    approve_request(waiting, actor=acting(alice))
    with pytest.raises(TransitionNotAllowed):
        approve_request(waiting, actor=acting(erin))
    with pytest.raises(TransitionNotAllowed):
        reject_request(waiting, actor=acting(erin), note="Too late.")
    with pytest.raises(TransitionNotAllowed):
        withdraw_request(waiting, actor=acting(dana))
    assert Subscription.objects.count() == 1


def test_one_request_waits_at_a_time(world, waiting, dana, acting):
    with pytest.raises(ActionRefused) as refused:
        ask(world, acting(dana))
    assert refused.value.code == "already_waiting"
    assert ask(world, acting(dana), environment=world.sandbox).state == AccessRequest.State.PENDING


def test_a_second_subscription_to_the_same_is_refused(world, dana, acting):
    ask(world, acting(dana), plan=world.bronze)
    with pytest.raises(ActionRefused) as refused:
        ask(world, acting(dana), plan=world.bronze)
    assert refused.value.code == "already_subscribed"


def test_after_closing_a_new_request_needs_a_new_decision(world, waiting, alice, dana, acting):
    subscription = approve_request(waiting, actor=acting(alice))
    close_subscription(subscription, actor=acting(dana), reason="Done.")
    assert ask(world, acting(dana)).state == AccessRequest.State.PENDING


def test_another_plan_needs_a_decision_and_nothing_changes_until_then(world, alice, dana, acting):
    subscription = ask(world, acting(dana), plan=world.bronze).subscription
    request = request_plan_change(subscription, world.gold.plan, actor=acting(dana), reason="Peak season.")
    subscription.refresh_from_db()
    assert (request.state, subscription.plan_revision) == (AccessRequest.State.PENDING, world.bronze)
    assert approve_request(request, actor=acting(alice)) == subscription
    subscription.refresh_from_db()
    assert subscription.plan_revision == world.gold
    event = AuditEvent.objects.get(name="subscription.plan_changed")
    assert (event.before["plan"], event.after["plan"]) == ("bronze", "gold")


def test_moving_to_an_automatic_plan_happens_at_once(world, waiting, alice, dana, acting):
    subscription = approve_request(waiting, actor=acting(alice))
    request_plan_change(subscription, world.bronze.plan, actor=acting(dana), reason="Less is enough.")
    subscription.refresh_from_db()
    assert subscription.plan_revision == world.bronze


def test_asking_for_the_plan_it_has_is_refused(world, dana, acting):
    subscription = ask(world, acting(dana), plan=world.bronze).subscription
    with pytest.raises(ActionRefused) as refused:
        request_plan_change(subscription, world.bronze.plan, actor=acting(dana), reason="Again.")
    assert refused.value.code == "same_plan"


def test_closing_lapses_the_wish_for_another_plan(world, dana, acting):
    subscription = ask(world, acting(dana), plan=world.bronze).subscription
    request = request_plan_change(subscription, world.gold.plan, actor=acting(dana), reason="More.")
    close_subscription(subscription, actor=acting(dana), reason="Done.")
    request.refresh_from_db()
    assert request.state == AccessRequest.State.LAPSED


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda world: Plan.objects.filter(pk=world.gold.plan_id).update(state="deprecated"), "plan_not_offered"),
        (lambda _world: ApiVersion.objects.update(state="retired"), "version_not_offered"),
        (lambda world: world.version.api.__class__.objects.update(visibility=Visibility.PRIVATE), "api_not_shared"),
    ],
)  # fmt: skip
def test_what_is_no_longer_offered_is_not_granted(world, waiting, alice, acting, spoil, code):
    spoil(world)
    with pytest.raises(ActionRefused) as refused:
        approve_request(waiting, actor=acting(alice))
    assert refused.value.code == code
    waiting.refresh_from_db()
    assert waiting.state == AccessRequest.State.PENDING


@pytest.mark.parametrize("state", [Plan.State.DRAFT, Plan.State.DEPRECATED, Plan.State.CLOSED])
def test_only_published_plans_can_be_asked_for(world, dana, acting, state):
    Plan.objects.filter(pk=world.gold.plan_id).update(state=state)
    with pytest.raises(ActionRefused):
        ask(world, acting(dana))


def test_a_plan_of_another_api_is_refused(world, dana, acting):
    other = factories.make_plan(factories.make_version().api)
    with pytest.raises(ValidationError, match="another API"):
        ask(world, acting(dana), plan=other)


def test_a_plan_is_offered_only_where_it_says(world, dana, acting):
    world.gold.plan.environments.set([world.sandbox])
    with pytest.raises(ValidationError, match="not offered in"):
        ask(world, acting(dana))
    assert ask(world, acting(dana), environment=world.sandbox)


def test_a_private_api_takes_requests_of_teams_it_is_shared_with(world, dana, logistics, acting):
    world.version.api.visibility = Visibility.PRIVATE
    world.version.api.save()
    with pytest.raises(ActionRefused):
        ask(world, acting(dana))
    world.version.api.shares.create(team=logistics)
    assert ask(world, acting(dana))


def test_terms_are_accepted_before_and_kept_with_the_subscription(world, alice, dana, acting):
    world.gold.__class__.objects.filter(pk=world.gold.pk).update(terms="Be kind to it.")
    with pytest.raises(ValidationError, match="terms"):
        ask(world, acting(dana))
    subscription = approve_request(ask(world, acting(dana), accept_terms=True), actor=acting(alice))
    assert subscription.terms_accepted_by == str(dana)
    assert subscription.terms_accepted_at is not None


def test_a_reason_is_mandatory(world, dana, acting):
    with pytest.raises(ValidationError, match="what the application needs"):
        ask(world, acting(dana), reason=" ")


def test_only_the_applications_team_asks(world, alice, frank, acting):
    for person in (alice, frank):
        with pytest.raises(PermissionDenied):
            ask(world, acting(person))


def test_a_request_that_nobody_decides_lapses_once(waiting, dana):
    assert lapse_requests(now=waiting.lapses_at - timedelta(seconds=1)) == 0
    assert lapse_requests(now=waiting.lapses_at) == 1
    assert lapse_requests(now=waiting.lapses_at) == 0
    waiting.refresh_from_db()
    assert waiting.state == AccessRequest.State.LAPSED
    assert Notice.objects.filter(user=dana, name="request.lapsed").count() == 1


def test_archiving_an_application_ends_all_it_had(world, dana, acting):
    subscription = ask(world, acting(dana), plan=world.bronze).subscription
    credential, _value = issue_credential(subscription, actor=acting(dana))
    request = ask(world, acting(dana), environment=world.sandbox)
    archive_application(world.application, actor=acting(dana))
    for thing in (subscription, credential, request):
        thing.refresh_from_db()
    assert subscription.state == Subscription.State.CLOSED
    assert credential.state == Credential.State.REVOKED
    assert request.state == AccessRequest.State.LAPSED
    with pytest.raises(ActionRefused) as refused:
        ask(world, acting(dana))
    assert refused.value.code == "application_archived"


def test_a_viewer_of_the_applications_team_may_not_ask(world, logistics, acting):
    viewer = factories.make_user()
    factories.join(logistics, viewer, TeamRole.VIEWER)
    with pytest.raises(PermissionDenied):
        ask(world, acting(viewer))


@pytest.mark.parametrize(
    ("start", "due"), [((2026, 11, 20), (2026, 11, 24)), ((2026, 11, 23), (2026, 11, 25))]
)
def test_the_answer_is_due_after_two_working_days(start, due):
    assert working_days_after(datetime(*start, 17, tzinfo=UTC), 2) == datetime(*due, 17, tzinfo=UTC)


def test_the_apis_team_is_told_what_an_approver_decided_by_mail_and_page(
    world, waiting, alice, erin, acting, mailoutbox
):
    approve_request(waiting, actor=acting(erin))
    assert Notice.objects.get(user=alice, name="request.approved").path == f"/approvals/{waiting.public_id}/"
    assert not Notice.objects.filter(user=erin, name="request.approved").exists(), "who decided knows"
    for notice in Notice.objects.all():
        send_notice_mail(notice.pk)
    subjects = {address: mail.subject for mail in mailoutbox for address in mail.to}
    assert subjects[alice.email].endswith(f"Granted: {world.application} may call {world.version} on Gold")
    assert "may call" in subjects["dana@example.test"]


def test_the_apis_team_finds_the_grant_in_its_own_trail(world, waiting, alice, erin, acting):
    approve_request(waiting, actor=acting(erin))
    opened = AuditEvent.objects.get(name="subscription.opened")
    assert opened.team_id == world.version.api.team.public_id
    assert opened.actor_label == str(erin)


def test_a_plan_that_is_not_offered_there_any_more_is_said_on_the_card(world, waiting, alice, client_of):
    world.gold.plan.environments.set([factories.make_environment("sandbox")])
    answer = client_of(alice).post(f"/approvals/{waiting.public_id}/approve/")
    assert answer.status_code == 422
    assert "is not offered in" in answer.content.decode()
    waiting.refresh_from_db()
    assert waiting.state == AccessRequest.State.PENDING


def test_a_note_that_is_too_long_is_said_on_the_card(waiting, alice, client_of):
    answer = client_of(alice).post(f"/approvals/{waiting.public_id}/approve/", {"note": "x" * 2_001})
    assert answer.status_code == 422
    assert "Shorten the reason" in answer.content.decode()


def test_subscribers_are_told_of_the_end_of_a_version(
    world, waiting, dana, alice, acting, django_capture_on_commit_callbacks
):
    approve_request(waiting, actor=acting(alice))
    tomorrow = (timezone.now() + timedelta(days=1)).date()
    with django_capture_on_commit_callbacks(execute=True):
        deprecate_version(world.version, actor=acting(alice), sunset_on=tomorrow, note="Use v2.")
    notice = Notice.objects.get(user=dana, name="version.deprecated")
    assert str(tomorrow) in notice.title
    assert notice.body == "Use v2."
    assert retire_sunset_versions(now=timezone.now() + timedelta(days=1)) == 0, "it is the last day"
    with django_capture_on_commit_callbacks(execute=True):
        assert retire_sunset_versions(now=timezone.now() + timedelta(days=2)) == 1
    assert Notice.objects.filter(user=dana, name="version.retired").exists()
    world.version.refresh_from_db()
    assert world.version.state == ApiVersion.State.RETIRED
