"""Pages of a person: the own settings, notices; and, for administrators, everybody."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from teams import actions
from teams.access import SIGNED_IN, HtmxHttpRequest, htmx_partial, page, platform_wide
from teams.forms import THEMES, PlatformRolesForm, ProfileForm, tried
from teams.models import Notice, PlatformRole, User, Verb
from teams.queries import unread_count
from teams.views.shared import confirm_page, form_page

THEME_COOKIE = "gatehouse_theme"
THEME_LASTS = 365 * 24 * 3600
NOTICES_A_PAGE = 30
PEOPLE_A_PAGE = 50


@page(SIGNED_IN, methods=("GET", "POST"))
def profile(request: HtmxHttpRequest) -> HttpResponse:
    """Name, theme, mails. The theme is a matter of the browser: it lives in a cookie."""
    user = _person(request)
    theme = request.COOKIES.get(THEME_COOKIE, "")
    initial = {
        "name": user.name,
        "mail_notices": user.mail_notices,
        "theme": theme if theme in THEMES else "",
    }
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = {key: form.cleaned_data[key] for key in ("name", "mail_notices")}
        if tried(form, actions.change_profile, actor=request.actor, **values) is not None:
            messages.success(request, _("Saved."))
            answer = redirect("profile")
            answer.set_cookie(THEME_COOKIE, form.cleaned_data["theme"], max_age=THEME_LASTS, samesite="Lax")
            return answer
    return render(request, "teams/profile.html", {"form": form}, status=422 if form.errors else 200)


@page(SIGNED_IN)
def notices(request: HtmxHttpRequest) -> HttpResponse:
    """The inbox, newest first."""
    listed = Paginator(Notice.objects.visible_to(request.actor), NOTICES_A_PAGE).get_page(
        request.GET.get("page")
    )
    context = {"listed": listed, "unread": unread_count(_person(request))}
    return render(request, "teams/notice_list.html", context)


@page(SIGNED_IN, methods=("POST",))
def notices_read(request: HtmxHttpRequest) -> HttpResponse:
    """Mark all as read."""
    actions.mark_notices_read(actor=request.actor)
    return redirect("notices")


@page(SIGNED_IN, methods=("POST",))
def notice_open(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Mark one as read; lead where it leads, or (htmx) show it anew."""
    notice = get_object_or_404(Notice.objects.visible_to(request.actor), public_id=public_id)
    actions.mark_notices_read(actor=request.actor, notices=[notice])
    if htmx_partial(request):
        notice.refresh_from_db()
        return render(request, "teams/notice_list.html#notice", {"notice": notice})
    return redirect(notice.path or "notices")


@page(platform_wide(Verb.AUDIT_VIEW))
def administration(request: HtmxHttpRequest) -> HttpResponse:
    """Everybody, with their platform roles: for platform administrators and auditors."""
    people, words = User.objects.order_by("email"), request.GET.get("q", "").strip()
    if words:
        people = people.filter(Q(name__icontains=words) | Q(email__icontains=words) | Q(public_id=words))
    listed = Paginator(people, PEOPLE_A_PAGE).get_page(request.GET.get("page"))
    context = {"listed": listed, "words": words, "manages": request.actor.everywhere(Verb.TEAM_MANAGE)}
    return render(request, "teams/person_list.html", context)


@page(platform_wide(Verb.TEAM_MANAGE), methods=("GET", "POST"))
def person_roles(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    person = get_object_or_404(User, public_id=public_id)
    held = request.actor.platform_roles
    roles = [
        (role.value, role.label) for role in PlatformRole if role in held or role in person.platform_roles
    ]
    initial = {"platform_roles": person.platform_roles}
    form = PlatformRolesForm(request.POST or None, roles=roles, initial=initial)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["platform_roles"]
        if tried(form, actions.change_platform_roles, person, actor=request.actor, roles=wanted) is not None:
            return redirect("administration")
    title = _("Platform roles of %(person)s") % {"person": person}
    return form_page(request, form, title, _("Save"), back="administration", crumb=_("People"))


@page(platform_wide(Verb.TEAM_MANAGE), methods=("GET", "POST"))
def person_disable(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Disable a person, or enable a disabled one."""
    person = get_object_or_404(User, public_id=public_id)
    if request.method == "POST":
        (actions.disable_user if person.is_active else actions.enable_user)(person, actor=request.actor)
        return redirect("administration")
    if person.is_active:
        title, submit = _("Disable %(person)s?"), _("Disable")
        text = _(
            "Sessions end and tokens are revoked at once, and subscriptions of a personal team in which nobody else "
            "is are suspended. Memberships stay for their return."
        )
    else:
        title, submit = _("Enable %(person)s?"), _("Enable")
        text = _(
            "They can sign in again, and their suspended subscriptions are resumed. Tokens stay revoked."
        )
    back = reverse("administration")
    return confirm_page(request, title % {"person": person}, text, submit, back=back, crumb=_("People"))


def _person(request: HtmxHttpRequest) -> User:
    if request.actor.user is None:
        raise Http404
    return request.actor.user
