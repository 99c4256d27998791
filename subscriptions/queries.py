"""Reads that span what is asked, granted and offered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, FloatField, Q, Sum
from django.db.models.functions import Cast
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from apis.models import Api, ApiShare, ApiVersion, Environment, Plan, PlanRevision, Visibility
from audit.models import AuditEvent
from audit.sealing import SealBroken
from subscriptions.keys import key_id_of, open_key, value_digest
from subscriptions.models import (
    AccessRequest,
    Application,
    Credential,
    Rotation,
    RotationQuerySet,
    Subscription,
)
from teams.models import Actor, Team, TeamRole, User, Verb
from teams.permissions import PLATFORM_TABLE, TEAM_TABLE
from teams.queries import actor_of_user, people_of

APPLICATION_PEOPLE = frozenset({TeamRole.OWNER.value, TeamRole.PUBLISHER.value, TeamRole.DEVELOPER.value})
"""Roles of the application's team that are told what happens to its subscriptions."""


# ---- who decides, who is told ----


def approvals_waiting(actor: Actor) -> int:
    """How many requests `actor` may decide now, for the navigation."""
    return AccessRequest.objects.decidable_by(actor).count()


def may_decide(request: AccessRequest, actor: Actor) -> bool:
    """Whether `actor` may decide this pending request."""
    return AccessRequest.objects.decidable_by(actor).filter(pk=request.pk).exists()


def deciders_of(request: AccessRequest) -> list[User]:
    """The people who may decide a pending request, by the same rule that lets them."""
    roles = list(TEAM_TABLE[Verb.REQUEST_DECIDE])
    reach = Q(memberships__team_id=request.api_version.api.team_id, memberships__role__in=roles)
    reach |= Q(platform_roles__overlap=list(PLATFORM_TABLE[Verb.REQUEST_DECIDE]))
    if request.plan_revision.plan.approvers_id is not None:
        reach |= Q(approver_groups=request.plan_revision.plan.approvers_id)
    people = User.objects.filter(reach, is_active=True).distinct().order_by("email")
    return [person for person in people if may_decide(request, actor_of_user(person))]


def who_decides(plan: Plan) -> str:
    """The name of the group that decides requests for `plan`: its approver group, or the API's team."""
    return str(plan.approvers or plan.api.team)


def consumers_of(application: Application) -> list[User]:
    """The people of the application's team who work with its subscriptions."""
    return people_of(application.team_id, APPLICATION_PEOPLE)


def owners_of(version: ApiVersion) -> list[User]:
    """The people of the API's team who answer for who may call it."""
    return people_of(version.api.team_id, TEAM_TABLE[Verb.REQUEST_DECIDE])


def subscribers_of(version: ApiVersion, environment: Environment | None = None) -> list[User]:
    """The people who work with a subscription to `version` that is not closed."""
    held = Subscription.objects.open().filter(api_version=version)
    if environment is not None:
        held = held.filter(environment=environment)
    teams = held.values("application__team")
    people = User.objects.filter(
        is_active=True, memberships__team__in=teams, memberships__role__in=APPLICATION_PEOPLE
    )
    return list(people.distinct())


def requester_of(request: AccessRequest) -> User | None:
    """The person who asked; None when it was a service account."""
    return User.objects.filter(public_id=request.requested_by_id, is_active=True).first()


# ---- what is offered ----


def offer_of(plan: Plan) -> PlanRevision | None:
    """The newest published revision of `plan`, with the plan as it is now: what a request for it asks for."""
    offers = PlanRevision.objects.filter(plan=plan.pk, published_at__isnull=False)
    return offers.select_related("plan__approvers", "plan__api__team").order_by("-number").first()


def offers_of(version: ApiVersion) -> list[PlanRevision]:
    """What can be asked for of `version`: one published revision of each published plan, smallest rate first."""
    newest = (
        PlanRevision.objects.filter(plan__in=version.api.plans.offered(), published_at__isnull=False)
        .order_by("plan_id", "-number")
        .distinct("plan_id")
        .select_related("plan__approvers", "plan__api__team")
        .prefetch_related("plan__environments")
    )
    return sorted(newest, key=lambda offer: (calls_per_second(offer), offer.plan.name))


def environments_of(plan: Plan, everywhere: Sequence[Environment] | None = None) -> Sequence[Environment]:
    """Where `plan` is offered; a plan that names none is offered in `everywhere` (by default: all there are)."""
    named = list(plan.environments.all())
    if named or everywhere is None:
        return named or list(Environment.objects.all())
    return everywhere


def is_offered_in(plan: Plan, environment: Environment) -> bool:
    return environment in environments_of(plan)


def may_see(team: Team, api: Api) -> bool:
    """Whether `api` is visible to `team` as a whole, so that its applications may ask for it."""
    if api.visibility != Visibility.PRIVATE or api.team_id == team.pk:
        return True
    return ApiShare.objects.filter(api=api, team=team).exists()


def open_subscription(
    application: Application, version: ApiVersion, environment: Environment
) -> Subscription | None:
    """The subscription that is not closed, of which there is at most one."""
    return Subscription.objects.open().filter(
        application=application, api_version=version, environment=environment
    ).first()  # fmt: skip


# ---- limits ----


def calls_per_second(revision: PlanRevision) -> float:
    """The sustained rate of a plan revision."""
    return revision.rate_calls / revision.rate_period_s


def limits_of(revision: PlanRevision) -> dict[str, Any]:
    """The limits of a plan revision as JSON values, for audit events."""
    return {
        "plan": revision.plan.slug,
        "revision": revision.number,
        "rate_calls": revision.rate_calls,
        "rate_period_s": revision.rate_period_s,
        "burst": revision.burst,
        "quota_day": revision.quota_day,
        "quota_month": revision.quota_month,
        "rate_tokens": revision.rate_tokens,
        "rate_tokens_period_s": revision.rate_tokens_period_s,
        "price_nano": revision.price_nano,
        "currency": revision.currency,
    }


@dataclass(frozen=True, slots=True)
class PlanShare:
    """How many subscriptions stand on one plan, and the calls per second they were granted together."""

    plan: str
    subscriptions: int
    rate: float


@dataclass(frozen=True, slots=True)
class Granted:
    """What the API's team has granted so far of one version in one environment."""

    plans: list[PlanShare]

    @property
    def subscriptions(self) -> int:
        return sum(share.subscriptions for share in self.plans)

    @property
    def rate(self) -> float:
        """Calls per second, all subscriptions together."""
        return sum(share.rate for share in self.plans)

    def rate_with(self, request: AccessRequest) -> float:
        """Calls per second once `request` is granted; a change of plan gives back what it had."""
        held = request.subscription if request.kind == AccessRequest.Kind.PLAN_CHANGE else None
        given_back = calls_per_second(held.plan_revision) if held else 0.0
        return self.rate + calls_per_second(request.plan_revision) - given_back


def granted_so_far(version: ApiVersion, environment: Environment | None = None) -> Granted:
    """Subscriptions that are not closed, by plan, largest rate first; in all environments unless one is given."""
    held = Subscription.objects.open().filter(api_version=version)
    if environment is not None:
        held = held.filter(environment=environment)
    rate = Cast("plan_revision__rate_calls", FloatField()) / F("plan_revision__rate_period_s")
    rows = (
        held.order_by()
        .values_list("plan_revision__plan__name")
        .annotate(subscriptions=Count("pk"), rate=Sum(rate))
        .order_by("-rate", "plan_revision__plan__name")
    )
    return Granted([PlanShare(*row) for row in rows])


# ---- the approver's view ----


def decided_before(request: AccessRequest, *, most: int = 6) -> list[AccessRequest]:
    """What the applying team asked of the same API before and how it ended, newest first."""
    return list(
        AccessRequest.objects.filter(
            application__team=request.application.team_id, api_version__api=request.api_version.api_id
        )
        .exclude(pk=request.pk)
        .exclude(state=AccessRequest.State.PENDING)
        .select_related("application", "plan_revision__plan", "api_version__api")
        .order_by("-decided_at", "-id")[:most]
    )


def with_context(requests: Any) -> Any:
    """The requests with all that a row or card names, in one query."""
    return requests.select_related(
        "application__team",
        "api_version__api__team",
        "environment",
        "plan_revision__plan__approvers",
        "plan_revision__plan__api__team",
        "subscription__plan_revision__plan",
    )


def waiting_for(actor: Actor) -> Any:
    """What `actor` may decide, the most urgent first: the order of the queue."""
    return with_context(AccessRequest.objects.decidable_by(actor)).order_by("due_at", "pk")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request stands in the queue of one decider; ids are public."""

    number: int
    total: int
    previous: str
    next: str


def place_in_queue(request: AccessRequest, actor: Actor) -> Place | None:
    """The place of a waiting request among those `actor` may decide; None when it is not one of them."""
    ids = list(waiting_for(actor).values_list("public_id", flat=True))
    if request.public_id not in ids:
        return None
    at = ids.index(request.public_id)
    return Place(at + 1, len(ids), ids[at - 1] if at else "", ids[at + 1] if at + 1 < len(ids) else "")


# ---- the asking side's view ----


def pending_change(subscription: Subscription) -> AccessRequest | None:
    """The request for another plan that waits."""
    waiting = subscription.access_requests.filter(state=AccessRequest.State.PENDING)
    return waiting.select_related("plan_revision__plan").first()


def keys_of(subscription: Subscription, actor: Actor) -> list[tuple[Credential, str]]:
    """Its keys, usable ones first, each with who revoked it ("you" for `actor`; empty while it is in use)."""
    keys = sorted(subscription.credentials.all(), key=lambda key: (not key.is_usable, -key.pk))
    ended = AuditEvent.objects.filter(
        name="credential.revoked", target_id__in=[key.public_id for key in keys if not key.is_usable]
    )
    revoked_by = {
        event.target_id: _("you") if event.actor_id == actor.public_id else event.actor_label
        for event in ended
    }
    return [(key, revoked_by.get(key.public_id, "")) for key in keys]


def rotations_of(subscription: Subscription) -> RotationQuerySet:
    """Its rotations, newest first, with both keys."""
    found = Rotation.objects.filter(old__subscription=subscription)
    return found.select_related("old__subscription", "new__subscription")


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One thing that was done, in words."""

    words: str
    who: str
    at: datetime
    note: str


_DONE: dict[str, Any] = {
    "subscription.opened": _lazy("Opened"),
    "subscription.plan_changed": _lazy("Moved to another plan"),
    "subscription.suspended": _lazy("Suspended"),
    "subscription.resumed": _lazy("Resumed"),
    "subscription.closed": _lazy("Closed"),
    "credential.issued": _lazy("Key %(target)s created"),
    "credential.revoked": _lazy("Key %(target)s revoked"),
    "credential.expired": _lazy("Key %(target)s expired"),
    "rotation.started": _lazy("Rotation of %(target)s started"),
    "rotation.extended": _lazy("Rotation of %(target)s extended"),
    "rotation.finished": _lazy("Rotation of %(target)s finished"),
    "rotation.aborted": _lazy("Rotation of %(target)s aborted"),
    "block.set": _lazy("Blocked: quota used up"),
    "block.lifted": _lazy("Block lifted"),
}


def history_of(subscription: Subscription, *, most: int = 8) -> list[HistoryLine]:
    """What was done to a subscription, its keys and blocks, newest first."""
    keys = list(subscription.credentials.values_list("public_id", flat=True))
    blocks = list(subscription.blocks.values_list("public_id", flat=True))
    about = Q(target_kind="subscription", target_id=subscription.public_id)
    about |= Q(target_kind="credential", target_id__in=keys) | Q(target_kind="block", target_id__in=blocks)
    rotations = list(rotations_of(subscription).values_list("public_id", flat=True))
    about |= Q(target_kind="rotation", target_id__in=rotations)
    events = AuditEvent.objects.filter(about, name__in=_DONE).order_by("-id")[:most]
    return [_line(event) for event in events]


def _line(event: AuditEvent) -> HistoryLine:
    words = str(_DONE[event.name]) % {"target": event.target_label}
    return HistoryLine(words, event.actor_label, event.occurred_at, event.note)


def steps_of(request: AccessRequest) -> list[dict[str, Any]]:
    """The way of a request as steps for the page: asked, decided, open."""
    return [_asked_step(request), _decision_step(request), _open_step(request)]


def _asked_step(request: AccessRequest) -> dict[str, Any]:
    label = _("Asked by %(who)s") % {"who": request.requested_by_label}
    return {"label": label, "tone": "live", "at": request.created_at, "detail": ""}


def _decision_step(request: AccessRequest) -> dict[str, Any]:
    state = AccessRequest.State(request.state)
    if request.is_waiting:
        label = _("%(who)s decides") % {"who": who_decides(request.plan_revision.plan)}
        return {"label": label, "tone": "push", "at": None, "due": request.due_at, "detail": ""}
    label = _("%(state)s by %(who)s") % {"state": state.label, "who": request.decided_by_label}
    return {"label": label, "tone": state.tone, "at": request.decided_at, "detail": request.decision_note}


def _open_step(request: AccessRequest) -> dict[str, Any]:
    open_now = request.state == AccessRequest.State.APPROVED
    label = (
        _("Subscription open") if request.kind == AccessRequest.Kind.SUBSCRIPTION else _("On the new plan")
    )
    return {
        "label": label,
        "tone": "live" if open_now else "off",
        "at": request.decided_at if open_now else None,
        "detail": "",
    }


# ---- what `manage.py verify` asks ----


def broken_keys() -> Iterator[str]:
    """A sentence for each key whose sealed value does not open, or is not the key that the row tells of."""
    fields = ("public_id", "key_id", "value_digest", "sealed")
    for public_id, key_id, digest, sealed in (
        Credential.objects.order_by("pk").values_list(*fields).iterator()
    ):
        try:
            value = open_key(sealed, public_id)
        except SealBroken as error:
            yield f"credential {public_id}: {error}"
            continue
        if key_id_of(value) != key_id or value_digest(value) != digest:
            yield f"credential {public_id}: the sealed key is not the one that the row tells of"
