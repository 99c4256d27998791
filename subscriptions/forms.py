"""Forms of this app's pages. Choices are cut to what the actor may use; the actions check again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from apis.models import Environment, PlanRevision
from subscriptions.models import MOST_OVERLAP, Application, Rotation, Subscription
from teams.models import Actor, Team, Verb

NEW = "new"
"""The choice of an application that does not exist yet."""


class ApplicationForm(forms.Form):
    """Register an application, or change what it is called."""

    team = forms.ChoiceField(label=_("Team"), help_text=_("Its members share the application and its keys."))
    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("What your program is called; approvers read it.")
    )
    description = forms.CharField(
        label=_("What it does"), max_length=400, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, actor: Actor, fixed_team: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if fixed_team:
            del self.fields["team"]
        else:
            _choose(self.fields["team"], [(team.public_id, team.name) for team in teams_of(actor)])

    def team_chosen(self) -> Team:
        return Team.objects.get(public_id=self.cleaned_data["team"])


class AccessForm(forms.Form):
    """Ask for a subscription: for which application, where, on which plan, why."""

    use_required_attribute = False  # the name of a new application is hidden while another one is chosen

    application = forms.ChoiceField(label=_("Application"))
    new_team = forms.ChoiceField(label=_("Team"), required=False)
    new_name = forms.CharField(
        label=_("Name of the new application"),
        max_length=120,
        required=False,
        help_text=_("What your program is called; approvers read it."),
    )
    environment = forms.ChoiceField(label=_("Environment"))
    plan = forms.ChoiceField(label=_("Plan"), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_(
            "What the application does with this API, and how often it calls. The decision rests on it."
        ),
    )
    accept_terms = forms.BooleanField(label=_("We accept the terms of the chosen plan"), required=False)

    def __init__(
        self,
        *args: Any,
        actor: Actor,
        applications: Sequence[Application],
        offers: Sequence[PlanRevision],
        environments: Sequence[Environment],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offers, self.environments = offers, environments
        registers = not self.is_bound or self.data.get("application") == NEW
        self.fields["new_name"].required = self.fields["new_team"].required = registers
        teams = teams_of(actor)
        owned = [(item.public_id, f"{item.name} ({item.team.name})") for item in applications]
        _choose(self.fields["application"], [*owned, (NEW, _("Register a new application"))])
        _choose(self.fields["new_team"], [(team.public_id, team.name) for team in teams])
        _choose(self.fields["environment"], [(item.slug, item.name) for item in environments])
        _choose(self.fields["plan"], [(offer.plan.slug, offer.plan.name) for offer in offers])

    @property
    def offer_chosen(self) -> PlanRevision:
        return next(offer for offer in self.offers if offer.plan.slug == self.cleaned_data["plan"])

    @property
    def environment_chosen(self) -> Environment:
        slug = self.cleaned_data["environment"]
        return next(item for item in self.environments if item.slug == slug)


class PlanChangeForm(forms.Form):
    """Ask for another plan."""

    plan = forms.ChoiceField(label=_("Plan"), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Why the present plan does not fit. The decision rests on it."),
    )
    accept_terms = forms.BooleanField(label=_("We accept the terms of the chosen plan"), required=False)

    def __init__(self, *args: Any, offers: Sequence[PlanRevision], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offers = offers
        _choose(self.fields["plan"], [(offer.plan.slug, offer.plan.name) for offer in offers])

    @property
    def offer_chosen(self) -> PlanRevision:
        return next(offer for offer in self.offers if offer.plan.slug == self.cleaned_data["plan"])


class ReasonForm(forms.Form):
    """A reason that the other side reads."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The application's team reads it."),
    )


class RejectForm(forms.Form):
    """Why a request is turned down."""

    note = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Those who asked read it: say what would have to change."),
    )


class RevokeForm(forms.Form):
    """Why a key is taken back; kept with it."""

    reason = forms.CharField(
        label=_("Reason"), max_length=400, required=False, help_text=_("For your own team, in the history.")
    )


class KeyForm(forms.Form):
    """A new key."""

    LIFETIMES = (
        ("", _("Never")),
        ("30", _("In 30 days")),
        ("90", _("In 90 days")),
        ("365", _("In a year")),
    )

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        required=False,
        help_text=_("Where the key will live, so that you know it again: “staging server”."),
    )
    lifetime = forms.ChoiceField(label=_("Expires"), choices=LIFETIMES, required=False)
    after = forms.IntegerField(widget=forms.HiddenInput, min_value=0)

    @classmethod
    def for_subscription(cls, subscription: Subscription) -> KeyForm:
        """An empty form that remembers how many keys there were: sent twice it issues one key."""
        return cls(initial={"after": subscription.credentials.count()})

    @property
    def expires_at(self) -> datetime | None:
        return _in_days(self.cleaned_data["lifetime"])


HOURS = (("1", _("1 hour")), ("24", _("24 hours")), ("168", _("7 days")))
OTHER = "other"
"""The choice of a number of hours of one's own."""


class HoursForm(forms.Form):
    """A length of time, from a few choices or in hours."""

    use_required_attribute = False  # the hours are hidden while another choice is made

    hours = forms.IntegerField(
        label=_("Hours"),
        min_value=1,
        max_value=int(MOST_OVERLAP.total_seconds() // 3600),
        help_text=_("Up to 720, which is 30 days."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["hours"].required = not self.is_bound or self.data.get("overlap") == OTHER

    @property
    def length(self) -> timedelta:
        chosen = self.cleaned_data["overlap"]
        return timedelta(hours=self.cleaned_data["hours"] if chosen == OTHER else int(chosen))


class RotateForm(HoursForm):
    """Replace a key by a new one."""

    field_order = ("overlap", "hours", "name", "lifetime")

    overlap = forms.ChoiceField(
        label=_("Overlap"),
        choices=(*HOURS, (OTHER, _("Other…")), ("0", _("None: revoke the old key at once"))),
        initial="24",
        help_text=_("So long both keys work, and you move your programs to the new one."),
    )
    name = forms.CharField(
        label=_("Name of the new key"),
        max_length=80,
        required=False,
        help_text=_("Where the key lives, so that you know it again."),
    )
    lifetime = forms.ChoiceField(label=_("New key expires"), choices=KeyForm.LIFETIMES, required=False)

    @property
    def expires_at(self) -> datetime | None:
        return _in_days(self.cleaned_data["lifetime"])


class ExtendForm(HoursForm):
    """Let both keys work longer. It remembers the end that was shown: sent twice it extends once."""

    field_order = ("overlap", "hours")

    overlap = forms.ChoiceField(label=_("Longer by"), choices=(*HOURS, (OTHER, _("Other…"))), initial="24")
    shown = forms.CharField(widget=forms.HiddenInput, max_length=40)

    @classmethod
    def for_rotation(cls, rotation: Rotation) -> ExtendForm:
        return cls(initial={"shown": rotation.ends_at.isoformat()}, auto_id=f"{rotation.public_id}_%s")

    def clean_shown(self) -> datetime:
        moment = parse_datetime(self.cleaned_data["shown"])
        if moment is None or timezone.is_naive(moment):
            raise ValidationError(_("Open this form anew."))
        return moment

    @property
    def ends_at(self) -> datetime:
        moment: datetime = self.cleaned_data["shown"]
        return moment + self.length


def _in_days(days: str) -> datetime | None:
    return timezone.now() + timedelta(days=int(days)) if days else None


def teams_of(actor: Actor) -> list[Team]:
    """Teams in which `actor` may register applications and ask for access."""
    return list(Team.objects.filter(pk__in=actor.team_ids(Verb.APPLICATION_EDIT)))


def take_errors(form: forms.Form, error: ValidationError) -> None:
    """Put what an action found wrong beside the fields that it names."""
    found = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    for name, messages in found.items():
        form.add_error(name if name in form.fields else None, list(messages))


def _choose(field: forms.Field, choices: Sequence[tuple[str, Any]]) -> None:
    if isinstance(field, forms.ChoiceField):
        field.choices = choices
