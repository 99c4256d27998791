"""Providers: the list, the choice of a vendor, one of them, and its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from ai import actions
from ai.forms.providers import ChangeKeyForm, ChangeProviderForm, EndForm, KeyForm, KeyValueForm, ProviderForm
from ai.models import AiModel, Provider, ProviderKey
from ai.queries import may_manage, price_of, readiness_of, routes_through, with_counts, with_prices
from ai.vendors import all_vendors, found_vendors, vendor_named
from ai.views.lookup import find_provider, managed_key, managed_provider
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.access.refusals import tried
from teams.models import Verb

INVALID = 422
MODELS_A_PAGE = 50
FLAGS = ("unknown", "disputed", "override", "toy")


@page(Verb.AI_VIEW)
def provider_list(request: HtmxHttpRequest) -> HttpResponseBase:
    """Every provider the reader may use, with what is missing for it to be called."""
    visible = Provider.objects.visible_to(request.actor)
    providers = with_counts(visible.exclude(state=Provider.State.REMOVED)).order_by("name", "pk")
    context = {
        "rows": [(provider, readiness_of(provider), vendor_named(provider.vendor)) for provider in providers],
        "removed": visible.filter(state=Provider.State.REMOVED).count(),
        "may_add": request.actor.may(Verb.AI_MANAGE),
    }
    return render(request, "ai/providers/provider_list.html", context)


@page(Verb.AI_MANAGE)
def provider_vendors(request: HtmxHttpRequest) -> HttpResponseBase:
    """Choose a vendor, or a server of one's own."""
    words = request.GET.get("q", "").strip()[:200]
    found = found_vendors(words)
    context = {
        "words": words,
        "companies": [vendor for vendor in found if not vendor.is_own_server],
        "servers": [vendor for vendor in found if vendor.is_own_server],
        "total": len(all_vendors()),
    }
    template = "ai/providers/provider_vendors.html" + ("#found" if htmx_partial(request) else "")
    return render(request, template, context)


@page(Verb.AI_MANAGE, methods=("GET", "POST"))
def provider_create(request: HtmxHttpRequest) -> HttpResponseBase:
    """A new provider: of the vendor in the address, or a server of one's own."""
    vendor = vendor_named(request.GET.get("vendor", ""))
    form = ProviderForm(
        request.POST if request.method == "POST" else None, actor=request.actor, vendor=vendor
    )
    if request.method == "POST" and form.is_valid():
        provider = tried(form, actions.create_provider, actor=request.actor, **form.arguments)
        if provider is not None:
            messages.success(request, _("Added. Give it a key, then try it."))
            return redirect("ai-provider", provider.public_id)
    context = {"form": form, "vendor": vendor}
    return _form_page(request, "ai/providers/provider_form.html", context)


@page(Verb.AI_VIEW)
def provider_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """One provider: keys, models with capabilities and prices."""
    provider = find_provider(request, public_id)
    models, words, flag = _models(request, provider)
    listed = Paginator(models, MODELS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "provider": provider,
        "readiness": readiness_of(provider),
        "vendor": vendor_named(provider.vendor),
        "keys": provider.keys.exclude(state=ProviderKey.State.REMOVED).order_by("label"),
        "removed_keys": provider.keys.filter(state=ProviderKey.State.REMOVED).count(),
        "listed": listed,
        "words": words,
        "flag": flag,
        "flags": FLAGS,
        "routes": routes_through(provider).order_by("alias"),
        "tryable": list(
            AiModel.objects.usable().filter(provider=provider).values_list("remote", flat=True)[:500]
        ),
        "may_manage": may_manage(request.actor, provider) and provider.state != Provider.State.REMOVED,
        "key_form": KeyForm(),
        "end_form": EndForm(),
    }
    template = "ai/providers/provider_detail.html" + ("#models" if htmx_partial(request) else "")
    return render(request, template, context)


def _models(request: HtmxHttpRequest, provider: Provider) -> tuple[list[Any], str, str]:
    """The models asked for, each with its price, by name; those in use first."""
    words, flag = request.GET.get("q", "").strip()[:200], request.GET.get("flag", "")
    found = with_prices(AiModel.objects.filter(provider=provider).order_by("-is_enabled", "remote"))
    if words:
        found = found.filter(remote__icontains=words)
    rows = [(model, price_of(model)) for model in found]
    if flag in FLAGS:
        rows = [row for row in rows if flag in flags_of(*row)]
    return rows, words, flag if flag in FLAGS else ""


def flags_of(model: AiModel, price: Any) -> list[str]:
    """What a reader should know of a model before relying on its price."""
    shown = (not price.is_known, price.is_disputed, price.is_override, model.is_toy)
    return [flag for flag, is_so in zip(FLAGS, shown, strict=True) if is_so]


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def provider_edit(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Change how it is reached."""
    provider = managed_provider(request, public_id)
    form = ChangeProviderForm(request.POST if request.method == "POST" else None, provider=provider)
    if (
        form.is_valid()
        and tried(form, actions.change_provider, provider, actor=request.actor, **form.values) is not None
    ):
        messages.success(request, _("Saved."))
        return redirect("ai-provider", public_id)
    context = {"form": form, "provider": provider, "vendor": vendor_named(provider.vendor)}
    return _form_page(request, "ai/providers/provider_form.html", context)


@page(Verb.AI_VIEW, methods=("POST",))
def provider_pause(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Call it no more until it is resumed."""
    actions.pause_provider(managed_provider(request, public_id), actor=request.actor)
    messages.success(request, _("Paused. Routes go on with their other models."))
    return redirect("ai-provider", public_id)


@page(Verb.AI_VIEW, methods=("POST",))
def provider_resume(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Call it again."""
    actions.resume_provider(managed_provider(request, public_id), actor=request.actor)
    messages.success(request, _("Resumed."))
    return redirect("ai-provider", public_id)


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def provider_remove(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """End it for good."""
    provider = managed_provider(request, public_id)
    form = EndForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        note = form.cleaned_data["note"]
        if tried(form, actions.remove_provider, provider, actor=request.actor, note=note) is not None:
            messages.success(
                request, _("%(provider)s is removed, its keys are forgotten.") % {"provider": provider}
            )
            return redirect("ai-providers")
    context = {"form": form, "provider": provider, "routes": routes_through(provider).order_by("alias")}
    return _form_page(request, "ai/providers/provider_remove.html", context)


# ---- keys ----


@page(Verb.AI_VIEW, methods=("GET", "POST"))
@sensitive_post_parameters("value")
@sensitive_variables("form")
def key_add(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """One more key."""
    provider = managed_provider(request, public_id)
    form = KeyForm(request.POST if request.method == "POST" else None)
    if (
        form.is_valid()
        and tried(form, actions.add_key, provider, actor=request.actor, **form.cleaned_data) is not None
    ):
        messages.success(request, _("The key is kept, sealed. It is shown to nobody again."))
        return redirect("ai-provider", public_id)
    return _form_page(request, "ai/providers/key_form.html", {"form": form, "provider": provider})


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def key_edit(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Label and weight."""
    key = managed_key(request, public_id)
    initial = {"label": key.label, "weight": key.weight}
    form = ChangeKeyForm(request.POST if request.method == "POST" else None, initial=initial)
    if (
        form.is_valid()
        and tried(form, actions.change_key, key, actor=request.actor, **form.cleaned_data) is not None
    ):
        messages.success(request, _("Saved."))
        return redirect("ai-provider", key.provider.public_id)
    return _form_page(
        request,
        "ai/providers/key_form.html",
        {"form": form, "provider": key.provider, "key": key, "deed": "edit"},
    )


@page(Verb.AI_VIEW, methods=("GET", "POST"))
@sensitive_post_parameters("value")
@sensitive_variables("form")
def key_replace(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Another value under the same label."""
    key = managed_key(request, public_id)
    form = KeyValueForm(request.POST if request.method == "POST" else None)
    if (
        form.is_valid()
        and tried(form, actions.replace_key, key, actor=request.actor, **form.cleaned_data) is not None
    ):
        messages.success(request, _("Replaced. The old key is forgotten."))
        return redirect("ai-provider", key.provider.public_id)
    return _form_page(
        request,
        "ai/providers/key_form.html",
        {"form": form, "provider": key.provider, "key": key, "deed": "replace"},
    )


@page(Verb.AI_VIEW, methods=("POST",))
def key_pause(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Send it no more until it is resumed."""
    return _moved(request, public_id, actions.pause_key, _("Paused."))


@page(Verb.AI_VIEW, methods=("POST",))
def key_resume(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Send it again."""
    return _moved(request, public_id, actions.resume_key, _("Resumed."))


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def key_remove(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """End it for good."""
    key = managed_key(request, public_id)
    if request.method == "POST":
        return _moved(request, public_id, actions.remove_key, _("Removed, and its value forgotten."))
    usable = ProviderKey.objects.usable().filter(provider=key.provider)
    context = {"key": key, "provider": key.provider, "is_last": not usable.exclude(pk=key.pk).exists()}
    return render(request, "ai/providers/key_remove.html", context)


def _moved(
    request: HtmxHttpRequest, public_id: str, move: Callable[..., ProviderKey], words: str
) -> HttpResponseBase:
    key = managed_key(request, public_id)
    move(key, actor=request.actor)
    messages.success(request, words)
    return redirect("ai-provider", key.provider.public_id)


def _form_page(request: HtmxHttpRequest, template: str, context: dict[str, Any]) -> HttpResponseBase:
    return render(request, template, context, status=INVALID if request.method == "POST" else 200)
