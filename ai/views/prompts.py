"""Prompts of the reader's teams: the list, a new one, its versions and labels, its tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _

from ai.actions import change_prompt, create_prompt, move_label, retire_prompt
from ai.comparison import compare
from ai.forms.prompts import LabelForm, PromptForm, PromptTextsForm, ReasonForm, add_action_errors
from ai.models import Prompt, PromptVersion, TestRun
from ai.prompt_queries import (
    editing_teams,
    failed_requirements,
    listed_prompts,
    models_of_route,
    plain_version,
    problems_of_draft,
)
from ai.prompts.variables import variables_of
from ai.views import prompt_editor, prompt_tests
from ai.views.prompt_lookup import own_prompt, own_version
from audit.models import ActionRefused
from teams.access import HtmxHttpRequest, page
from teams.models import Verb

INVALID = 422
PAGE_SIZE = 50


@page(Verb.PROMPT_VIEW)
def prompt_list(request: HtmxHttpRequest) -> HttpResponseBase:
    """The prompts of the reader's teams with their labels and their last tests."""
    shown = Paginator(listed_prompts(request.actor), PAGE_SIZE).get_page(request.GET.get("page"))
    may_create = editing_teams(request.actor).exists()
    return render(request, "ai/prompts/prompt_list.html", {"listed": shown, "may_create": may_create})


@page(Verb.PROMPT_EDIT, methods=("GET", "POST"))
def prompt_create(request: HtmxHttpRequest) -> HttpResponseBase:
    """A new prompt, which begins with a draft that works."""
    form = PromptForm(request.POST if request.method == "POST" else None, actor=request.actor)
    if form.is_bound and form.is_valid():
        try:
            prompt = create_prompt(actor=request.actor, **form.cleaned_data)
        except ValidationError as error:
            add_action_errors(form, error)
        else:
            return redirect("prompt-editor", prompt.team.slug, prompt.slug)
    return render(
        request, "ai/prompts/prompt_create.html", {"form": form}, status=INVALID if form.is_bound else 200
    )


@page(Verb.PROMPT_VIEW)
def prompt_detail(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """Versions and labels, what waits in the draft, where it is used."""
    prompt = own_prompt(request, team, slug)
    runs = TestRun.objects.filter(prompt=prompt).select_related("version__prompt")
    context = _rights(request, prompt) | {
        "versions": prompt.versions.select_related("route").prefetch_related("labels").order_by("-number"),
        "labels": prompt.labels.select_related("version").order_by("name"),
        "last_run": runs.order_by("-id").first(),
        "problems": problems_of_draft(prompt),
        "reason_form": ReasonForm(),
    }
    return render(request, "ai/prompts/prompt_detail.html", context)


@page(Verb.PROMPT_EDIT, methods=("GET", "POST"))
def prompt_texts(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """Name and description."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_EDIT)
    initial = {"name": prompt.name, "description": prompt.description}
    form = PromptTextsForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound and form.is_valid():
        change_prompt(prompt, actor=request.actor, **form.cleaned_data)
        return redirect("prompt-detail", team, slug)
    context = {"form": form, "prompt": prompt}
    return render(request, "ai/prompts/prompt_texts.html", context, status=INVALID if form.is_bound else 200)


@page(Verb.PROMPT_RELEASE, methods=("GET", "POST"))
def prompt_retire(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """End it for good."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_RELEASE)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        retire_prompt(prompt, actor=request.actor, **form.cleaned_data)
        messages.success(request, _("%(prompt)s is retired.") % {"prompt": prompt})
        return redirect("prompts")
    context = {"form": form, "prompt": prompt}
    return render(request, "ai/prompts/prompt_retire.html", context, status=INVALID if form.is_bound else 200)


@page(Verb.PROMPT_VIEW)
def prompt_version(request: HtmxHttpRequest, team: str, slug: str, number: int) -> HttpResponseBase:
    """A frozen version: what it is made of, and what differs from another."""
    prompt = own_prompt(request, team, slug)
    version = own_version(prompt, number)
    return render(request, "ai/prompts/prompt_version.html", _version_context(request, prompt, version))


@page(Verb.PROMPT_RELEASE, methods=("POST",))
def label_move(request: HtmxHttpRequest, team: str, slug: str, number: int) -> HttpResponseBase:
    """Let a label stand for this version."""
    prompt = own_prompt(request, team, slug, Verb.PROMPT_RELEASE)
    version = own_version(prompt, number)
    form = LabelForm(request.POST, prompt=prompt)
    refused: ActionRefused | None = None
    if form.is_valid():
        try:
            label = move_label(prompt, actor=request.actor, version=version, **form.cleaned_data)
        except ValidationError as error:
            add_action_errors(form, error)
        except ActionRefused as refusal:
            refused = refusal
        else:
            messages.success(
                request, _("%(label)s stands for version %(n)s now.") % {"label": label.name, "n": number}
            )
            return redirect("prompt-version", team, slug, number)
    context = _version_context(request, prompt, version) | {"label_form": form, "refused": refused}
    return render(request, "ai/prompts/prompt_version.html", context, status=INVALID)


def _version_context(request: HtmxHttpRequest, prompt: Prompt, version: PromptVersion) -> dict[str, Any]:
    others = prompt.versions.exclude(pk=version.pk).select_related("route").order_by("-number")
    wanted = request.GET.get("against", "")
    against = _against(others, wanted, version)
    return _rights(request, prompt) | {
        "version": version,
        "variables": variables_of(version.variables),
        "labels": version.labels.order_by("name"),
        "others": others,
        "against": against,
        "comparison": compare(plain_version(against), plain_version(version)) if against else None,
        "breaks": against is not None and against.interface != version.interface,
        "models": models_of_route(version.route),
        "unmet": failed_requirements(version),
        "label_form": LabelForm(prompt=prompt),
        "runs": TestRun.objects.filter(version=version).select_related("model__provider").order_by("-id")[:5],
    }


def _against(others: Iterable[PromptVersion], wanted: str, version: PromptVersion) -> PromptVersion | None:
    """The version that was asked for, else the one before."""
    if wanted.isdecimal():
        found = next((other for other in others if other.number == int(wanted)), None)
        if found is not None:
            return found
    return next((other for other in others if other.number < version.number), None)


def _rights(request: HtmxHttpRequest, prompt: Prompt) -> dict[str, Any]:
    in_use = prompt.retired_at is None
    return {
        "prompt": prompt,
        "may_edit": in_use and request.actor.may(Verb.PROMPT_EDIT, prompt.team),
        "may_release": in_use and request.actor.may(Verb.PROMPT_RELEASE, prompt.team),
        "may_offer": in_use and request.actor.may(Verb.API_EDIT, prompt.team),
    }


PROMPT = "ai/prompts/<slug:team>/<slug:slug>/"

PROMPT_URLS = [
    path("ai/prompts/", prompt_list, name="prompts"),
    path("ai/prompts/new/", prompt_create, name="prompt-create"),
    path(PROMPT, prompt_detail, name="prompt-detail"),
    path(f"{PROMPT}texts/", prompt_texts, name="prompt-texts"),
    path(f"{PROMPT}retire/", prompt_retire, name="prompt-retire"),
    path(f"{PROMPT}edit/", prompt_editor.prompt_editor, name="prompt-editor"),
    path(f"{PROMPT}preview/", prompt_editor.prompt_preview, name="prompt-preview"),
    path(f"{PROMPT}freeze/", prompt_editor.prompt_freeze, name="prompt-freeze"),
    path(f"{PROMPT}v<int:number>/", prompt_version, name="prompt-version"),
    path(f"{PROMPT}v<int:number>/label/", label_move, name="label-move"),
    path(f"{PROMPT}tests/", prompt_tests.prompt_tests, name="prompt-tests"),
    path(f"{PROMPT}cases/new/", prompt_tests.test_case_create, name="test-case-create"),
    path(f"{PROMPT}cases/<slug:public_id>/", prompt_tests.test_case_change, name="test-case-change"),
    path(f"{PROMPT}cases/<slug:public_id>/retire/", prompt_tests.test_case_retire, name="test-case-retire"),
    path(f"{PROMPT}runs/start/", prompt_tests.test_run_start, name="test-run-start"),
    path(f"{PROMPT}runs/<slug:public_id>/", prompt_tests.test_run, name="test-run"),
]
