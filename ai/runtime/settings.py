"""What a runtime is told by its environment. A bad setting refuses the start."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(ValueError):
    """A setting is missing or wrong; the text names it and says the cure."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one runtime, each with the variable it comes from.

    Where it is called stands in the snapshot. `control` GATEHOUSE_AI_CONTROL (a socket in the directory); `directory`
    GATEHOUSE_AI_SNAPSHOT (var/ai), the files of the snapshot; `feed` GATEHOUSE_AI_FEED (empty: none is written);
    `redis_url` GATEHOUSE_AI_REDIS_URL (empty: budgets cannot be counted); `networks` GATEHOUSE_AI_NETWORKS, the
    networks beside the public internet in which vendors may be; `sequence` GATEHOUSE_AI_SEQUENCE, the file in which it
    remembers how far the counters were (empty: it does not); `tls_certificate`, `tls_key`
    GATEHOUSE_AI_TLS_CERTIFICATE, _KEY; `ticket_key` GATEHOUSE_AI_TICKET_KEY in hex (empty: no editor); `origins`
    GATEHOUSE_AI_ORIGINS, those that the portal's pages come from.
    """

    control: str
    directory: Path
    feed: Path | None
    redis_url: str = field(repr=False, default="")
    networks: tuple[Network, ...] = ()
    sequence: Path | None = None
    tls_certificate: str = ""
    tls_key: str = ""
    ticket_key: bytes = field(repr=False, default=b"")
    origins: frozenset[str] = frozenset()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`. Raises SettingsError with the first that is missing or wrong."""
    directory = Path(environment.get("GATEHOUSE_AI_SNAPSHOT") or "var/ai").absolute()
    feed = environment.get("GATEHOUSE_AI_FEED", "")
    sequence = environment.get("GATEHOUSE_AI_SEQUENCE", "")
    return Settings(
        control=environment.get("GATEHOUSE_AI_CONTROL") or str(directory / "control.sock"),
        directory=directory,
        feed=Path(feed) if feed else None,
        redis_url=_redis_url(environment.get("GATEHOUSE_AI_REDIS_URL", "")),
        networks=_networks(environment.get("GATEHOUSE_AI_NETWORKS", "")),
        sequence=Path(sequence) if sequence else None,
        tls_certificate=environment.get("GATEHOUSE_AI_TLS_CERTIFICATE", ""),
        tls_key=environment.get("GATEHOUSE_AI_TLS_KEY", ""),
        ticket_key=_hex(environment, "GATEHOUSE_AI_TICKET_KEY"),
        origins=frozenset(environment.get("GATEHOUSE_AI_ORIGINS", "").replace(",", " ").split()),
    )


def _redis_url(text: str) -> str:
    """Celery writes `redis+socket://` where the client of Redis writes `unix://`."""
    url = text.replace("redis+socket://", "unix://")
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        raise SettingsError(
            "GATEHOUSE_AI_REDIS_URL is no address of a Redis. Write redis://host:6379/0 or unix:///path."
        )
    return url


def _hex(environment: Mapping[str, str], name: str) -> bytes:
    try:
        return bytes.fromhex(environment.get(name, ""))
    except ValueError:
        raise SettingsError(f"{name} is not in hexadecimal digits.") from None


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise SettingsError(
            f"GATEHOUSE_AI_NETWORKS holds something that is no network: {error}. Write them like 10.0.0.0/8."
        ) from None
