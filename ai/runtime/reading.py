"""The configuration of a runtime: what the driver writes, read into values that a call looks up.

One file per kind of object, each `{"items": [...]}` with the objects in their neutral form (docs/ai.md). The whole is
checked before any of it is taken up; what is wrong names the object.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ai.pricing import PriceList
from ai.prompts.guards import Guard
from ai.prompts.schemas import validator
from ai.prompts.templates import read_messages
from ai.prompts.variables import body_schema, variables_of
from ai.runtime.snapshot import (
    Budget,
    CallRate,
    Endpoint,
    Key,
    Model,
    ModelRoute,
    Place,
    Prompt,
    Provider,
    ProviderKey,
    Snapshot,
    SnapshotError,
    Subscription,
    Target,
    TokenRate,
)

FILES = (
    "providers.json",
    "provider-keys.json",
    "models.json",
    "model-routes.json",
    "prompts.json",
    "routes.json",
    "endpoints.json",
    "limits.json",
    "consumers.json",
    "grants.json",
    "callers.json",
    "keys.json",
    "blocks.json",
    "budgets.json",
    "hops.json",
    "listeners.json",
)
"""Every file of a snapshot. One that is missing is an empty one."""


def read_snapshot(files: Mapping[str, bytes]) -> Snapshot:
    """The snapshot in `files`. Raises SnapshotError."""
    items = {name: _items(name, files.get(name, b'{"items":[]}')) for name in FILES}
    return _Reading(items).snapshot()


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file, by which a snapshot in force is proved."""
    return {name: hashlib.sha256(text).hexdigest() for name, text in files.items()}


def _items(name: str, text: bytes) -> list[dict[str, Any]]:
    try:
        return list(orjson.loads(text)["items"])
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"{name} is no list of objects: {error}") from None


class _Reading:
    """One pass through the files, in the order in which they refer to each other."""

    def __init__(self, items: Mapping[str, list[dict[str, Any]]]) -> None:
        self._items = items
        self._providers: dict[str, Provider] = {}
        self._models: dict[str, Model] = {}
        self._routes: dict[str, ModelRoute] = {}
        self._prompts: dict[str, Prompt] = {}
        self._places = {plain["id"]: plain for plain in items["routes.json"]}

    def snapshot(self) -> Snapshot:
        keys: dict[str, list[ProviderKey]] = defaultdict(list)
        for plain in self._items["provider-keys.json"]:
            keys[plain["provider"]].append(_each("provider key", plain, _provider_key))
        self._providers = self._by_id("providers.json", lambda p: _provider(p, tuple(keys[p["id"]])))
        self._models = self._by_id("models.json", lambda p: _model(p, self._providers))
        self._routes = self._by_id("model-routes.json", lambda p: _route(p, self._models))
        self._prompts = self._by_id("prompts.json", lambda p: prompt_of(p, self._routes[p["route"]]))
        budgets: dict[tuple[str, str], list[Budget]] = defaultdict(list)
        for budget in self._by_id("budgets.json", _budget).values():
            budgets[budget.scope, budget.scope_id].append(budget)
        endpoints = self._by_id("endpoints.json", self._endpoint)
        by_base_path: dict[str, list[Endpoint]] = defaultdict(list)
        for endpoint in endpoints.values():
            by_base_path[endpoint.base_path].append(endpoint)
        return Snapshot(
            models=self._models,
            endpoints=endpoints,
            by_base_path=dict(by_base_path),
            subscriptions=self._subscriptions(),
            keys={p["value_digest"]: Key(p["key_id"], p["grant"]) for p in self._items["keys.json"]},
            budgets={scope: tuple(found) for scope, found in budgets.items()},
            hops=frozenset(plain["value_digest"] for plain in self._items["hops.json"]),
            places=tuple(
                _each("listeners.json", p, lambda p: Place(**p)) for p in self._items["listeners.json"]
            ),
        )

    def _subscriptions(self) -> dict[str, Subscription]:
        limits = {
            p["id"]: CallRate(p["calls"], p["period_s"], p["burst"]) for p in self._items["limits.json"]
        }
        callers = {plain["id"]: plain for plain in self._items["callers.json"]}
        blocked: dict[str, int] = defaultdict(int)
        for plain in self._items["blocks.json"]:
            blocked[plain["grant"]] = max(blocked[plain["grant"]], plain["until"])
        return self._by_id(
            "grants.json", lambda p: _subscription(p, callers[p["id"]], limits[p["limit"]], blocked[p["id"]])
        )

    def _by_id[T](self, name: str, read: Callable[[dict[str, Any]], T]) -> dict[str, T]:
        return {str(plain.get("id")): _each(name, plain, read) for plain in self._items[name]}

    def _endpoint(self, plain: dict[str, Any]) -> Endpoint:
        route = self._places[plain["id"]]
        versions = [self._prompts[prompt_id] for prompt_id in plain["versions"]]
        routes = [self._routes[route_id] for route_id in plain["models"]]
        return Endpoint(
            id=plain["id"],
            label=route["label"],
            base_path=route["base_path"],
            host=route["host"],
            environment=route["environment"],
            team=plain["team"],
            api=plain["api"],
            api_version=route["api_version"],
            prompt=self._prompts[plain["prompt"]] if plain["prompt"] else None,
            prompt_label=plain["prompt_label"],
            versions={prompt.number: prompt for prompt in versions},
            models={route.alias: route for route in routes},
            envelope=plain["envelope"],
            stream=plain["stream"],
            max_body=plain["max_body"],
            log_bodies=plain["log_bodies"],
            guard=Guard.from_plain(plain["guard"]),
        )


def _each[T](what: str, plain: dict[str, Any], read: Callable[[dict[str, Any]], T]) -> T:
    try:
        return read(plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SnapshotError(
            f"{what}: {plain.get('id')} cannot be used: {type(error).__name__}: {error}"
        ) from error


def _budget(plain: Mapping[str, Any]) -> Budget:
    return Budget(**{name: plain[name] for name in Budget.__slots__})


def _provider_key(plain: Mapping[str, Any]) -> ProviderKey:
    return ProviderKey(
        plain["id"], plain["label"], plain["weight"], plain.get("value", ""), plain.get("reference", "")
    )


def _provider(plain: Mapping[str, Any], keys: tuple[ProviderKey, ...]) -> Provider:
    return Provider(
        id=plain["id"],
        label=plain["label"],
        dialect=plain["dialect"],
        base_url=plain["base_url"].rstrip("/"),
        auth=plain["auth"],
        headers=tuple((str(name), str(value)) for name, value in plain["headers"]),
        options=dict(plain["options"]),
        keys=keys,
    )


def _model(plain: Mapping[str, Any], providers: Mapping[str, Provider]) -> Model:
    prices = [(int(p["since"]), PriceList.from_plain(p)) for p in plain["prices"]]
    return Model(
        id=plain["id"],
        name=plain["name"],
        provider=providers[plain["provider"]],
        remote=plain["remote"],
        mode=plain["mode"],
        context=plain["context"],
        max_output=plain["max_output"],
        capabilities=frozenset(plain["capabilities"]),
        prices=tuple(sorted(prices, key=lambda entry: entry[0])),
    )


def vendor_of(plain: Mapping[str, Any]) -> tuple[Model, ProviderKey]:
    """The model and the key of a provider that is not in force: `{"provider", "key", "model"}` in their JSON forms."""
    key = _provider_key(plain["key"])
    provider = _provider(plain["provider"], (key,))
    return _model({"prices": [], **plain["model"], "provider": provider.id}, {provider.id: provider}), key


def _route(plain: Mapping[str, Any], models: Mapping[str, Model]) -> ModelRoute:
    targets = [Target(models[t["model"]], t["weight"], t["rank"]) for t in plain["targets"]]
    if not targets:
        raise ValueError("it has no models")
    return ModelRoute(
        id=plain["id"],
        alias=plain["alias"],
        targets=tuple(sorted(targets, key=lambda target: target.rank)),
        retry_codes=frozenset(plain["retry_codes"]),
        attempts=plain["attempts"],
        try_timeout_s=plain["try_timeout_ms"] / 1000,
        stream_idle_s=plain["stream_idle_ms"] / 1000,
        breaker_failures=plain["breaker_failures"],
        breaker_s=plain["breaker_s"],
    )


def prompt_of(plain: Mapping[str, Any], route: ModelRoute) -> Prompt:
    """A prompt in its JSON form with the models that answer it. Raises ValueError and its like for what is none."""
    variables = variables_of(plain["variables"])
    schema = plain["output_schema"]
    return Prompt(
        id=plain["id"],
        name=plain["name"],
        number=plain["number"],
        variables=variables,
        templates=read_messages(plain["messages"], variables),
        parameters=dict(plain["parameters"]),
        route=route,
        guard=Guard.from_plain(plain["guard"]),
        cache_s=plain["cache_s"],
        output_schema=schema,
        inputs=validator(body_schema(variables)),
        outputs=validator(schema) if schema else None,
    )


def _subscription(
    grant: Mapping[str, Any], caller: Mapping[str, Any], rate: CallRate, blocked_until: int
) -> Subscription:
    tokens = caller["tokens"]
    return Subscription(
        id=grant["id"],
        application=grant["consumer"],
        team=caller["team"],
        endpoints=frozenset(grant["routes"]),
        call_rate=rate,
        token_rate=TokenRate(tokens, caller["tokens_period_s"]) if tokens else None,
        blocked_until=blocked_until,
    )
