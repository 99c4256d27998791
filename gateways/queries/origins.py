"""The origins of gateways, as browsers see them."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateways.models import GatewayListener


def gateway_origins() -> list[str]:
    """Scheme, host and port of every active gateway's listeners, each once, in a fixed order."""
    urls = GatewayListener.objects.filter(gateway__retired_at=None).values_list("public_url", flat=True)
    parts = (urlsplit(url) for url in urls)
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts if part.netloc})
