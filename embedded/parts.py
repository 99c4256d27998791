"""The parts of a running Gatehouse: how each is started, and how it is asked whether it is ready."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from embedded import aws_server, toy_server
from embedded.installation import Installation, LocalGateway, python, role
from embedded.layout import ROOT
from embedded.postgres import ADMIN
from embedded.probes import (
    Probe,
    connects,
    database_answers,
    file_is_new,
    http_answers,
    log_says,
    redis_answers,
)
from embedded.process import Launch
from embedded.redis_server import Redis
from embedded.supervisor import Part

WORKER_READY_S = 20.0
"""After this long the worker is asked even if its log does not say that it is ready."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Makes the parts of `installation`. `lock` is a descriptor that each of them keeps open."""

    installation: Installation
    lock: int

    def postgres(self) -> Part:
        server = self.installation.postgres
        assert server is not None  # noqa: S101  asked for only when there is one
        return Part(
            name="PostgreSQL",
            launch=lambda: replace(server.launch(), keep=(self.lock,)),
            probe=lambda: database_answers(server.url(ADMIN, "postgres")),
            # "Fast": the usual signal would wait until every connection is closed.
            stop_signal=signal.SIGINT,
            grace=20.0,
        )

    def redis(self, name: str, server: Redis) -> Part:
        return Part(
            name=name,
            launch=lambda: replace(server.launch(), keep=(self.lock,)),
            probe=lambda: redis_answers(server.socket),
        )

    def sample(self, service: str) -> Part:
        """`service` is orders or weather."""
        port = self.installation.port(f"SAMPLE_{service.upper()}_PORT")
        return self._part(
            f"sample {service}",
            python("-m", "embedded.samples", service, "--port", str(port)),
            self.installation.plain_environment(),
            lambda: http_answers(f"http://127.0.0.1:{port}/healthz"),
        )

    def models(self) -> list[Part]:
        """The vendors of the demo: the toy model where it can run, and the echo model."""
        echo = self._model("echo", "healthz")
        return [self._model("toy", "health"), echo] if toy_server.is_there() else [echo]

    def _model(self, name: str, health: str) -> Part:
        port = self.installation.port(f"{name.upper()}_MODEL_PORT")
        return self._part(
            f"{name} model",
            python("-m", f"embedded.{name}_server", "--port", str(port)),
            self.installation.plain_environment(),
            lambda: http_answers(f"http://127.0.0.1:{port}/{health}"),
        )

    def aws(self) -> list[Part]:
        """The simulated AWS, where it is installed."""
        part = self._part(
            "simulated AWS",
            [str(aws_server.PYTHON), "-m", "embedded.aws_server"],
            self.installation.aws_environment(),
            lambda: http_answers(f"{self.installation.aws_url}{aws_server.HEALTH}"),
        )
        return [part] if aws_server.is_there() else []

    def web(self) -> Part:
        one = self.installation
        bind = f"[{one.bind}]" if ":" in one.bind else one.bind
        return self._part(
            "web",
            role("web"),
            {**one.portal_environment(), "WEB_BIND": f"{bind}:{one.port('PORTAL_PORT')}"},
            lambda: http_answers(f"{one.inner_portal_url}/healthz"),
        )

    def worker(self) -> Part:
        name = f"worker@{self.installation.layout.mark}"
        environment = {**self.installation.portal_environment(), "WORKER_NAME": name}
        part = self._part("worker", role("worker"), environment, self._worker_says_ready)
        ping = python(
            "-m", "celery", "-A", "portal", "inspect", "ping", "--destination", name, "--timeout", "5"
        )
        check = replace(part.launch(), command=ping, log=self.installation.layout.log("worker-ping"))
        # SIGQUIT: when we were killed nobody waits for a task that is under way; it is delivered again.
        return replace(
            part, check=lambda: check, launch=lambda: replace(part.launch(), death_signal=signal.SIGQUIT)
        )

    def beat(self) -> Part:
        schedule = self.installation.layout.state / "beat"
        return self._part(
            "beat",
            role("beat"),
            self.installation.portal_environment(),
            lambda: file_is_new(schedule, "schedule*"),
        )

    def agent(self, gateway: LocalGateway) -> Part:
        label = {"envoy": "Envoy", "ai_runtime": "AI runtime"}.get(gateway.kind, gateway.kind)
        part = self._part(
            f"agent with {label}",
            role("agent"),
            self.installation.agent_environment(gateway),
            lambda: http_answers(f"http://127.0.0.1:{self.installation.port(gateway.agent_port)}/healthz"),
        )
        # It drains the gateway first, then ships what the log still holds.
        return replace(part, grace=25.0)

    def gateway_listens(self, setting: str) -> bool:
        """Whether a gateway already serves the environment whose port is `setting`."""
        return connects(self.installation.inner_host, self.installation.port(setting))

    def _worker_says_ready(self) -> Probe:
        return log_says(self.installation.layout.log("worker"), " ready.", at_latest=WORKER_READY_S)

    def _part(
        self, name: str, command: list[str], environment: Mapping[str, str], probe: Callable[[], Probe]
    ) -> Part:
        log = self.installation.layout.log(
            "agent" if name == "agent with Envoy" else name.replace(" with ", "-").replace(" ", "-")
        )
        launch = Launch(command=command, environment=environment, log=log, directory=ROOT, keep=(self.lock,))
        return Part(name=name, launch=lambda: launch, probe=probe)
