"""Where a version answers: what callers write, per environment and gateway."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apis.models import ApiVersion, Environment, Operation
from apis.spec.samples import code_samples, example_call
from apis.spec.served import served_document
from gateways.drivers.aws.kinds import ApiType, named, parted
from gateways.drivers.aws.places import stage_url
from gateways.drivers.aws.work import STAGES
from gateways.models import Gateway, GatewayListener, Publication, RemoteObject
from subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Address:
    """One publication as callers see it. `url` has no slash at its end; it is empty while it is not known yet."""

    publication: Publication
    environment: Environment
    gateway: Gateway
    url: str


def addresses_of(publications: Iterable[Publication]) -> list[Address]:
    """The addresses of `publications` that have a listener, in the order of the environments; one more query, two
    where some are at AWS.

    Needs claim, gateway and environment loaded.
    """
    found = list(publications)
    listeners = {
        (listener.gateway_id, listener.environment_id): listener.public_url
        for listener in GatewayListener.objects.filter(gateway__in={p.gateway_id for p in found})
    }
    stages = _stage_urls([p for p in found if p.gateway.is_at_aws])
    addresses = [
        Address(p, p.environment, p.gateway, _url(p, listeners[p.gateway_id, p.environment_id], stages))
        for p in found
        if (p.gateway_id, p.environment_id) in listeners
    ]
    return sorted(addresses, key=lambda a: (a.environment.position, a.environment.slug, a.gateway.name))


def _url(publication: Publication, origin: str, stages: Mapping[str, str]) -> str:
    if publication.gateway.is_at_aws:
        return stages.get(publication.public_id, "")
    return f"{origin}{publication.claim.path}"


def _stage_urls(publications: Sequence[Publication]) -> dict[str, str]:
    """The addresses that AWS gave to `publications`, by their public ids; of those whose stage is there."""
    if not publications:
        return {}
    stages = RemoteObject.objects.filter(
        sort=STAGES,
        gateway__in={p.gateway_id for p in publications},
        name__in=[named(p.public_id, kind) for p in publications for kind in ApiType],
        value__stage__isnull=False,
    )
    rows = stages.select_related("gateway__aws_account").order_by()
    # While the type of an API changes there are two: the last word is that of one which is sure to serve.
    known = sorted(rows, key=lambda row: bool(row.value.get("wanted")))
    return {parted(row.name)[0]: _stage_url(row) for row in known}


def _stage_url(row: RemoteObject) -> str:
    account = row.gateway.aws_account
    return stage_url(
        row.value["api"],
        row.value["stage"],
        region=row.gateway.aws_region,
        endpoint_url=account.endpoint_url if account else "",
        kind=parted(row.name)[1],
    )


def addresses_of_version(version: ApiVersion) -> list[Address]:
    """Where `version` answers now."""
    if version.state == ApiVersion.State.RETIRED:
        return []
    published = Publication.objects.current().filter(api_version=version, gateway__retired_at=None)
    return addresses_of(with_places(published))


def with_places(publications: Any) -> Any:
    """Publications with all that a line about them names."""
    return publications.select_related(
        "claim", "gateway", "environment", "revision", "api_version__api__team"
    )


def addresses_of_subscription(subscription: Subscription) -> list[Address]:
    """Where the calls of a subscription go."""
    found = addresses_of_version(subscription.api_version)
    return [address for address in found if address.environment.pk == subscription.environment_id]


def published_document(version: ApiVersion, *, environment: str = "") -> dict[str, Any] | None:
    """The document that readers get, with the addresses where it answers; None while it answers nowhere.

    Of several revisions on gateways it is the one of the first address; `environment` (a slug) narrows.
    """
    addresses = [
        a for a in addresses_of_version(version) if a.url and environment in ("", a.environment.slug)
    ]
    if not addresses:
        return None
    first = addresses[0]
    document = served_document(first.publication.revision.spec.text, first.url, server_name=_name(first))
    document["servers"] = _servers(addresses)
    return document


def _servers(addresses: Sequence[Address]) -> list[dict[str, str]]:
    named = {address.url: _name(address) for address in addresses}
    return [{"url": url, "description": name} for url, name in named.items()]


def _name(address: Address) -> str:
    return f"{address.environment.name} ({address.gateway.name})"


@dataclass(frozen=True, slots=True)
class Sample:
    """A call in one language, ready to run."""

    key: str
    label: str
    code: str


LANGUAGES = (("curl", "curl"), ("python", "Python"), ("javascript", "JavaScript"))


def samples_for(address: Address) -> list[Sample]:
    """The first GET operation of what is published at `address`, in each language, with $KEY for the key.

    A document without GET operations shows its first one; one without operations has no samples.
    """
    spec = address.publication.revision.spec
    operation = _first_operation(spec.operations.all())
    if operation is None:
        return []
    call = example_call(json.loads(spec.text), operation.method, operation.path)
    codes = code_samples(address.url, call)
    return [Sample(key, label, codes[key]) for key, label in LANGUAGES]


def _first_operation(operations: Iterable[Operation]) -> Operation | None:
    """A GET without parameters in its path if there is one, else any GET, else the first of all."""
    found = list(operations)
    gets = [operation for operation in found if operation.method == "GET"]
    plain = [operation for operation in gets if "{" not in operation.path]
    return next(iter([*plain, *gets, *found]), None)
