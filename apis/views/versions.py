"""A version in the publish area: what is missing, its document, its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apis.actions import (
    SpecNotAccepted,
    create_version,
    deprecate_version,
    import_spec,
    read_document,
    reinstate_version,
    retire_version,
)
from apis.forms import DeprecateForm, NoteForm, SpecForm, add_errors
from apis.models import ApiVersion
from apis.queries import (
    SpecChange,
    all_plans,
    bound_environments,
    compare_documents,
    operations_of,
    publish_steps,
)
from apis.views.lookup import editable_api, editable_version, own_version
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.models import Verb

INVALID = 422


@page(Verb.API_VIEW)
def version_detail(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """The checklist with the one next step, and everything that a version is made of."""
    version = own_version(request, team, slug, major)
    text = request.GET.get("q", "")[:200]
    context = _context(request, version) | {
        "operations": operations_of(version.spec, text),
        "q": text,
        "plans": all_plans(version.api),
        "environments": bound_environments(version.upstream),
        "revisions": version.revisions.select_related("spec", "upstream").order_by("-number")[:20],
        "deprecate_form": DeprecateForm(),
        "note_form": NoteForm(),
    }
    template = "apis/version_detail.html" + ("#operations" if htmx_partial(request) else "")
    return render(request, template, context)


@page(Verb.API_EDIT, methods=("GET", "POST"))
def version_create(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """The next major version, as a draft."""
    api = editable_api(request, team, slug)
    if request.method == "POST":
        version = create_version(api, actor=request.actor)
        messages.success(request, _("%(version)s is a draft now.") % {"version": version})
        return redirect("version-detail", team, slug, version.major)
    return render(request, "apis/version_create.html", {"api": api})


@page(Verb.API_EDIT, methods=("GET", "POST"))
def version_spec(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """Upload or replace the document. The button "check" shows what would change and saves nothing."""
    version = editable_version(request, team, slug, major)
    form = SpecForm(request.POST or None, request.FILES or None)
    context = {"form": form, "version": version, "api": version.api}
    if request.method == "POST" and form.is_valid():
        try:
            if "check" in request.POST:
                return _checked(request, version, form, context)
            return _imported(request, version, form)
        except SpecNotAccepted as refusal:
            context["refusal"] = refusal
            form.keep()
        except ValidationError as error:
            add_errors(form, error)
    return render(request, "apis/version_spec.html", context, status=INVALID if form.is_bound else 200)


def _checked(
    request: HtmxHttpRequest, version: ApiVersion, form: SpecForm, context: dict[str, Any]
) -> HttpResponseBase:
    read = read_document(form.document or b"", form.filename)
    form.keep(read)
    before = version.spec.text if version.spec else '{"paths": {}}'
    context |= {"read": read, "change": compare_documents(before, read.text)}
    return render(request, "apis/version_spec.html", context)


def _imported(request: HtmxHttpRequest, version: ApiVersion, form: SpecForm) -> HttpResponseBase:
    before = version.spec
    spec = import_spec(version, actor=request.actor, data=form.document or b"", filename=form.filename)
    change = compare_documents(before.text if before else '{"paths": {}}', spec.text)
    messages.success(request, _said(change))
    return redirect("version-detail", version.api.team.slug, version.api.slug, version.major)


def _said(change: SpecChange) -> str:
    if change.nothing:
        return _("The document is saved. Its operations are the same as before.")
    return _(
        "The document is saved: %(added)s operations added, %(changed)s changed, %(removed)s removed."
    ) % {
        "added": len(change.added),
        "changed": len(change.changed),
        "removed": len(change.removed),
    }


@page(Verb.API_VIEW)
def version_download(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """The draft document of the own team, as a file."""
    version = own_version(request, team, slug, major)
    if version.spec is None:
        raise Http404
    name = f"{slug}-v{major}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(version.spec.text, content_type="application/json", headers=headers)


@dataclass(frozen=True, slots=True)
class Ending:
    """One of the moves at the end of a version's life, as page and dialog."""

    template: str
    form: type[NoteForm]
    action: Callable[..., ApiVersion]


DEPRECATE = Ending("apis/version_confirm_deprecate.html", DeprecateForm, deprecate_version)
REINSTATE = Ending("apis/version_confirm_reinstate.html", NoteForm, reinstate_version)
RETIRE = Ending("apis/version_confirm_retire.html", NoteForm, retire_version)


@page(Verb.API_PUBLISH, methods=("GET", "POST"))
def version_deprecate(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """Announce the end."""
    return _end(request, editable_version(request, team, slug, major, Verb.API_PUBLISH), DEPRECATE)


@page(Verb.API_PUBLISH, methods=("GET", "POST"))
def version_reinstate(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """Take the announcement back."""
    return _end(request, editable_version(request, team, slug, major, Verb.API_PUBLISH), REINSTATE)


@page(Verb.API_PUBLISH, methods=("GET", "POST"))
def version_retire(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """End it for good."""
    return _end(request, editable_version(request, team, slug, major, Verb.API_PUBLISH), RETIRE)


def _end(request: HtmxHttpRequest, version: ApiVersion, ending: Ending) -> HttpResponseBase:
    form = ending.form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            ending.action(version, actor=request.actor, **form.cleaned_data)
        except ValidationError as error:
            add_errors(form, error)
        else:
            return redirect("version-detail", version.api.team.slug, version.api.slug, version.major)
    context = {"form": form, "version": version, "api": version.api}
    return render(request, ending.template, context, status=INVALID if form.is_bound else 200)


def _context(request: HtmxHttpRequest, version: ApiVersion) -> dict[str, Any]:
    steps = publish_steps(version)
    newest = version.revisions.order_by("-number").first()
    return {
        "version": version,
        "api": version.api,
        "steps": steps,
        "next_step": next((step.key for step in steps if not step.done), ""),
        "newest": newest,
        "draft_differs": newest is not None
        and (newest.spec_id, newest.upstream_id) != (version.spec_id, version.upstream_id),
        "may_edit": request.actor.may(Verb.API_EDIT, version.api.team),
        "may_deprecate": version.may_move_to(ApiVersion.State.DEPRECATED),
        "may_retire": version.may_move_to(ApiVersion.State.RETIRED),
    }
