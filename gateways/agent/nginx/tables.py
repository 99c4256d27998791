"""The files of nginx that hold nothing but look-up tables: of keys, of subscriptions, of blocks.

One that is plainly such a table is not tried by nginx before the swap: a revoked key would wait a fifth of a second
for it. Whatever looks otherwise is.
"""

from __future__ import annotations

import re

TABLES = frozenset({"keys.conf", "subscriptions.conf", "blocks.conf"})
"""Their names."""

_TEXT = r'(?:[A-Za-z0-9_.-]+|"[A-Za-z0-9_.,: -]+")'
_ENTRY = rf"    (?!default |hostnames|include |volatile){_TEXT} {_TEXT};\n"
_MAP = rf'map "[$a-z_ ]+" "[$a-z_]+" {{\n(?:{_ENTRY})*+}}\n'
_TABLE = re.compile(rf"(?:{_MAP})*+")
_SOURCE = re.compile(rf"^    ({_TEXT}) ", re.MULTILINE)


def is_table(text: str) -> bool:
    """Whether `text` is maps from texts to texts and nothing else, none of them from one text twice.

    nginx tells texts of a map apart without regard to case (ngx_http_map_module).
    """
    if not _TABLE.fullmatch(text):
        return False
    sources = [_SOURCE.findall(one.lower()) for one in text.split("}\n")]
    return all(len(set(found)) == len(found) for found in sources)
