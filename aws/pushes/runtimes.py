"""Lambda's runtimes and when their support ends.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, as of February 2026. AWS moves dates that lie
ahead, mostly to later ones: so a runtime is refused here only where it was closed already when this table was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

SOURCE = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"
SOON = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Runtime:
    """`ends`: no security updates after it. `closed`: no function can be made or changed with it any more."""

    name: str
    label: str
    ends: date
    closed: bool = False

    def has_ended(self, today: date) -> bool:
        return self.closed or self.ends <= today

    def ends_soon(self, today: date) -> bool:
        """Whether it ends within half a year."""
        return not self.has_ended(today) and self.ends - today <= SOON


def _closed(name: str, label: str, year: int, month: int, day: int) -> Runtime:
    return Runtime(name, label, date(year, month, day), closed=True)


_ALL = (
    Runtime("python3.14", "Python 3.14", date(2029, 6, 30)),
    Runtime("python3.13", "Python 3.13", date(2029, 6, 30)),
    Runtime("python3.12", "Python 3.12", date(2028, 10, 31)),
    Runtime("python3.11", "Python 3.11", date(2027, 6, 30)),
    Runtime("python3.10", "Python 3.10", date(2026, 10, 31)),
    Runtime("python3.9", "Python 3.9", date(2025, 12, 15)),
    Runtime("nodejs24.x", "Node.js 24", date(2028, 4, 30)),
    Runtime("nodejs22.x", "Node.js 22", date(2027, 4, 30)),
    Runtime("nodejs20.x", "Node.js 20", date(2026, 4, 30)),
    Runtime("nodejs18.x", "Node.js 18", date(2025, 9, 1)),
    Runtime("java25", "Java 25", date(2029, 6, 30)),
    Runtime("java21", "Java 21", date(2029, 6, 30)),
    Runtime("java17", "Java 17", date(2027, 6, 30)),
    Runtime("java11", "Java 11", date(2027, 6, 30)),
    Runtime("java8.al2", "Java 8", date(2027, 6, 30)),
    Runtime("dotnet10", ".NET 10", date(2028, 11, 14)),
    Runtime("dotnet8", ".NET 8", date(2026, 11, 10)),
    Runtime("ruby3.4", "Ruby 3.4", date(2028, 3, 31)),
    Runtime("ruby3.3", "Ruby 3.3", date(2027, 3, 31)),
    Runtime("ruby3.2", "Ruby 3.2", date(2026, 3, 31)),
    Runtime("provided.al2023", "OS only (Amazon Linux 2023)", date(2029, 6, 30)),
    Runtime("provided.al2", "OS only (Amazon Linux 2)", date(2026, 7, 31)),
    _closed("python3.8", "Python 3.8", 2024, 10, 14),
    _closed("python3.7", "Python 3.7", 2023, 12, 4),
    _closed("python3.6", "Python 3.6", 2022, 7, 18),
    _closed("python2.7", "Python 2.7", 2021, 7, 15),
    _closed("nodejs16.x", "Node.js 16", 2024, 6, 12),
    _closed("nodejs14.x", "Node.js 14", 2023, 12, 4),
    _closed("nodejs12.x", "Node.js 12", 2023, 3, 31),
    _closed("nodejs10.x", "Node.js 10", 2021, 7, 30),
    _closed("nodejs8.10", "Node.js 8", 2020, 3, 6),
    _closed("nodejs6.10", "Node.js 6", 2019, 8, 12),
    _closed("nodejs4.3", "Node.js 4", 2020, 3, 5),
    _closed("nodejs", "Node.js 0.10", 2016, 8, 30),
    _closed("java8", "Java 8 (Amazon Linux 1)", 2024, 1, 8),
    _closed("go1.x", "Go", 2024, 1, 8),
    _closed("dotnet6", ".NET 6", 2024, 12, 20),
    _closed("dotnetcore3.1", ".NET Core 3.1", 2023, 4, 3),
    _closed("dotnetcore2.1", ".NET Core 2.1", 2022, 1, 5),
    _closed("ruby2.7", "Ruby 2.7", 2023, 12, 7),
    _closed("ruby2.5", "Ruby 2.5", 2021, 7, 30),
    _closed("provided", "OS only (Amazon Linux 1)", 2024, 1, 8),
)

RUNTIMES: Mapping[str, Runtime] = {one.name: one for one in _ALL}


def offered(today: date) -> list[Runtime]:
    """What a new function may be made with, in the order of the table."""
    return [one for one in _ALL if not one.has_ended(today)]
