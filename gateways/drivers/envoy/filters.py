"""The filters whose content changes with subscriptions, each delivered by itself (ECDS).

A new key, plan or block swaps one file and drains no connection. The chain, in order of a call:

    keys          key -> subscription (401, 403), key hidden, `x-gatehouse-subscription` set
    limits        subscription -> the shape of its limit in `x-gatehouse-limit`, or the date its block ends
    quota         refuses what carries such a date (fixed, part of the listener)
    buckets       one token bucket per (shape of limit, subscription)
    applications  subscription -> `x-gatehouse-application`

`limits` and `applications` are the same filter as `keys`, used as a look-up table from one header to another:
it is a hash map, and costs a fraction of a regular expression or a script. A block travels through the table,
not through a filter of its own, because an answer can quote a request header (Retry-After) and little else.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate
from typing import Any

from gateways.drivers.agents.limits import room, share
from gateways.drivers.envoy.resources import HTTP, Json, from_file, typed
from gateways.engine.document import Block, Document, Grant, Key, Limit, canonical_json

KEYS = "gatehouse.keys"
LIMITS = "gatehouse.limits"
BUCKETS = "gatehouse.buckets"
APPLICATIONS = "gatehouse.applications"

SUBSCRIPTION_HEADER = "x-gatehouse-subscription"
APPLICATION_HEADER = "x-gatehouse-application"
LIMIT_HEADER = "x-gatehouse-limit"
KEY_HEADER = "x-api-key"

SENTINEL = "-nobody-"
"""A client that no key has. Envoy lets every valid key in where the list of allowed clients is empty."""

UNLIMITED = "unlimited"
DATE_END = " GMT"
"""How an HTTP date ends, and no name of a limit's shape does."""
_HUGE = 4_294_967_295

FILE_OF = {
    KEYS: "ecds-keys.json",
    LIMITS: "ecds-limits.json",
    BUCKETS: "ecds-buckets.json",
    APPLICATIONS: "ecds-applications.json",
}
CHAIN = (KEYS, LIMITS, BUCKETS, APPLICATIONS)

_TYPE_OF = {
    KEYS: f"{HTTP}.api_key_auth.v3.ApiKeyAuth",
    LIMITS: f"{HTTP}.api_key_auth.v3.ApiKeyAuth",
    BUCKETS: f"{HTTP}.local_ratelimit.v3.LocalRateLimit",
    APPLICATIONS: f"{HTTP}.api_key_auth.v3.ApiKeyAuth",
}


def slot(name: str) -> Json:
    """The place of a filter in the chain; until its file is read it lets nobody in."""
    return {
        "name": name,
        "config_discovery": {
            "config_source": from_file(FILE_OF[name]),
            "type_urls": [f"type.googleapis.com/{_TYPE_OF[name]}"],
        },
    }


def extension(name: str, config: Json) -> Json:
    """The resource of one filter."""
    return typed("envoy.config.core.v3.TypedExtensionConfig", name=name, typed_config=config)


def key_forwarding() -> Json:
    """Where the client goes. Envoy drops the filter's own forwarding on a route that names clients."""
    return {"header": SUBSCRIPTION_HEADER, "hide_credentials": True}


def keys(document: Document) -> str:
    """Every key of every subscription, and where a caller may put it; as JSON, like all look-up tables."""
    rows = [(key.value, key.grant) for key in document.of_kind(Key)]
    sources = [{"header": KEY_HEADER}, {"header": "authorization"}]
    return _table_text(KEYS, rows, key_sources=sources, forwarding=key_forwarding())


def applications(document: Document) -> str:
    """Which application a subscription belongs to."""
    rows = [(grant.id, grant.consumer) for grant in document.of_kind(Grant)]
    return _by_subscription(APPLICATIONS, rows, APPLICATION_HEADER)


def limits(document: Document, nodes: int) -> str:
    """Which shape of limit a subscription has; for a blocked one the HTTP date at which its block ends."""
    shapes = {limit.id: shape(limit, nodes) for limit in document.of_kind(Limit)}
    by_end = sorted(document.of_kind(Block), key=lambda block: block.until)
    ends = {block.grant: formatdate(block.until, usegmt=True) for block in by_end}
    rows = [
        (grant.id, ends.get(grant.id) or shapes.get(grant.limit, UNLIMITED))
        for grant in document.of_kind(Grant)
    ]
    return _by_subscription(LIMITS, rows, LIMIT_HEADER)


def shape(limit: Limit, nodes: int) -> str:
    """The name of a limit's numbers: plans with equal numbers share one descriptor, never a bucket."""
    calls, period, burst = share(limit, nodes)
    return f"{calls}-per-{period}s-burst-{burst}"


def buckets(document: Document, nodes: int) -> Json:
    """One wildcard descriptor per shape of limit; Envoy makes a bucket of it for each subscription."""
    shapes = {shape(limit, nodes): share(limit, nodes) for limit in document.of_kind(Limit)}
    always = {"default_value": {"numerator": 100}}
    config: Json = {
        "stat_prefix": "gatehouse",
        "filter_enabled": always,
        "filter_enforced": always,
        "token_bucket": {"max_tokens": _HUGE, "tokens_per_fill": _HUGE, "fill_interval": "1s"},
        "always_consume_default_token_bucket": False,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "rate_limits": [{"actions": [_from_header(LIMIT_HEADER), _from_header(SUBSCRIPTION_HEADER)]}],
        "descriptors": [_bucket(name, shapes[name]) for name in sorted(shapes)],
        "max_dynamic_descriptors": room(sum(1 for _ in document.of_kind(Grant))),
    }
    return typed(_TYPE_OF[BUCKETS], **config)


def buckets_text(document: Document, nodes: int) -> str:
    """Likewise, as the resource in canonical JSON."""
    return canonical_json(extension(BUCKETS, buckets(document, nodes)))


def _by_subscription(name: str, rows: Sequence[tuple[str, str]], header: str) -> str:
    sources = [{"header": SUBSCRIPTION_HEADER}]
    return _table_text(name, rows, key_sources=sources, forwarding={"header": header})


def _table_text(name: str, rows: Sequence[tuple[str, str]], **fields: Any) -> str:
    """The resource of a look-up table in canonical JSON. There is a row for each key or subscription, so rows are
    written by hand where no text in them has to be escaped, and `adapt` lets no other through."""
    resource = canonical_json(extension(name, typed(_TYPE_OF[name], credentials=[], **fields)))
    before, empty, after = resource.partition('"credentials":[')
    text = ",".join([f'{{"client":"{client}","key":"{key}"}}' for key, client in rows])
    if text.count('"') != 8 * len(rows) or "\\" in text or not text.isprintable():
        text = ",".join([canonical_json({"client": client, "key": key}) for key, client in rows])
    return f"{before}{empty}{text}{after}"


def _from_header(name: str) -> Json:
    return {"request_headers": {"header_name": name, "descriptor_key": name}}


def _bucket(name: str, numbers: tuple[int, int, int]) -> Json:
    calls, period, burst = numbers
    return {
        "entries": [{"key": LIMIT_HEADER, "value": name}, {"key": SUBSCRIPTION_HEADER, "value": ""}],
        "token_bucket": {"max_tokens": burst, "tokens_per_fill": calls, "fill_interval": f"{period}s"},
    }
