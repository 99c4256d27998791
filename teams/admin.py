"""The operators' site: read-only, so that nothing goes past the actions and the audit trail.

It registers what is named here and nothing else; sign-in is the portal's own.
"""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite, ModelAdmin, display
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

from audit.models import AuditEvent
from teams.models import Team, User


class OperatorsSite(AdminSite):
    """Staff only; who is signed out goes through the portal's sign-in with its limits and second factor."""

    site_header = site_title = _("Gatehouse operators")
    index_title = _("Look things up")
    enable_nav_sidebar = False
    login = method_decorator(secure_admin_login)(AdminSite.login)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        """Passwords change where sessions and second factors are looked after."""
        return redirect("account_change_password")


class ReadOnlyAdmin[M: Any](ModelAdmin[M]):
    """Shows, never changes."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class UserAdmin(ReadOnlyAdmin[User]):
    list_display = ["email", "name", "is_active", "last_login", "platform_role_names"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["email", "name", "public_id"]
    fields = [
        "public_id",
        "email",
        "name",
        "platform_role_names",
        "is_active",
        "is_staff",
        "last_login",
        "created_at",
    ]

    @display(description=_("platform roles"))
    def platform_role_names(self, user: User) -> str:
        return ", ".join(user.platform_roles) or "–"


class TeamAdmin(ReadOnlyAdmin[Team]):
    list_display = ["slug", "name", "created_at"]
    search_fields = ["slug", "name", "public_id"]
    fields = ["public_id", "slug", "name", "description", "personal_of", "created_at", "updated_at"]


class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    list_display = ["occurred_at", "name", "target_label", "actor_label"]
    search_fields = ["target_id", "actor_id", "name"]
    show_full_result_count = False
    fields = [
        "public_id", "occurred_at", "name", "team_id", "actor_kind", "actor_id", "actor_label", "target_kind",
        "target_id", "target_label", "before", "after", "note", "request_id",
    ]  # fmt: skip


operators = OperatorsSite(name="admin")
operators.register(User, UserAdmin)
operators.register(Team, TeamAdmin)
operators.register(AuditEvent, AuditEventAdmin)
