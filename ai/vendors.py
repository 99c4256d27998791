"""The known vendors: where each is, how its key is sent, which dialect it speaks, and where that is documented.

A table and nothing more (`vendors.json`, one vendor a line): a provider copies what it needs from here when it is made,
so that a changed line changes no provider that exists. Read on first use.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("vendors.json")
GAP = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor or kind of server. `base_url` may hold gaps such as `{region}`, which the one who adds it fills in.

    `auth` is `bearer`, `header:NAME` or `none`; `country` is where the company sits (ISO 3166), empty for software;
    `prices` is its name in the price catalogue, empty where that knows nothing of it; `docs` says where `base_url` and
    `auth` are documented; `note` what is special.
    """

    slug: str
    name: str
    base_url: str
    auth: str
    dialect: str
    docs: str
    country: str = ""
    prices: str = ""
    note: str = ""

    @property
    def is_own_server(self) -> bool:
        """Software that one runs oneself, rather than a company's service."""
        return not self.country

    @property
    def is_native(self) -> bool:
        """Whether it has a dialect of its own."""
        return self.dialect != "openai" or self.slug == "openai"

    @property
    def gaps(self) -> list[str]:
        """The names in `base_url` that have to be filled in."""
        return GAP.findall(self.base_url)

    def matches(self, words: str) -> bool:
        """Whether each of `words` is in its name, short name, address, country or note."""
        text = " ".join((self.name, self.slug, self.base_url, self.country, self.note)).lower()
        return all(word in text for word in words.lower().split())


@lru_cache(maxsize=1)
def all_vendors() -> dict[str, Vendor]:
    """Every vendor by short name, in the order of the table."""
    return {row["slug"]: Vendor(**row) for row in json.loads(TABLE.read_text(encoding="utf-8"))}


def vendor_named(slug: str) -> Vendor | None:
    """The vendor with this short name."""
    return all_vendors().get(slug)


def found_vendors(words: str) -> list[Vendor]:
    """The vendors that match `words`; all of them for no words."""
    return [vendor for vendor in all_vendors().values() if vendor.matches(words)]
