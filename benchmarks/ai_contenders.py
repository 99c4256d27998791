"""The ways to one vendor that `benchmarks/ai_path.py` compares: straight, a runtime, Envoy before it, and LiteLLM."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.gateway_path import OneWorker
from benchmarks.measured import family, pin
from gateways.drivers import driver_class
from gateways.engine.diff import diff
from gateways.engine.document import (
    Consumer,
    Document,
    Grant,
    Item,
    Key,
    Limit,
    Route,
    Target,
    Upstream,
    value_digest,
)
from gateways.engine.wire import hop_secret
from tests.ai import runtime_process as made
from tests.ai.runtime_process import RuntimeProcess
from tests.gateways.documents import key_value
from tests.gateways.gateway_node import ROOT, TOKEN, free_port, wait_for

MEASURED_CORE, OTHER_CORE = 0, 1
FAST, SLOW = "fast", "slow"
"""Names of a model that answers at once, and of one that takes a while, as the vendor's paths are called."""
RATE = {"id": "plr_1", "calls": 1_000_000, "period_s": 1, "burst": 1_000_000}
_LITELLM_KEY = "sk-litellm-0123456789"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to the vendor: where it is called, `{model}` in `path` being one of the two, and the processes on it."""

    name: str
    port: int
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    pids: tuple[int, ...] = ()


@contextlib.contextmanager
def vendor() -> Iterator[int]:
    """The vendor of `benchmarks/ai_vendor.py`; its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ai_vendor"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        pin([process.pid], OTHER_CORE)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def direct(port: int) -> Way:
    """No way at all."""
    return Way("direct", port, "/{model}/v1/chat/completions")


# ---- ours ----


@contextlib.contextmanager
def runtime(directory: Path, vendor_port: int, *, redis_url: str = "") -> Iterator[RuntimeProcess]:
    """A runtime that leads both names to the vendor, and serves a prompt with two variables."""
    with RuntimeProcess(directory, redis_url=redis_url) as process:
        load(process, vendor_port)
        pin(family(process.process.pid), MEASURED_CORE)
        yield process


def load(process: RuntimeProcess, vendor_port: int, **files: list[dict[str, Any]]) -> None:
    """Have it serve all that is called here."""
    url = f"http://127.0.0.1:{vendor_port}"
    providers = [made.provider(f"{url}/{name}", id=f"prv_{name}") for name in (FAST, SLOW)]
    keys = [
        {"id": f"pvk_{name}", "provider": f"prv_{name}", "label": "main", "weight": 1, "value": "sk-vendor"}
        for name in (FAST, SLOW)
    ]
    models = [made.model(f"vendor/{name}", id=f"mdl_{name}", provider=f"prv_{name}") for name in (FAST, SLOW)]
    routes = [_model_route(name) for name in (FAST, SLOW)]
    usual: dict[str, list[dict[str, Any]]] = {
        "providers": providers,
        "provider_keys": keys,
        "models": models,
        "model_routes": routes,
        "prompts": [made.prompt(route=f"mrt_{FAST}")],
        "endpoints": [made.endpoint(models=[f"mrt_{FAST}", f"mrt_{SLOW}"])],
        "limits": [RATE],
        "hops": [{"id": "gw_1", "value_digest": made.digest(hop_secret(TOKEN))}],
    }
    answer = process.load(made.snapshot(url, **{**usual, **files}))
    assert answer.status_code == 200, answer.text


def _model_route(name: str) -> dict[str, Any]:
    targets = [{"model": f"mdl_{name}", "weight": 100, "rank": 0}]
    return made.route(name, id=f"mrt_{name}", targets=targets, try_timeout_ms=60_000)


def alone(process: RuntimeProcess) -> Way:
    """The runtime, which checks the key itself."""
    path = f"{made.BASE_PATH}/chat/completions"
    pids = tuple(family(process.process.pid))
    return Way("AI runtime", _port(process.url), path, {"Authorization": f"Bearer {made.KEY}"}, pids)


@contextlib.contextmanager
def behind_envoy(directory: Path, process: RuntimeProcess) -> Iterator[Way]:
    """An Envoy of ours with key, limit and log, and the runtime behind it."""
    node = OneWorker(directory / "agent", "envoy")
    node.start()
    try:
        driver = driver_class("envoy")(node.connection())
        changes = diff(driver.observe(None), driver.adapt(Document.of(_edge(process))).document)
        driver.apply(changes, lambda _step, _detail: None)
        assert not driver.verify(changes).unconfirmed
        assert node.process is not None
        gateway = [pid for pid in family(node.process.pid) if pid != node.process.pid]
        pin(gateway, MEASURED_CORE)
        pin([node.process.pid], OTHER_CORE)
        pids = (*gateway, *family(process.process.pid))
        path = f"{made.BASE_PATH}/chat/completions"
        yield Way("Envoy and AI runtime", node.production_port, path, {"X-API-Key": key_value("0")}, pids)
    finally:
        node.stop()


def _edge(process: RuntimeProcess) -> Iterator[Item]:
    """What `gateways.desired` gives a gateway for one API of AI with one subscription."""
    publication, subscription = process.id(made.ENDPOINT), process.id(made.SUBSCRIPTION)
    target = Target(f"{process.url}/-/{publication}")
    yield Upstream("bnd_1", "AI runtime", (target,), timeout_ms=600_000, hop=True)
    yield Limit("plr_1", "bronze r1", RATE["calls"], 1, RATE["burst"])
    yield Consumer("app_1", "logistics/tours")
    yield Route(publication, "shop/translate", "production", made.BASE_PATH, "bnd_1", "ver_1", "rev_1")
    yield Grant(subscription, "tours to translate", "app_1", (publication,), "plr_1")
    value = key_value("0")
    yield Key("cred_1", value[3:19], subscription, value_digest(value), value)


# ---- LiteLLM ----


@contextlib.contextmanager
def litellm(directory: Path, vendor_port: int) -> Iterator[Way]:
    """LiteLLM's proxy: one worker, no database, its own check of a key, and logs of errors alone."""
    place = _clients() / "litellm"
    config = directory / "litellm.json"  # JSON is YAML
    config.write_text(json.dumps(_litellm_config(vendor_port)))
    port = free_port()
    command = [place / "bin" / "litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        "PATH": f"{place}/bin:{os.environ['PATH']}",
        "HOME": str(directory),
        "NO_PROXY": "*",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
    }
    with (directory / "litellm.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--num_workers", "1"], env=environment, cwd=directory, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: process.poll() is not None or _answers(port), 120)
        assert process.poll() is None, (directory / "litellm.log").read_text()[-4000:]
        pids = tuple(family(process.pid))
        pin(pids, MEASURED_CORE)
        told = {"Authorization": f"Bearer {_LITELLM_KEY}"}
        yield Way("LiteLLM proxy", port, "/v1/chat/completions", told, pids)
    finally:
        process.terminate()
        process.wait(20)


def _litellm_config(vendor_port: int) -> dict[str, Any]:
    def model(name: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{vendor_port}/{name}/v1"
        return {
            "model_name": name,
            "litellm_params": {"model": "openai/small", "api_base": url, "api_key": "sk-vendor"},
        }

    settings = {"master_key": _LITELLM_KEY}
    return {
        "model_list": [model(FAST), model(SLOW)],
        "general_settings": settings,
        "litellm_settings": {"telemetry": False},
    }


def _clients() -> Path:
    """The environments of what the runtime is held against."""
    script = [ROOT / "scripts" / "ai-clients", "compared"]
    done = subprocess.run(script, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/liveliness", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
