"""Lines of a usage feed, as an agent sends them."""

from __future__ import annotations

import json
from typing import Any

from django.utils import timezone

from gateways.models import Publication
from subscriptions.models import Credential


def line(publication: Publication | str, credential: Credential | None = None, **values: Any) -> bytes:
    """One call; answered 200 in 12 ms unless `values` say otherwise."""
    row = {
        "ts": timezone.now().timestamp() * 1000,
        "publication": publication if isinstance(publication, str) else publication.public_id,
        "client": credential.subscription.public_id if credential else "",
        "key_id": credential.key_id if credential else "",
        "method": "GET",
        "path": f"{'' if isinstance(publication, str) else publication.base_path}/orders",
        "status": 200,
        "duration_ms": 12.0,
        "upstream_ms": 10.0,
        "bytes_in": 0,
        "bytes_out": 100,
        "request_id": "r-1",
        "flags": "",
        **values,
    }
    return json.dumps(list(row.values()), separators=(",", ":")).encode() + b"\n"
