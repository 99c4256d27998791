"""The filters that are look-up tables, from one text to another: of keys, of limits, of applications.

They are looked at here and not tried by Envoy: a revoked key would wait a fifth of a second for it. What Envoy asks of
a table is little (api_key_auth.proto: texts that are not empty, no key twice), and it must not come to Envoy's own
refusal, which would write keys into its log.
"""

from __future__ import annotations

import json

TABLES = frozenset({"ecds-keys.json", "ecds-limits.json", "ecds-applications.json"})
"""Their files."""


def check_table(name: str, text: str) -> None:
    """Raises ValueError, KeyError or TypeError where Envoy would not take the table over."""
    (resource,) = json.loads(text)["resources"]
    seen: set[str] = set()
    for credential in resource["typed_config"]["credentials"]:
        key, client = credential["key"], credential["client"]
        if not (isinstance(key, str) and isinstance(client, str) and key and client):
            raise ValueError(f"an entry of {name} is not a text for a text")
        if key in seen:
            raise ValueError(f"an entry for {client} of {name} stands twice")
        seen.add(key)
