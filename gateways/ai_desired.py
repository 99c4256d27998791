"""What AI runtimes should hold, and where gateways in front of them send their calls.

A prompt or a model is published on a gateway like any API. Its calls go to the runtimes that serve the environment, so
the runtimes hold it first: a gateway gets the route once they have proved that they do, and they keep it until the
gateway has proved that it has no route to them any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet

from ai import models as ai
from ai.keys import open_value
from apis.models import UpstreamBinding
from apis.models.upstream import AI_KINDS
from gateways.engine.document import (
    AiModel,
    Budget,
    Caller,
    Endpoint,
    Hop,
    Item,
    Kind,
    ModelRoute,
    Prompt,
    Provider,
    ProviderKey,
    Target,
    Upstream,
    value_digest,
)
from gateways.engine.wire import hop_secret
from gateways.models import AppliedObject, Gateway, GatewayListener, Publication
from gateways.tokens import open_token
from subscriptions import models as subscriptions
from subscriptions.models import Subscription

LONGEST_MS = 3_600_000
"""A model may talk for long: the runtime ends a call that has gone silent, not the gateway in front."""
MOST_BODY_BYTES = 10_000_000
MOST_VERSIONS = 20
"""Earlier versions of a prompt that calls may pin."""


@dataclass(frozen=True, slots=True)
class Runtimes:
    """The AI runtimes there are: their gateways and addresses by environment (primary keys)."""

    gateways: Mapping[int, frozenset[int]]
    addresses: Mapping[int, tuple[str, ...]]


def runtimes() -> Runtimes:
    """All AI runtimes that are not retired; one query."""
    found = GatewayListener.objects.filter(gateway__kind=Gateway.Kind.AI_RUNTIME, gateway__retired_at=None)
    rows = list(found.order_by("gateway").values_list("environment_id", "gateway_id", "public_url"))
    environments = {environment for environment, _gateway, _url in rows}
    return Runtimes(
        {e: frozenset(gateway for env, gateway, _ in rows if env == e) for e in environments},
        {e: tuple(url.rstrip("/") for env, _, url in rows if env == e) for e in environments},
    )


# ---- on the gateway in front ----


class Behind(NamedTuple):
    """A publication whose calls go to AI runtimes: what its gateway has to know."""

    public_id: str
    environment_id: int
    label: str


def upstream_behind(publication: Behind, known: Runtimes) -> Upstream | None:
    """Where its calls go; None while no runtime serves its environment."""
    addresses = known.addresses.get(publication.environment_id, ())
    if not addresses:
        return None
    return Upstream(
        id=publication.public_id,
        label=f"AI runtime for {publication.label}",
        targets=tuple(Target(f"{address}/-/{publication.public_id}") for address in addresses),
        timeout_ms=LONGEST_MS,
        hop=True,
    )


def held_by_runtimes(publications: Iterable[Behind], known: Runtimes) -> set[str]:
    """The public ids of those that every runtime of their environment has proved to hold; one query."""
    wanted = {publication.public_id: publication for publication in publications}
    rows = AppliedObject.objects.filter(kind=Kind.ENDPOINT, object_id__in=wanted).exclude(digest="")
    proved: dict[str, set[int]] = {}
    for name, gateway in rows.values_list("object_id", "gateway_id"):
        proved.setdefault(name, set()).add(gateway)
    return {
        name
        for name, publication in wanted.items()
        if (needed := known.gateways.get(publication.environment_id)) and needed <= proved.get(name, set())
    }


# ---- on a runtime ----


def publications_for(runtime: Gateway) -> QuerySet[Publication]:
    """Publications of AI that `runtime` should hold: those that are published, and those that a gateway still leads
    to it."""
    on_front = AppliedObject.objects.filter(
        kind=Kind.ROUTE, object_id=OuterRef("public_id"), gateway=OuterRef("gateway")
    ).exclude(digest="")
    served = Q(state=Publication.State.PUBLISHED) & ~Q(api_version__state="retired")
    environments = runtime.listeners.values("environment")
    bound = UpstreamBinding.objects.filter(
        upstream=OuterRef("revision__upstream"), environment=OuterRef("environment")
    )
    return Publication.objects.filter(
        Q(served) | Exists(on_front),
        Exists(bound),
        revision__upstream__kind__in=AI_KINDS,
        environment__in=environments,
        gateway__retired_at=None,
    )


class Published(NamedTuple):
    """What an endpoint is made of."""

    public_id: str
    label: str
    team: str
    api: str
    policies: Mapping[str, Any]
    upstream_id: int
    prompt_id: int | None
    prompt_label: str
    log_bodies: bool


def usable_routes() -> dict[int, str]:
    """The public ids of aliases that have a model to answer, by primary key; one query."""
    usable = ai.RouteTarget.objects.filter(model__in=ai.AiModel.objects.usable())
    found = ai.ModelRoute.objects.usable().filter(targets__in=usable)
    return dict(found.distinct().order_by().values_list("pk", "public_id"))


def shared(*, with_values: bool) -> Iterator[Item]:
    """What stands on every runtime: vendors, keys, models with their prices, and aliases; six queries."""
    providers = list(ai.Provider.objects.active().order_by("pk"))
    models = list(
        ai.AiModel.objects.usable().select_related("provider").prefetch_related("prices").order_by("pk")
    )
    usable = {model.pk for model in models}
    keys = ai.ProviderKey.objects.usable().filter(provider__in=providers).select_related("provider")
    yield from map(provider_of, providers)
    yield from (provider_key_of(key, with_value=with_values) for key in keys.order_by("pk"))
    yield from map(model_of, models)
    for route in ai.ModelRoute.objects.usable().prefetch_related("targets__model").order_by("pk"):
        targets = [target for target in route.targets.all() if target.model_id in usable]
        if targets:
            yield model_route_of(route, targets)


def provider_of(provider: ai.Provider) -> Provider:
    """A vendor as a runtime reaches it."""
    content = {
        "dialect": provider.dialect,
        "base_url": provider.base_url,
        "auth": provider.auth,
        "headers": provider.headers,
        "options": provider.options,
    }
    return Provider(provider.public_id, provider.name, content)


def provider_key_of(key: ai.ProviderKey, *, with_value: bool = False) -> ProviderKey:
    """A key of a vendor; its value is opened only when asked for."""
    return ProviderKey(
        id=key.public_id,
        label=f"{key.label} of {key.provider.slug}",
        provider=key.provider.public_id,
        weight=key.weight,
        reference=key.reference,
        value_digest=key.value_digest,
        value=open_value(key) if with_value and not key.reference else "",
    )


def model_of(model: ai.AiModel) -> AiModel:
    """A model with the prices that hold now or will. Needs `provider` and `prices` loaded."""
    content = {
        "name": model.name,
        "provider": model.provider.public_id,
        "remote": model.remote,
        "mode": model.mode,
        "context": model.context,
        "max_output": model.max_output,
        "capabilities": sorted(model.capabilities),
        "prices": _prices(model),
    }
    return AiModel(model.public_id, model.name, content, (f"{Kind.PROVIDER}/{model.provider.public_id}",))


def _prices(model: ai.AiModel) -> list[dict[str, Any]]:
    """Price lists by the moment from which they hold. From an override on, the catalogue says nothing any more."""
    standing = [price for price in model.prices.all() if price.retired_at is None]
    overrides = [price for price in standing if price.source == ai.ModelPrice.Source.OVERRIDE]
    first: datetime | None = min((price.valid_from for price in overrides), default=None)
    kept = [p for p in standing if p in overrides or first is None or p.valid_from < first]
    return [
        {
            "since": int(price.valid_from.timestamp()),
            "version": price.version,
            "currency": price.currency,
            "rates": price.rates,
        }
        for price in sorted(kept, key=lambda price: price.valid_from)
    ]


def model_route_of(route: ai.ModelRoute, targets: Iterable[ai.RouteTarget]) -> ModelRoute:
    """An alias. Needs `model` of each target loaded."""
    listed = [{"model": t.model.public_id, "weight": t.weight, "rank": t.rank} for t in targets]
    content = {
        "alias": route.alias,
        "targets": listed,
        "retry_codes": route.retry_codes or list(ai.ModelRoute.RETRY_CODES),
        "attempts": route.attempts,
        "try_timeout_ms": route.try_timeout_ms,
        "stream_idle_ms": route.stream_idle_ms,
        "breaker_failures": route.breaker_failures,
        "breaker_s": route.breaker_s,
    }
    needs = tuple(f"{Kind.MODEL}/{target['model']}" for target in listed)
    return ModelRoute(route.public_id, route.alias, content, needs)


def prompt_of(version: ai.PromptVersion, route: str) -> Prompt:
    """A frozen prompt that is answered by the alias with the public id `route`. Needs `prompt` loaded."""
    content = {
        "name": version.prompt.slug,
        "number": version.number,
        "messages": version.messages,
        "variables": version.variables,
        "output_schema": version.output_schema,
        "parameters": version.parameters,
        "route": route,
        "guard": version.guard,
        "cache_s": version.cache_s,
    }
    label = f"{version.prompt.slug} v{version.number}"
    return Prompt(version.public_id, label, content, (f"{Kind.MODEL_ROUTE}/{route}",))


@dataclass(frozen=True, slots=True)
class Prompts:
    """The versions of prompts that endpoints need: the one that each label names, and those that may be pinned."""

    labelled: Mapping[tuple[int, str], ai.PromptVersion]
    versions: Mapping[int, list[ai.PromptVersion]]

    @classmethod
    def of(cls, prompts: set[int], routes: Mapping[int, str]) -> Prompts:
        """Those of `prompts` (primary keys) that an alias in `routes` answers; two queries."""
        labels = ai.PromptLabel.objects.filter(prompt__in=prompts).values_list(
            "prompt_id", "name", "version_id"
        )
        found = ai.PromptVersion.objects.filter(prompt__in=prompts, route__in=routes)
        versions = list(found.select_related("prompt").order_by("prompt_id", "-number"))
        by_pk = {version.pk: version for version in versions}
        of_prompt: dict[int, list[ai.PromptVersion]] = {}
        for version in versions:
            of_prompt.setdefault(version.prompt_id, []).append(version)
        labelled = {(p, name): by_pk[version] for p, name, version in labels if version in by_pk}
        return cls(labelled, of_prompt)

    def for_(self, published: Published) -> tuple[ai.PromptVersion, list[ai.PromptVersion]] | None:
        """The version that answers, and those with the same interface, newest first. None: the label names none."""
        current = self.labelled.get((published.prompt_id or 0, published.prompt_label))
        if current is None:
            return None
        alike = [v for v in self.versions[current.prompt_id] if v.interface == current.interface]
        kept = alike[:MOST_VERSIONS]
        return current, kept if current in kept else [current, *kept]


def endpoint_of(
    published: Published, prompts: tuple[ai.PromptVersion, list[ai.PromptVersion]] | None, models: list[str]
) -> Endpoint:
    """What callers of a publication reach. `models` are the public ids of the aliases that they may name."""
    current, versions = prompts or (None, [])
    options = published.policies.get("ai")
    chosen: Mapping[str, Any] = options if isinstance(options, dict) else {}
    content = {
        "team": published.team,
        "api": published.api,
        "prompt": current.public_id if current else "",
        "prompt_label": published.prompt_label,
        "versions": [version.public_id for version in versions],
        "models": models,
        "envelope": bool(chosen.get("envelope", True)),
        "stream": bool(chosen.get("stream", True)),
        "max_body": int(chosen.get("max_body", MOST_BODY_BYTES)),
        "log_bodies": published.log_bodies,
        "guard": chosen.get("guard") or {},
    }
    needs = (
        f"{Kind.ROUTE}/{published.public_id}",
        *(f"{Kind.PROMPT}/{version.public_id}" for version in versions),
        *(f"{Kind.MODEL_ROUTE}/{route}" for route in models),
    )
    return Endpoint(published.public_id, published.label, content, needs)


def endpoints(published: Iterable[Published]) -> Iterator[Item]:
    """The endpoints of publications with the prompts that they need. One without prompt and models is left out."""
    rows, routes = list(published), usable_routes()
    prompts = Prompts.of({row.prompt_id for row in rows if row.prompt_id}, routes)
    links = ai.ModelRoute.upstreams.through.objects.filter(upstream__in={row.upstream_id for row in rows})
    aliases: dict[int, list[str]] = {}
    for upstream, alias in links.order_by("modelroute_id").values_list("upstream_id", "modelroute_id"):
        if alias in routes:
            aliases.setdefault(upstream, []).append(routes[alias])
    needed: dict[int, ai.PromptVersion] = {}
    for row in rows:
        found = prompts.for_(row)
        models = aliases.get(row.upstream_id, [])
        if found is None and (row.prompt_id or not models):
            continue
        if found is not None:
            needed.update({version.pk: version for version in found[1]})
        yield endpoint_of(row, found, models)
    for version in needed.values():
        yield prompt_of(version, routes[version.route_id])


def callers(found: QuerySet[Subscription], granted: Iterable[str]) -> Iterator[Caller]:
    """Who pays for the calls of those subscriptions whose public ids are `granted`, and how many tokens their plan
    lets them have; one query."""
    wanted = set(granted)
    rows = found.order_by().values_list(
        "public_id",
        "application__team__public_id",
        "plan_revision__rate_tokens",
        "plan_revision__rate_tokens_period_s",
    )
    for name, team, tokens, period_s in rows:
        if name in wanted:
            content = {"team": team, "tokens": tokens or 0, "tokens_period_s": period_s}
            yield Caller(name, name, content, (f"{Kind.GRANT}/{name}",))


def budgets() -> Iterator[Budget]:
    """All that calls are held against; one query."""
    yield from map(budget_of, subscriptions.Budget.objects.standing().told().order_by("pk"))


def budget_of(budget: subscriptions.Budget) -> Budget:
    """A budget as a runtime counts it. Needs what `told` loads."""
    count = budget.count
    content = {
        **{name: getattr(budget, name) for name in ("scope", "scope_id", "period", "unit", "currency")},
        **{name: getattr(budget, name) for name in ("limit", "hard", "fail_open")},
        "generation": count.generation,
        "base": count.base,
        "base_period": f"{count.base_period:%Y%m%d}" if count.base_period else "",
        "is_new": count.is_new,
    }
    return Budget(budget.public_id, budget.name, content)


def hops() -> Iterator[Hop]:
    """The gateways that may stand in front, by the digests of what they show; one query."""
    fronts = Gateway.objects.active().exclude(kind__in=(Gateway.Kind.AI_RUNTIME, Gateway.Kind.MEMORY))
    for gateway in fronts.order_by("pk"):
        if gateway.token_sealed:
            digest = value_digest(hop_secret(open_token(gateway)))
            yield Hop(gateway.public_id, gateway.name, {"value_digest": digest})
