"""Applications: registered, described, archived."""

from __future__ import annotations

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.models import ActionRefused
from subscriptions.actions.decisions import lapse_open_requests
from subscriptions.actions.locks import lock_application
from subscriptions.actions.subscriptions import close_locked
from subscriptions.models import Application
from teams.models import Actor, Team, Verb

SLUG_LENGTH = 48


@transaction.atomic
def create_application(
    team: Team, name: str, *, actor: Actor, description: str = "", slug: str = ""
) -> Application:
    """Register an application of `team`. Without `slug` one is made from the name.

    Raises ValidationError when the team has one with this short name, PermissionDenied without
    application.edit in the team.
    """
    actor.require(Verb.APPLICATION_EDIT, team)
    application = Application(
        team=team, name=name.strip(), description=description.strip(), slug=slug or _free_slug(team, name)
    )
    application.full_clean()
    application.save()
    record_event(
        "application.created",
        application,
        actor=actor,
        after={"name": application.name, "slug": application.slug, "description": application.description},
    )
    return application


@transaction.atomic
def change_application(
    application: Application, *, actor: Actor, name: str, description: str = ""
) -> Application:
    """Change the name and the description; the short name stays. Raises ActionRefused when archived."""
    application = lock_application(application.pk)
    actor.require(Verb.APPLICATION_EDIT, application.team)
    require_active(application)
    before = {"name": application.name, "description": application.description}
    application.name, application.description = name.strip(), description.strip()
    application.full_clean()
    application.save()
    after = {"name": application.name, "description": application.description}
    record_event("application.changed", application, actor=actor, before=before, after=after)
    return application


@transaction.atomic
def archive_application(application: Application, *, actor: Actor, reason: str = "") -> Application:
    """End an application: its open requests lapse, its subscriptions close, its keys are revoked.

    Raises TransitionNotAllowed when it is archived already.
    """
    application = lock_application(application.pk)
    actor.require(Verb.APPLICATION_EDIT, application.team)
    application.move_to(Application.State.ARCHIVED)
    why = reason.strip() or _("The application was archived")
    lapse_open_requests(application.access_requests.all(), why)
    for subscription in application.subscriptions.open().order_by("pk"):
        close_locked(subscription, actor=actor, reason=why)
    application.full_clean()
    application.save()
    record_event("application.archived", application, actor=actor, note=reason)
    return application


def require_active(application: Application) -> None:
    """Raise ActionRefused unless `application` is in use."""
    if application.state != Application.State.ACTIVE:
        raise ActionRefused(
            _("%(application)s is archived. Register a new application to call APIs.")
            % {"application": application},
            code="application_archived",
        )


def _free_slug(team: Team, name: str) -> str:
    """A short name after `name` that the team has not used yet."""
    base = slugify(name)[:SLUG_LENGTH].strip("-") or "application"
    taken = set(team.applications.filter(slug__startswith=base[:40]).values_list("slug", flat=True))
    numbered = (f"{base[: SLUG_LENGTH - 4].strip('-')}-{number}" for number in range(2, 1_000))
    return base if base not in taken else next((slug for slug in numbered if slug not in taken), base)
