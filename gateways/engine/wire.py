"""What a driver and an agent say to each other: the body of `PUT /v1/config`, file names, the log line.

Drivers and agents are two programs that import nothing of each other, so their agreement stands here. A push
carries the finished files of the gateway, the order in which to swap them, and the neutral objects that they
realise (without secrets), which the agent hands back when asked what it serves.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateways.engine.document import (
    Document,
    Kind,
    canonical_json,
    from_plain,
    plain_document_digest,
    to_plain,
)

WIRE_FORMAT = 1

ACCESS_LOG = "usage/access.log"
"""Where the gateway writes its access log, relative to the directory it runs in."""

XDS_DIRECTORY = "xds"
FILES_DIRECTORY: Mapping[str, str] = {"envoy": XDS_DIRECTORY, "nginx": "conf"}
"""Where the swapped files live, by kind of gateway, relative to the directory the gateway runs in."""

FILE_SUFFIX: Mapping[str, str] = {"envoy": ".json", "nginx": ".conf"}

SYSTEM_CA_SECRET = "gatehouse.system_ca"  # noqa: S105 - the name of an Envoy resource
"""Name of the secret under which the agent's bootstrap gives the node's own certificate authorities."""

SPOOFED_PREFIXES = ("x-gatehouse-", "x-consumer-", "x-envoy-", "x-authenticated-", "x-credential-")
"""How the names of headers begin that say who calls: a gateway takes away those that a caller sent."""

LOG_FIELDS = (
    "%START_TIME(%s.%3f)%",
    "%ROUTE_NAME%",
    "%REQ(x-gatehouse-subscription)%",
    "%FILTER_STATE(gatehouse.header_key:PLAIN)%",
    "%FILTER_STATE(gatehouse.bearer_key:PLAIN)%",
    "%REQ(:METHOD):20%",
    "%RESPONSE_CODE%",
    "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
    "%DURATION%",
    "%BYTES_RECEIVED%",
    "%BYTES_SENT%",
    "%REQ(x-request-id)%",
    "%RESPONSE_FLAGS%",
    "%RESPONSE_CODE_DETAILS%",
    "%FILTER_STATE(gatehouse.path:PLAIN):1024%",
)
"""What Envoy writes per call, tabs between. The path stands last, as the only field a caller fills freely."""

NGINX_LOG_FIELDS = (
    "$msec",
    "$gatehouse_route",
    "$gatehouse_subscription",
    "$gatehouse_key_id",
    "-",
    "$request_method",
    "$status",
    "$request_time",
    "$upstream_header_time",
    "-",
    "$content_length",
    "$body_bytes_sent",
    "$request_id",
    "$gatehouse_failure",
    "$gatehouse_refusal",
    "$gatehouse_path",
)
"""What nginx writes per call, in the same places: the time is that of the end, times are seconds, a key is named by
its public id, a failure is one of those of `gateways.agent.feed`."""

_ENVOY_FILES: Mapping[Kind, tuple[str, ...]] = {
    Kind.UPSTREAM: ("cds",),
    Kind.LIMIT: ("ecds-limits", "ecds-buckets"),
    Kind.CONSUMER: ("ecds-applications",),
    Kind.ROUTE: ("lds", "rds"),
    Kind.GRANT: ("lds", "rds", "ecds-limits", "ecds-applications"),
    Kind.KEY: ("lds", "ecds-keys"),
    Kind.BLOCK: ("ecds-limits",),
}
_NGINX_FILES: Mapping[Kind, tuple[str, ...]] = {
    Kind.UPSTREAM: ("upstreams", "gateway"),
    Kind.LIMIT: ("limits", "gateway"),
    Kind.CONSUMER: ("subscriptions", "gateway"),
    Kind.ROUTE: ("routes", "gateway"),
    Kind.GRANT: ("subscriptions", "routes", "gateway"),
    Kind.KEY: ("keys", "gateway"),
    Kind.BLOCK: ("blocks", "gateway"),
}
REALISED_IN: Mapping[str, Mapping[Kind, tuple[str, ...]]] = {"envoy": _ENVOY_FILES, "nginx": _NGINX_FILES}
"""The files, by kind of gateway and the head of their names, without which an object of a kind is not in force."""

_FILE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\.(json|conf)")


_KINDS = frozenset(Kind)


class WireError(ValueError):
    """A push that is not of this format; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Push:
    """One whole configuration of one node.

    `phases` are swapped in order: each is a tuple of (file name, SHA-256 of its content), and the last one
    names every file there is. `blobs` holds the contents by their SHA-256. `items` are the objects of the
    adapted document in their plain form, `digest` is that document's digest.
    """

    kind: str
    version: int
    digest: str
    items: tuple[dict[str, Any], ...]
    phases: tuple[tuple[tuple[str, str], ...], ...]
    blobs: Mapping[str, str]

    @property
    def files(self) -> dict[str, str]:
        """Every file when all is done: name to content."""
        return {name: self.blobs[content] for name, content in self.phases[-1]}

    def document(self) -> Document:
        """The objects that the files realise, keys without values."""
        return Document.of(from_plain(item) for item in self.items)

    def to_bytes(self) -> bytes:
        """The body of the push: canonical JSON."""
        return canonical_json(
            {
                "format": WIRE_FORMAT,
                "kind": self.kind,
                "version": self.version,
                "digest": self.digest,
                "items": self.items,
                "phases": self.phases,
                "blobs": self.blobs,
            }
        ).encode()


def make_push(kind: str, version: int, document: Document, phases: Sequence[Mapping[str, str]]) -> Push:
    """A push of `document` through `phases`, each a mapping of file names to contents."""
    texts = {text for phase in phases for text in phase.values()}
    digests = {text: content_digest(text) for text in texts}
    named = tuple(tuple((name, digests[text]) for name, text in phase.items()) for phase in phases)
    blobs = {digest: text for text, digest in digests.items()}
    items = tuple(to_plain(item) for item in document.items.values())
    return Push(kind, version, document.digest(), items, named, blobs)


def read_push(body: bytes) -> Push:
    """The push in `body`. Raises WireError when it is none, or its contents are not what they are named."""
    try:
        plain = json.loads(body)
        push = Push(
            kind=str(plain["kind"]),
            version=int(plain["version"]),
            digest=str(plain["digest"]),
            items=tuple(plain["items"]),
            phases=tuple(tuple((str(n), str(d)) for n, d in phase) for phase in plain["phases"]),
            blobs=dict(plain["blobs"]),
        )
        found_format = plain["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise WireError(f"this is no configuration push: {type(error).__name__}") from None
    if found_format != WIRE_FORMAT:
        raise WireError(f"format {found_format!r} is not known here; this agent speaks {WIRE_FORMAT}")
    _check(push)
    return push


def _check(push: Push) -> None:
    if not push.phases:
        raise WireError("a push needs at least one phase")
    for name, content in (file for phase in push.phases for file in phase):
        if not _FILE_NAME.fullmatch(name):
            raise WireError("a file name of the push is not allowed")
        if content not in push.blobs:
            raise WireError(f"the content of {name} is missing")
    for named, text in push.blobs.items():
        if content_digest(str(text)) != named:
            raise WireError("a content of the push does not have the digest it is named by")
    try:
        found = plain_document_digest(push.items)
        known = all(item["kind"] in _KINDS for item in push.items)
    except (KeyError, TypeError):
        raise WireError("an object of the push cannot be read") from None
    if not known:
        raise WireError("an object of the push is of a kind not known here")
    if found != push.digest:
        raise WireError("the objects of the push do not have its digest")


def subscription_of(name: str) -> str:
    """The name under which Envoy counts and versions the file `name`.

    `rds-8080.json` holds the route configuration `port-8080`, `ecds-keys.json` the filter `gatehouse.keys`.
    """
    head, _, rest = name.removesuffix(".json").partition("-")
    match head:
        case "cds":
            return "cluster_manager.cds"
        case "lds":
            return "listener_manager.lds"
        case "rds":
            return f"http.port-{rest}.rds.port-{rest}"
        case _:
            return f"extension_config_discovery.http_filter.gatehouse.{rest}"


def version_of(text: str) -> str:
    """The `version_info` of an xDS file in canonical JSON, which ends with it."""
    return text.rpartition('"version_info":"')[2].removesuffix('"}')


def content_digest(text: str) -> str:
    """SHA-256 (hex) of a file's content."""
    return hashlib.sha256(text.encode()).hexdigest()
