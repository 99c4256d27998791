"""Forms of people and teams. They check what was typed; what is allowed is decided by the actions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from allauth.core import context
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from teams.accounts import may_sign_up
from teams.actions import may_give
from teams.models import Actor, Scope, Team, TeamRole

if TYPE_CHECKING:
    from teams.models import User

SCOPE_WORDS = {
    Scope.READ: _("Read everything that you may see"),
    Scope.TEAMS_WRITE: _("Change teams, members, service accounts and tokens"),
    Scope.APIS_WRITE: _("Change and publish APIs"),
    Scope.SUBSCRIPTIONS_WRITE: _("Change applications, ask for access, issue and revoke keys"),
    Scope.APPROVALS_WRITE: _("Approve and reject requests"),
    Scope.GATEWAYS_WRITE: _("Change gateways and environments"),
    Scope.AI_WRITE: _("Change AI providers, prompts and budgets"),
    Scope.AWS_WRITE: _("Change AWS accounts and Lambda functions"),
}
ROLE_WORDS = {
    TeamRole.OWNER: _("Everything in the team, its members and its tokens too"),
    TeamRole.PUBLISHER: _("Publishes APIs and decides requests for them"),
    TeamRole.DEVELOPER: _("Makes applications, asks for access, holds keys"),
    TeamRole.VIEWER: _("Sees what the team has, changes nothing"),
}
LIFETIMES = {
    "1": _("1 day"),
    "7": _("7 days"),
    "30": _("30 days"),
    "90": _("90 days"),
    "365": _("1 year"),
}
THEMES = {"": _("As the system"), "light": _("Light"), "dark": _("Dark")}


def tried[R](form: forms.Form, call: Callable[..., R], *args: Any, **values: Any) -> R | None:
    """What `call` returns, or None with its ValidationError shown at the fields of `form`."""
    try:
        return call(*args, **values)
    except ValidationError as error:
        for field, messages in _by_field(error).items():
            form.add_error(field if field in form.fields else None, messages)
        return None


def _by_field(error: ValidationError) -> dict[str, Any]:
    return error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}


def grantable_roles(actor: Actor, team: Team, *, instead_of: str = "") -> list[tuple[str, Any]]:
    """The roles that `actor` may give in `team` (to one who has `instead_of` now), from least to most."""
    return [
        (role.value, role.label)
        for role in reversed(TeamRole)
        if may_give(team, role.value, actor, instead_of=instead_of)
    ]


class SignupNameForm(forms.Form):
    """The field that we add to allauth's sign-up. Named in the settings (ACCOUNT_SIGNUP_FORM_CLASS)."""

    name = forms.CharField(
        label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ["name", "email", "password1"]

    def clean(self) -> dict[str, Any]:
        """Where sign-up is closed the link of an invitation admits its own address and no other."""
        cleaned = super().clean() or self.cleaned_data
        email = cleaned.get("email", "")
        if email and not may_sign_up(context.request, email):
            self.add_error("email", _("The invitation is for another address. Use that one."))
        return cleaned

    def signup(self, request: HttpRequest, user: User) -> None:
        """allauth asks for this; the adapter has saved the name already."""


class TeamChangeForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120)
    description = forms.CharField(
        label=_("What the team does"),
        max_length=400,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class TeamForm(TeamChangeForm):
    slug = forms.CharField(
        label=_("Short name"),
        max_length=48,
        required=False,
        help_text=_(
            "Part of addresses, on gateways too; it never changes. Made from the name when left out."
        ),
    )
    field_order = ["name", "slug", "description"]


class RoleForm(forms.Form):
    """A role out of those that the actor may give."""

    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, roles: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
        field.choices = [(value, f"{label}: {ROLE_WORDS[TeamRole(value)]}") for value, label in roles]


class InviteForm(RoleForm):
    email = forms.EmailField(
        label=_("E-mail address"), help_text=_("Only the holder of this address can accept.")
    )
    field_order = ["email", "role"]


class ServiceAccountForm(RoleForm):
    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("What the program is, for example: deploy.")
    )
    field_order = ["name", "role"]


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Where the token is used, so that you know it again.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=[(scope.value, f"{scope.value}: {words}") for scope, words in SCOPE_WORDS.items()],
        widget=forms.CheckboxSelectMultiple,
        initial=[Scope.READ.value],
        help_text=_("A token never allows more than your roles do."),
    )
    lifetime = forms.ChoiceField(label=_("Expires after"), choices=list(LIFETIMES.items()), initial="30")

    def expires_at(self) -> datetime:
        """The moment at which a token made now ends."""
        return timezone.now() + timedelta(days=int(self.cleaned_data["lifetime"]))


class ApproverGroupForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=80)
    people: forms.ModelMultipleChoiceField[User]

    def __init__(self, *args: Any, people: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["people"] = forms.ModelMultipleChoiceField(
            label=_("People"),
            queryset=people,
            to_field_name="public_id",
            required=False,
            widget=forms.CheckboxSelectMultiple,
            help_text=_("They may decide requests for the plans that name this group."),
        )


class ProfileForm(forms.Form):
    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        required=False,
        help_text=_("Shown to your teams and to those who decide your requests."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    theme = forms.ChoiceField(
        label=_("Theme"), choices=list(THEMES.items()), required=False, widget=forms.RadioSelect
    )
    mail_notices = forms.BooleanField(
        label=_("Mail me my notices"), required=False, help_text=_("They stay in the inbox either way.")
    )


class PlatformRolesForm(forms.Form):
    platform_roles = forms.MultipleChoiceField(
        label=_("Platform roles"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "You give the roles that you hold. The others are given by whoever holds them, or on the server by "
            "the command grant_platform_role."
        ),
    )

    def __init__(self, *args: Any, roles: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["platform_roles"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101  (declared above)
        field.choices = roles


def _hint(text: Any) -> forms.TextInput:
    """A text field that shows what may stand in it."""
    return forms.TextInput(attrs={"placeholder": text})


class TrailForm(forms.Form):
    """Filters of the audit trail; all may be empty."""

    team = forms.CharField(label=_("Team"), required=False, max_length=48, widget=_hint(_("short name")))
    name = forms.CharField(label=_("Event"), required=False, max_length=80, widget=_hint("token."))
    target = forms.CharField(label=_("Object"), required=False, max_length=300, widget=_hint(_("id or name")))
    actor = forms.CharField(label=_("Who"), required=False, max_length=200, widget=_hint(_("id or name")))
    after = forms.DateTimeField(
        label=_("From (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
    )
    until = forms.DateTimeField(
        label=_("To (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
    )
