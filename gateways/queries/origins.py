"""The origins of gateways, as browsers see them."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from apis.models import ApiVersion
from gateways.models import GatewayListener
from gateways.queries.addresses import addresses_of_version


def gateway_origins() -> list[str]:
    """Scheme, host and port of every active gateway's listeners, each once, in a fixed order."""
    listeners = GatewayListener.objects.filter(gateway__retired_at=None).exclude(public_url="")
    return _origins_of(listeners.values_list("public_url", flat=True))


def origins_at_aws(*, team: str, slug: str, major: int) -> list[str]:
    """The origins of one version at AWS, where each publication has one of its own: no page calls those of others."""
    version = ApiVersion.objects.filter(api__team__slug=team, api__slug=slug, major=major).first()
    found = addresses_of_version(version) if version is not None else []
    return _origins_of(address.url for address in found if address.gateway.is_at_aws)


def _origins_of(urls: Iterable[str]) -> list[str]:
    """Scheme, host and port of each address, each once, in a fixed order."""
    parts = (urlsplit(url) for url in urls)
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts if part.netloc})
