"""Documents for tests of the engine, the drivers and the agent, made of numbers."""

from __future__ import annotations

import itertools

from gateways.engine.document import (
    Block,
    Consumer,
    Document,
    Grant,
    Item,
    Key,
    Limit,
    Route,
    Target,
    Upstream,
    value_digest,
)

_numbers = itertools.count(1)


def fresh() -> str:
    """A text that no other test uses, so that nobody meets the buckets of another."""
    return f"{next(_numbers):05d}"


def key_value(public_id: str, letter: str = "s") -> str:
    """A key that looks like a real one: prefix, 16 public characters, 49 more."""
    return f"gh{letter}{public_id:0>16}{'S3cret' * 8}x"


def upstream(name: str = "1", *urls: str, **fields: object) -> Upstream:
    targets = tuple(Target(url) for url in urls or ("http://127.0.0.1:9",))
    return Upstream(f"upb_{name}", f"Upstream {name}", targets, **fields)  # type: ignore[arg-type]


def limit(name: str = "1", calls: int = 1000, period_s: int = 1, burst: int = 1000) -> Limit:
    return Limit(f"plr_{name}", f"Plan {name}", calls, period_s, burst)


def consumer(name: str = "1") -> Consumer:
    return Consumer(f"app_{name}", f"Application {name}")


def route(
    name: str = "1", path: str = "", environment: str = "production", at: str = "1", **fields: object
) -> Route:
    return Route(
        f"pub_{name}",
        f"Orders {name}",
        environment,
        path or f"/shop/orders-{name}/v1",
        f"upb_{at}",
        "ver_1",
        "rev_1",
        **fields,  # type: ignore[arg-type]
    )


def grant(name: str, *routes: str, plan: str = "1", application: str = "1") -> Grant:
    names = tuple(f"pub_{route}" for route in routes)
    return Grant(f"sub_{name}", f"Subscription {name}", f"app_{application}", names, f"plr_{plan}")


def key(name: str, subscription: str = "") -> Key:
    value = key_value(name)
    return Key(f"crd_{name}", value[3:19], f"sub_{subscription or name}", value_digest(value), value)


def block(name: str, until: int) -> Block:
    return Block(f"blk_{name}", f"sub_{name}", "The quota of the day is used up.", until)


def document(*items: Item) -> Document:
    return Document.of(items)


def catalogue(count: int = 1, *extra: Item) -> Document:
    """`count` APIs, each with one subscription and one key."""
    items: list[Item] = [upstream(), limit(), consumer()]
    for number in range(1, count + 1):
        name = f"{number:04d}"
        items += [route(name), grant(name, name), key(name)]
    return Document.of([*items, *extra])
