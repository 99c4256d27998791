"""The part of the demo that models answer: two vendors of this machine, and a prompt that is an API.

The toy model and the echo model (`embedded/`) are called through the same dialect as any vendor of OpenAI's kind. Their
prices are made up, and say so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from ai.actions import (
    ProviderValues,
    RouteValues,
    TargetValues,
    add_model,
    create_prompt,
    create_provider,
    create_route,
    create_test_case,
    freeze_version,
    move_label,
    override_price,
    save_draft,
    start_test_run,
)
from ai.models import AiModel, Check, ModelRoute, Prompt, PromptLabel
from apis.actions import change_api, offer_prompt
from apis.models import ApiVersion, Environment, Visibility
from subscriptions.actions import approve_request, issue_credential, request_access
from subscriptions.models import Application
from teams.models import SYSTEM, Team, User
from teams.queries import actor_of_user

ALIAS = "demo"
SLUG = "ticket-triage"
CAN = {"toy": ["stream", "json_mode", "json_schema"], "echo": ["stream", "json_mode", "json_schema"]}
CONTEXT = {"toy": 512, "echo": 0}
NAMES = {"toy": "Toy model (demo)", "echo": "Echo (demo)"}
PRICES = {"toy": (200_000_000, 600_000_000), "echo": (50_000_000, 50_000_000)}
"""Billionths of a dollar for a million tokens in and out."""
CASES = (
    (
        "A double charge",
        "chat",
        "I was charged twice for my order. This is unacceptable!",
        {"category": "billing", "sentiment": "negative"},
    ),
    (
        "A late parcel",
        "e-mail",
        "My parcel has not arrived. Where is it? I need it today.",
        {"category": "delivery", "priority": "high"},
    ),
    (
        "A forgotten password",
        "web form",
        "I forgot my password. No hurry.",
        {"category": "account", "priority": "low"},
    ),
)
TRIAGE: Mapping[str, Any] = {
    "messages": [
        {"role": "system", "content": "Sort the support ticket of a customer. It came by {{channel}}."},
        {"role": "user", "content": "{{ticket}}"},
    ],
    "variables": [
        {
            "name": "ticket",
            "type": "string",
            "description": "What the customer wrote.",
            "example": CASES[0][2],
            "untrusted": True,
            "max_length": 600,
        },
        {
            "name": "channel",
            "type": "string",
            "description": "How it reached us.",
            "required": False,
            "default": "e-mail",
            "enum": ["e-mail", "chat", "phone", "web form"],
        },
    ],
    "output_schema": {
        "type": "object",
        "properties": {
            "category": {"enum": ["billing", "delivery", "technical", "account", "other"]},
            "sentiment": {"enum": ["positive", "neutral", "negative"]},
            "priority": {"enum": ["low", "normal", "high"]},
        },
        "required": ["category", "sentiment", "priority"],
        "additionalProperties": False,
    },
    "parameters": {"temperature": 0, "max_tokens": 80},
}


def seed_models(addresses: Mapping[str, str]) -> ModelRoute:
    """The models at `addresses` ("echo", and "toy" where there is one), shared by all, and an alias for them."""
    models = [_model(name, addresses[name]) for name in ("toy", "echo") if name in addresses]
    targets = [TargetValues(model, rank=rank) for rank, model in enumerate(models)]
    text = _("Models of the demo: a toy, and an echo where the toy is away.")
    return create_route(actor=SYSTEM, alias=ALIAS, targets=targets, values=RouteValues(description=text))


def _model(name: str, address: str) -> AiModel:
    reached = ProviderValues(base_url=f"{address}/v1", auth="none")
    provider = create_provider(actor=SYSTEM, name=NAMES[name], slug=name, values=reached)
    model = add_model(
        provider, actor=SYSTEM, remote=name, context=CONTEXT[name], capabilities=CAN[name], is_toy=True
    )
    rates = [
        {"unit": unit, "nanos": nanos} for unit, nanos in zip(("input", "output"), PRICES[name], strict=True)
    ]
    override_price(model, actor=SYSTEM, rates=rates, note=_("Made up for the demo: nobody is billed."))
    return model


def seed_prompt(shop: Team, alice: User, route: ModelRoute) -> ApiVersion:
    """A prompt of Shop, frozen, in production and offered as an API: what is left is a plan."""
    actor = actor_of_user(alice)
    about = _("Sorts support tickets: what they are about, how the customer feels, how urgent it is.")
    prompt = create_prompt(actor=actor, team=shop, name="Ticket triage", slug=SLUG, description=about)
    save_draft(prompt, actor=actor, draft={**TRIAGE, "route": route.public_id})
    version = freeze_version(prompt, actor=actor, note=_("First version"))
    for label in (PromptLabel.STAGING, PromptLabel.PRODUCTION):
        move_label(prompt, actor=actor, name=label, version=version)
    labels = {
        place: PromptLabel.PRODUCTION if place.slug == "production" else PromptLabel.STAGING
        for place in Environment.objects.all()
    }
    offered = offer_prompt(prompt, actor=actor, labels=labels, model_routes=[route])
    change_api(
        offered.api,
        actor=actor,
        visibility=Visibility.INTERNAL,
        tags=["ai", "support"],
        support_contact=alice.email,
    )
    for name, channel, ticket, holds in CASES:
        create_test_case(
            prompt,
            actor=actor,
            name=name,
            values={"ticket": ticket, "channel": channel},
            check_kind=Check.JSON_SCHEMA,
            expected=_schema(holds),
        )
    return offered


def grant_prompt(application: Application, dana: User, alice: User, version: ApiVersion) -> str:
    """Let Dana's application call the prompt in production, and leave her wish for the sandbox open; her key."""
    actor, plan = actor_of_user(dana), version.api.plans.get()
    production, sandbox = (Environment.objects.get(slug=slug) for slug in ("production", "sandbox"))
    reason = _("Drivers write to us when a delivery goes wrong, and we sort their messages by hand today.")
    asked = request_access(application, version, production, plan, actor=actor, reason=reason)
    subscription = approve_request(asked, actor=actor_of_user(alice), note=_("Welcome."))
    reason = _("We want to try new wordings before drivers see them.")
    request_access(application, version, sandbox, plan, actor=actor, reason=reason)
    return issue_credential(subscription, actor=actor, name=_("Demo"))[1]


def start_tests() -> None:
    """Run the test cases of the demo's prompt, as Alice would; a worker does it."""
    prompt = Prompt.objects.filter(team__slug="shop", slug=SLUG, retired_at=None).first()
    alice = User.objects.filter(email="alice@example.test", is_active=True).first()
    version = prompt.versions.order_by("number").first() if prompt else None
    if prompt and alice and version and not prompt.test_runs.exists():
        start_test_run(prompt, version=version, actor=actor_of_user(alice))


def _schema(holds: Mapping[str, str]) -> str:
    """What an output must be that holds these members, whatever else there is."""
    properties = {name: {"const": value} for name, value in holds.items()}
    return json.dumps({"type": "object", "properties": properties, "required": sorted(holds)})
