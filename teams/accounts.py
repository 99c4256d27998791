"""How allauth meets our people: who may sign up, which address counts, where a sign-in leads.

ACCOUNT_ADAPTER in the settings; SOCIALACCOUNT_ADAPTER is derived in portal/openid.py.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from teams.actions import sign_up
from teams.addresses import absolute
from teams.invitations import secret_of
from teams.models import Invitation, User, fold

INVITATION = "invitation"
"""Session key: the id of the open invitation by whose link a person came."""


def invitation_of(request: HttpRequest) -> Invitation | None:
    """The invitation by whose link the person came, if it is still open."""
    return Invitation.objects.open().filter(public_id=request.session.get(INVITATION, "")).first()


def may_sign_up(request: HttpRequest, address: str) -> bool:
    """Whether sign-up is open, or `address` is that of the open invitation by which the person came."""
    invitation = None if settings.SIGN_UP_OPEN else invitation_of(request)
    return settings.SIGN_UP_OPEN or (invitation is not None and fold(invitation.email) == fold(address))


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts with address and password."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Everybody where sign-up is open; else who came by an open invitation, with its address (the form)."""
        return settings.SIGN_UP_OPEN or invitation_of(request) is not None

    def clean_email(self, email: str) -> str:
        """One form of each address, so that look-alikes are one person."""
        return fold(super().clean_email(email))

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Save a person with name and personal team, in one transaction."""
        super().save_user(request, user, form, commit=False)
        user.name = form.cleaned_data.get("name", user.name)
        return sign_up(user) if commit else user

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Back to the invitation that brought the person here, else home."""
        invitation = invitation_of(request)
        if invitation is None:
            return str(super().get_login_redirect_url(request))
        del request.session[INVITATION]
        return reverse("invitation", args=[invitation.public_id, secret_of(invitation)])

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        """On our public origin, whatever Host the request came with."""
        return absolute(reverse("account_confirm_email", args=[emailconfirmation.key]))

    def get_reset_password_from_key_url(self, key: str) -> str:
        """On our public origin, whatever Host the request came with."""
        uid, _dash, rest = key.partition("-")
        return absolute(reverse("account_reset_password_from_key", kwargs={"uidb36": uid, "key": rest}))

    def is_safe_url(self, url: str | None) -> bool:
        """Only addresses of this site (T37); allauth would also take every host of ALLOWED_HOSTS."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Spellings that the database takes for one address share one count of failed tries (T29)."""
        return "login:" + fold(str(credentials.get("email") or credentials.get("username") or ""))


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Accounts from an OpenID provider. Nothing is linked by address; a person links it when signed in."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """A newcomer needs an address that the provider has verified."""
        if sociallogin.is_existing or request.user.is_authenticated:
            return
        if not any(address.verified for address in sociallogin.email_addresses):
            raise ImmediateHttpResponse(render(request, "socialaccount/unverified.html", status=403))

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        """Name and address as the provider gives them."""
        user: User = super().populate_user(request, sociallogin, data)
        parts = (data.get("first_name") or "", data.get("last_name") or "")
        user.name = (data.get("name") or " ".join(parts).strip())[:120]
        user.email = fold(user.email)
        return user

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        """Save the person, the link to the provider, and the personal team together."""
        return sign_up(super().save_user(request, sociallogin, form), way="oidc")

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """As with a password: where sign-up is closed the provider must vouch for the invited address."""
        vouched = [address.email for address in sociallogin.email_addresses if address.verified]
        return settings.SIGN_UP_OPEN or any(may_sign_up(request, address) for address in vouched)

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True
