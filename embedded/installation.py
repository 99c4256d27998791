"""One installation: its paths, ports, secrets and servers, and the environment that its parts are given."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from embedded import aws_server
from embedded.failure import CannotRun
from embedded.keyring import Keyring
from embedded.layout import ROOT, Layout
from embedded.ports import Port, read_ports
from embedded.postgres import APP, OWNER, Postgres, make_postgres
from embedded.redis_server import Redis

PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "LD_LIBRARY_PATH",
    "LOG_LEVEL",
)
"""What a part that needs no secrets of the portal gets of our own environment."""

DATABASE_NAMES = {"DATABASE_URL", "DATABASE_URL_FILE"}


@dataclass(frozen=True, slots=True)
class LocalGateway:
    """A gateway of this machine: its short name in the portal, and the names of what belongs to it.

    `settings` begins the names of the variables that are passed on to its agent as they were given to us.
    """

    kind: str
    slug: str
    name: str
    port: str
    sandbox_port: str
    agent_port: str
    token: str
    state: str
    settings: tuple[str, ...]


GATEWAYS = (
    LocalGateway(
        kind="envoy",
        slug="edge",
        name="Edge",
        port="GATEWAY_PORT",
        sandbox_port="GATEWAY_SANDBOX_PORT",
        agent_port="AGENT_PORT",
        token="GATEHOUSE_AGENT_TOKEN",  # noqa: S106  the name of a secret
        state="agent",
        settings=("GATEHOUSE_AGENT_", "GATEHOUSE_ENVOY"),
    ),
    LocalGateway(
        kind="nginx",
        slug="edge-nginx",
        name="Edge nginx",
        port="NGINX_PORT",
        sandbox_port="NGINX_SANDBOX_PORT",
        agent_port="NGINX_AGENT_PORT",
        token="GATEHOUSE_NGINX_AGENT_TOKEN",  # noqa: S106  the name of a secret
        state="agent-nginx",
        settings=("GATEHOUSE_NGINX",),
    ),
    LocalGateway(
        kind="ai_runtime",
        slug="ai",
        name="AI runtime",
        port="AI_PORT",
        sandbox_port="AI_SANDBOX_PORT",
        agent_port="AI_AGENT_PORT",
        token="GATEHOUSE_AI_AGENT_TOKEN",  # noqa: S106  the name of a secret
        state="agent-ai",
        settings=("GATEHOUSE_AI_",),
    ),
)
RULED_AT = {
    "envoy": "GATEHOUSE_ENVOY_ADMIN",
    "nginx": "GATEHOUSE_NGINX_STATUS",
    "ai_runtime": "GATEHOUSE_AI_CONTROL",
}
"""The variable that names the socket by which an agent rules its gateway."""


@dataclass(frozen=True, slots=True)
class Installation:
    """`given` is the environment that we were started with; it wins over everything chosen here.

    `postgres`, `redis` are None and `runs_agent` is False where an external one is used.
    """

    layout: Layout
    given: Mapping[str, str]
    ports: Mapping[str, Port]
    keyring: Keyring
    postgres: Postgres | None
    redis: Redis | None
    budgets: Redis | None

    @property
    def runs_agent(self) -> bool:
        return not self.given.get("GATEHOUSE_AGENT_URL")

    @property
    def seeds_demo(self) -> bool:
        return self.given.get("GATEHOUSE_DEMO", "1").strip().lower() not in {"0", "false", "no", "off"}

    @property
    def bind(self) -> str:
        """The address on which the portal listens."""
        return self.given.get("PORTAL_BIND") or "127.0.0.1"

    @property
    def portal_url(self) -> str:
        """Where browsers find the portal."""
        return (self.given.get("PORTAL_URL") or f"http://localhost:{self.port('PORTAL_PORT')}").rstrip("/")

    @property
    def inner_host(self) -> str:
        """The address at which what listens on `bind` is found from this machine."""
        return "127.0.0.1" if self.bind in {"0.0.0.0", "::"} else self.bind  # noqa: S104  compared, not bound

    @property
    def inner_portal_url(self) -> str:
        """Where the parts of this machine find the portal."""
        host = self.inner_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port('PORTAL_PORT')}"

    def gateway_url(self, setting: str) -> str:
        """Where callers find the environment whose port is `setting`: on the portal's host, or the agent's."""
        beside = self.portal_url if self.runs_agent else self.agent_url
        host = urlsplit(beside).hostname or "localhost"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port(setting)}"

    @property
    def agent_url(self) -> str:
        return self.given.get("GATEHOUSE_AGENT_URL") or f"http://127.0.0.1:{self.port('AGENT_PORT')}"

    def refuse_agent_without_token(self) -> None:
        """Raises CannotRun when another's agent is named and nobody can know its token."""
        if not self.runs_agent and not self.keyring.given("GATEHOUSE_AGENT_TOKEN"):
            raise CannotRun(
                "GATEHOUSE_AGENT_URL names an agent, but GATEHOUSE_AGENT_TOKEN is not set. Set both here, and the same "
                "token where the agent runs."
            )

    def port(self, setting: str) -> int:
        return self.ports[setting].number

    def ports_in_use(self) -> list[Port]:
        """The ports that this run will listen on."""
        gateways = {name for one in GATEWAYS for name in (one.port, one.sandbox_port, one.agent_port)}
        return [port for port in self.ports.values() if self.runs_agent or port.setting not in gateways]

    @property
    def aws_url(self) -> str:
        """Where the simulated AWS answers."""
        return f"http://127.0.0.1:{self.port('AWS_PORT')}"

    @property
    def aws_principal(self) -> Path:
        """The file that says who Gatehouse is in the simulated AWS."""
        return self.layout.secrets / "simulated_aws.json"

    def portal_environment(self) -> dict[str, str]:
        """For web, worker, beat and management commands."""
        mail = f"filemail://{quote(str(self.layout.state / 'mail'))}"
        chosen = {
            **{name: self.keyring[name] for name in ("SECRET_KEY", "GATEHOUSE_MASTER_KEYS")},
            **{name: self.keyring[name] for name in ("GATEHOUSE_AGENT_TOKEN", "GATEHOUSE_DEMO_PASSWORD")},
            **self._servers(),
            **self._simulated_aws(),
            **{name: str(port.number) for name, port in self.ports.items()},
            "PORTAL_URL": self.portal_url,
            "ALLOWED_HOSTS": ",".join(self._hosts()),
            "EMAIL_URL": mail,
            "GATEHOUSE_AGENT_URL": self.agent_url,
            "GATEHOUSE_EMBEDDED": "1",
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONUNBUFFERED": "1",
        }
        return {**chosen, **{name: value for name, value in self.given.items() if value}, **self._fixed()}

    def owner_environment(self) -> dict[str, str]:
        """For `migrate`: as the role that owns the tables."""
        environment = self.portal_environment()
        for form in ("", "_FILE"):
            if owner := environment.get(f"DATABASE_OWNER_URL{form}"):
                others = {name: v for name, v in environment.items() if name not in DATABASE_NAMES}
                return {**others, f"DATABASE_URL{form}": owner}
        return environment

    def test_environment(self) -> dict[str, str]:
        """For tests: as the owner, who may make databases, and nothing about parts that do not run."""
        environment = self.owner_environment()
        absent = {*self.ports, "GATEHOUSE_AGENT_URL", "GATEHOUSE_AGENT_TOKEN", "GATEHOUSE_DEMO_PASSWORD"}
        return {name: value for name, value in environment.items() if name not in absent - set(self.given)}

    def plain_environment(self) -> dict[str, str]:
        """For parts that must not see the portal's secrets."""
        passed = {name: self.given[name] for name in PASSED_ON if name in self.given}
        return {**passed, "PYTHONUNBUFFERED": "1"}

    def aws_environment(self) -> dict[str, str]:
        """For the simulated AWS, and so for every function in it."""
        root = self.keyring["GATEHOUSE_SIMULATED_AWS_ROOT"]
        own = aws_server.settings(self.layout.state / "aws", self.port("AWS_PORT"), root)
        return {**self.plain_environment(), **own}

    def customer_environment(self) -> dict[str, str]:
        """For a management command that also plays the owner of the simulated account, who connects it."""
        return {
            **self.portal_environment(),
            "GATEHOUSE_SIMULATED_AWS_ROOT": self.keyring["GATEHOUSE_SIMULATED_AWS_ROOT"],
        }

    def agent_environment(self, gateway: LocalGateway) -> dict[str, str]:
        """For the agent of `gateway`: its own settings, the gateway's token, and nothing of the portal's."""
        own = {name: value for name, value in self.given.items() if name.startswith(gateway.settings)}
        own.pop(gateway.token, None)
        return {
            **self.plain_environment(),
            "GATEHOUSE_AGENT_KIND": gateway.kind,
            "GATEHOUSE_AGENT_LISTEN": f"127.0.0.1:{self.port(gateway.agent_port)}",
            "GATEHOUSE_AGENT_TOKEN": self.keyring[gateway.token],
            "GATEHOUSE_AGENT_STATE": str(self.layout.state / gateway.state),
            "GATEHOUSE_AGENT_URL": f"http://127.0.0.1:{self.port(gateway.agent_port)}",
            RULED_AT[gateway.kind]: f"unix:{self.layout.sockets / gateway.kind / 'admin.sock'}",
            "GATEHOUSE_PORTAL_URL": self.inner_portal_url,
            "GATEHOUSE_NODE_NAME": self.given.get("GATEHOUSE_NODE_NAME") or "local",
            **(self._ai_environment() if gateway.kind == "ai_runtime" else _one_thread(gateway.kind)),
            **own,
        }

    def _simulated_aws(self) -> dict[str, str]:
        """Where it is and who Gatehouse is there; nothing before it was started for the first time."""
        principal = aws_server.kept_principal(self.aws_principal) if aws_server.is_there() else None
        return (
            {}
            if principal is None
            else {
                "GATEHOUSE_SIMULATED_AWS_URL": self.aws_url,
                "GATEHOUSE_SIMULATED_AWS_ACCESS_KEY_ID": principal.key,
                "GATEHOUSE_SIMULATED_AWS_SECRET_ACCESS_KEY": principal.secret,
            }
        )

    def _ai_environment(self) -> dict[str, str]:
        """Vendors on this machine may be called, and the portal's pages may try things out."""
        found = {"GATEHOUSE_AI_NETWORKS": "127.0.0.0/8,::1/128", "GATEHOUSE_AI_ORIGINS": self.portal_url}
        return {**found, "GATEHOUSE_AI_REDIS_URL": self.budgets.url} if self.budgets else found

    def _fixed(self) -> dict[str, str]:
        """What a relative path in our own environment would get wrong in another working directory."""
        return {"GATEHOUSE_STATE": str(self.layout.state)}

    def _servers(self) -> dict[str, str]:
        found = {}
        if self.postgres:
            found["DATABASE_URL"] = self.postgres.url(APP)
            found["DATABASE_OWNER_URL"] = self.postgres.url(OWNER)
        if self.redis:
            found["REDIS_URL"] = self.redis.url
        return found

    def _hosts(self) -> list[str]:
        names = ["localhost", "127.0.0.1", "[::1]", urlsplit(self.portal_url).hostname or ""]
        names.append(urlsplit(self.inner_portal_url).hostname or "")
        return sorted({name for name in names if name})


def make_installation(layout: Layout, given: Mapping[str, str], *, fast: bool = False) -> Installation:
    """The installation of `layout`. `fast` (for tests) makes servers that lose data in a crash."""
    keyring = Keyring(layout.secrets, given)
    return Installation(
        layout=layout,
        given=given,
        ports=read_ports(given),
        keyring=keyring,
        postgres=None if _is_set(given, "DATABASE_URL") else make_postgres(layout, keyring, fast=fast),
        redis=None if _is_set(given, "REDIS_URL") else Redis(layout, fast=fast),
        budgets=None
        if _is_set(given, "GATEHOUSE_AI_REDIS_URL")
        else Redis(layout, "redis-budgets", fast=fast),
    )


def _is_set(given: Mapping[str, str], name: str) -> bool:
    return bool(given.get(name) or given.get(f"{name}_FILE"))


def _one_thread(kind: str) -> dict[str, str]:
    """A gateway of one machine needs no more."""
    return {f"GATEHOUSE_{kind.upper()}_CONCURRENCY": "1"}


def python(*arguments: str) -> list[str]:
    """A command of this very interpreter."""
    return [sys.executable, *arguments]


def manage(*arguments: str) -> list[str]:
    """A management command of the portal."""
    return python(str(ROOT / "manage.py"), *arguments)


def role(name: str) -> list[str]:
    """A process of Gatehouse, started as everywhere else."""
    return python(str(ROOT / "scripts" / "role"), name)


def environment_of_this_process() -> dict[str, str]:
    """Our environment without what would change every Python that we start."""
    without = {"PYTHONHOME", "PYTHONSTARTUP", "DJANGO_SETTINGS_MODULE"}
    return {name: value for name, value in os.environ.items() if name not in without}
