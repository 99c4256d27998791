"""A person who signs in by e-mail."""

from __future__ import annotations

import unicodedata
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from audit.models import Record
from teams import permissions


class PlatformRole(models.TextChoices):
    """Roles over all teams."""

    ADMINISTRATOR = permissions.ADMINISTRATOR, _("Administrator")
    APPROVER = permissions.APPROVER, _("Approver")
    AUDITOR = permissions.AUDITOR, _("Auditor")


def fold(address: str) -> str:
    """One spelling of an address: compatibility characters resolved, case and outer blanks removed.

    Wherever an address comes in it goes through here, so that look-alikes are one person.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", address).casefold()).strip()


class UserManager(BaseUserManager["User"]):
    """Makes users; addresses are kept in one spelling so that one person is one row."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A user with `email`; without a password nobody can sign in by password."""
        user = self.model(email=fold(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A person who may enter the operators' admin site; the command `createsuperuser` also makes them a
        platform administrator, with a personal team, by `install_administrator`."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(Record, AbstractBaseUser, PermissionsMixin):
    """A person. Never deleted: `anonymised_at` ends a user whose name and address were taken out."""

    public_id_prefix = "usr"

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    platform_roles = ArrayField(
        models.CharField(max_length=16, choices=PlatformRole),
        default=list,
        blank=True,
        verbose_name=_("platform roles"),
    )
    is_staff = models.BooleanField(_("may use the operators' admin site"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    mail_notices = models.BooleanField(_("send notices by mail"), default=True)
    anonymised_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email.split("@")[0]
