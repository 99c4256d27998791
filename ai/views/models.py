"""Models: one with its prices, added by hand, switched on and off."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from ai import actions
from ai.forms.models import ModelForm, NewModelForm, PriceForm
from ai.queries import may_manage, price_of, routes_naming
from ai.views.lookup import find_model, managed_model, managed_provider
from ai.views.providers import INVALID, flags_of
from teams.access import HtmxHttpRequest, page
from teams.access.refusals import tried
from teams.models import Verb

MOST_HISTORY = 50


@page(Verb.AI_VIEW)
def model_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """One model: what it can do, what it costs and has cost."""
    return render(request, "ai/models/model_detail.html", _context(request, public_id))


def _context(request: HtmxHttpRequest, public_id: str) -> dict[str, Any]:
    model = find_model(request, public_id)
    price = price_of(model)
    return {
        "model": model,
        "provider": model.provider,
        "price": price,
        "flags": flags_of(model, price),
        "history": model.prices.order_by("-valid_from", "-pk")[:MOST_HISTORY],
        "routes": routes_naming([model]).order_by("alias"),
        "may_manage": may_manage(request.actor, model.provider) and model.provider.state != "removed",
    }


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def model_add(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """A model that the catalogue does not know."""
    provider = managed_provider(request, public_id)
    form = NewModelForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        model = tried(form, actions.add_model, provider, actor=request.actor, **form.values)
        if model is not None:
            messages.success(request, _("Added. Its price is unknown until you enter one."))
            return redirect("ai-model", model.public_id)
    return _form_page(request, "ai/models/model_form.html", {"form": form, "provider": provider})


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def model_edit(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Change what it can do."""
    model = managed_model(request, public_id)
    form = ModelForm(request.POST if request.method == "POST" else None, model=model)
    if (
        form.is_valid()
        and tried(form, actions.change_model, model, actor=request.actor, **form.values) is not None
    ):
        messages.success(request, _("Saved."))
        return redirect("ai-model", public_id)
    context = {"form": form, "provider": model.provider, "model": model}
    return _form_page(request, "ai/models/model_form.html", context)


@page(Verb.AI_VIEW, methods=("POST",))
def model_switch(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Switch it on or off."""
    model = managed_model(request, public_id)
    is_enabled = request.POST.get("on") == "1"
    actions.change_model(model, actor=request.actor, is_enabled=is_enabled)
    words = _("%(model)s is in use again.") if is_enabled else _("%(model)s is switched off.")
    messages.success(request, words % {"model": model})
    return redirect("ai-provider", model.provider.public_id)


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def model_price(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Enter a price of one's own."""
    model = managed_model(request, public_id)
    price = price_of(model)
    form = PriceForm(request.POST if request.method == "POST" else None, model=model, price=price)
    if (
        form.is_valid()
        and tried(form, actions.override_price, model, actor=request.actor, **form.values) is not None
    ):
        messages.success(request, _("Saved. Calls are billed by it from now on."))
        return redirect("ai-model", public_id)
    context = {"form": form, "provider": model.provider, "model": model, "price": price}
    return _form_page(request, "ai/models/model_price.html", context)


@page(Verb.AI_VIEW, methods=("POST",))
def model_price_clear(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Bill by the catalogue again."""
    actions.clear_override(managed_model(request, public_id), actor=request.actor)
    messages.success(request, _("Cleared. The catalogue's price holds from now on."))
    return redirect("ai-model", public_id)


def _form_page(request: HtmxHttpRequest, template: str, context: dict[str, Any]) -> HttpResponseBase:
    return render(request, template, context, status=INVALID if request.method == "POST" else 200)
