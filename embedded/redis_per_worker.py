"""A pytest plugin: each process of pytest-xdist gets a Redis database of its own.

Tests clear the cache, which empties a whole database; two processes would empty each other's. Loaded by name
(PYTEST_PLUGINS) before pytest-django reads the settings.
"""

from __future__ import annotations

import os
import re

DATABASES = 16

_worker = re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", ""))
_url = os.environ.get("REDIS_URL", "")
if _worker and _url and "db=" not in _url:
    _number = (int(_worker[1]) + 1) % DATABASES
    os.environ["REDIS_URL"] = f"{_url}{'&' if '?' in _url else '?'}db={_number}"
