"""The editor of a prompt: its draft as a form, and what a call would send, as somebody types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from ai.actions import DraftMovedOn, PromptNotReady, freeze_version, save_draft
from ai.actions.prompts import cleaned_draft
from ai.forms.prompt_rows import editor_rows
from ai.forms.prompts import FreezeForm, changed_by, draft_of, values_of
from ai.models import Prompt
from ai.prompt_queries import (
    latest_version,
    models_of_route,
    problems_of_draft,
    rendered,
    route_named,
    usable_models,
    usable_routes,
)
from ai.prompts.drafts import read_draft, with_named
from ai.views.prompt_lookup import own_prompt, ticket_url
from audit.models import ActionRefused
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.models import Verb

INVALID, CONFLICT = 422, 409
SAVE, FREEZE = "save", "freeze"


@page(Verb.PROMPT_EDIT, methods=("GET", "POST"))
def prompt_editor(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """The draft. Every button sends the whole form: those that add, move or remove answer with it and save nothing."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_EDIT)
    if request.method != "POST":
        return _editor(request, prompt, prompt.draft)
    deed = request.POST.get("do", SAVE)
    draft = with_named(draft_of(request.POST))
    if deed in (SAVE, FREEZE):
        return _saved(request, prompt, draft, deed)
    return _editor(request, prompt, changed_by(draft, deed))


def _saved(request: HtmxHttpRequest, prompt: Prompt, draft: dict[str, Any], deed: str) -> HttpResponseBase:
    seen = request.POST.get("seen", "")
    try:
        problems = save_draft(
            prompt, actor=request.actor, draft=draft, seen=int(seen) if seen.isdecimal() else None
        )
    except DraftMovedOn as refusal:
        return _editor(request, prompt, draft, said=refusal.message, status=CONFLICT)
    except ValidationError as error:
        return _editor(request, prompt, draft, said=" ".join(error.messages), status=INVALID)
    if deed == FREEZE and not problems:
        return redirect("prompt-freeze", prompt.team.slug, prompt.slug)
    messages.success(request, _("The draft is saved. Calls get it once it is frozen and a label names it."))
    return redirect("prompt-editor", prompt.team.slug, prompt.slug)


def _editor(
    request: HtmxHttpRequest, prompt: Prompt, draft: dict[str, Any], *, said: str = "", status: int = 200
) -> HttpResponseBase:
    context = _context(request, prompt, draft) | {
        "said": said,
        "routes": usable_routes(prompt.team),
        "ticket_url": ticket_url(),
        "models": usable_models(prompt.team),
    }
    route = route_named(prompt.team, draft.get("route", ""))
    context["on_route"] = {model.pk for model in models_of_route(route)} if route else set()
    template = "ai/prompts/prompt_editor.html" + ("#editor" if htmx_partial(request) else "")
    return render(request, template, context, status=status)


@page(Verb.PROMPT_EDIT, methods=("POST",))
def prompt_preview(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """What a call would send, of the form as it stands; nothing is saved. A fragment of the editor.

    New names in the messages bring their rows along, out of band, so that no field is drawn anew while one types in it.
    """
    prompt = own_prompt(request, team, slug, Verb.PROMPT_EDIT)
    sent = draft_of(request.POST)
    draft = with_named(sent)
    shown = request.POST.get("shown", "")
    context = _context(request, prompt, draft)
    context["redraw"] = shown != context["rows"].shown
    return render(request, "ai/prompts/editor_preview.html", context)


def _context(request: HtmxHttpRequest, prompt: Prompt, draft: dict[str, Any]) -> dict[str, Any]:
    try:
        problems = problems_of_draft(prompt, cleaned_draft(draft))
        trouble = ""
    except ValidationError as error:
        problems, trouble = [], " ".join(error.messages)
    values = values_of(request.POST, draft)
    rows = editor_rows(draft, values, problems)
    preview = None if trouble else _preview(prompt, draft, values)
    return {
        "prompt": prompt,
        "rows": rows,
        "problems": problems,
        "trouble": trouble,
        "preview": preview,
        "sent": [(message["role"], _parts(message["content"])) for message in preview.messages]
        if preview
        else [],
        "payload": _payload(draft, values),
    }


def _parts(content: Any) -> list[str]:
    """The texts of a message; an image or a file as a word."""
    if isinstance(content, str):
        return [content]
    return [str(part.get("text", f"[{part['type']}]")) for part in content]


def _preview(prompt: Prompt, draft: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    read = read_draft(draft)
    if read is None:
        return None
    route = route_named(prompt.team, draft["route"])
    known = {variable.name for variable in read.variables}
    given = {name: value for name, value in values.items() if name in known}
    try:
        return rendered(read, draft, given, models_of_route(route) if route else [])
    except (ValueError, TypeError):  # a schema of a variable or a parameter that is no such thing yet
        return None


def _payload(draft: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What the browser hands to the runtime for a try (AI.md, the editor's endpoint)."""
    parts = ("messages", "variables", "output_schema", "parameters", "guard")
    return {"prompt": {name: draft[name] for name in parts}, "values": dict(values)}


@page(Verb.PROMPT_EDIT, methods=("GET", "POST"))
def prompt_freeze(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """What is checked before the draft becomes a version, and the button that does it."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_EDIT)
    form = FreezeForm(request.POST if request.method == "POST" else None)
    refused: ActionRefused | None = None
    if form.is_bound and form.is_valid():
        try:
            version = freeze_version(prompt, actor=request.actor, note=form.cleaned_data["note"])
        except PromptNotReady:
            pass  # the page lists what is wrong anyway
        except ActionRefused as refusal:
            refused = refusal
        else:
            messages.success(request, _("Version %(n)s is frozen.") % {"n": version.number})
            return redirect("prompt-version", team, slug, version.number)
    newest = latest_version(prompt)
    context = {
        "prompt": prompt,
        "form": form,
        "refused": refused,
        "problems": problems_of_draft(prompt),
        "next_number": newest.number + 1 if newest else 1,
    }
    return render(request, "ai/prompts/prompt_freeze.html", context, status=INVALID if form.is_bound else 200)
