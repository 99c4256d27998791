"""A runtime in a process of its own, as an agent starts it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

HOP = "hop-secret-of-the-gateway-in-front"
KEY = "ghpAAAAAAAAAAAAAAAAbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcccccc"
SUBSCRIPTION = "sub_1"
ENDPOINT = "pub_1"
_IDS = re.compile(r"\b(?:prv|pvk|mdl|mrt|pub|sub|app|team|bud)_\w+")
BASE_PATH = "/shop/translate/v1"


def digest(value: str) -> str:
    """As a snapshot names a secret."""
    return hashlib.sha256(value.encode()).hexdigest()


def provider(url: str, **changes: Any) -> dict[str, Any]:
    """A vendor."""
    usual = {"id": "prv_1", "label": "Vendor", "dialect": "openai", "base_url": f"{url}/v1", "auth": "bearer"}
    return {**usual, "headers": [], "options": {}, **changes}


def model(name: str = "vendor/small", **changes: Any) -> dict[str, Any]:
    """A model with known prices: 1 and 2 dollars for a million tokens in and out."""
    rates = [{"unit": "input", "nanos": 1_000_000_000}, {"unit": "output", "nanos": 2_000_000_000}]
    usual = {
        "id": "mdl_1",
        "name": name,
        "provider": "prv_1",
        "remote": "small",
        "mode": "chat",
        "context": 8000,
        "max_output": 1000,
        "capabilities": ["stream", "tools", "json_schema"],
        "prices": [{"since": 0, "version": "2026-01-01", "currency": "USD", "rates": rates}],
    }
    return {**usual, **changes}


def route(alias: str = "fast", **changes: Any) -> dict[str, Any]:
    """An alias for one model."""
    usual = {
        "id": "mrt_1",
        "alias": alias,
        "targets": [{"model": "mdl_1", "weight": 100, "rank": 0}],
        "retry_codes": [429, 500, 502, 503, 504],
        "attempts": 3,
        "try_timeout_ms": 5000,
        "stream_idle_ms": 2000,
        "breaker_failures": 0,
        "breaker_s": 30,
    }
    return {**usual, **changes}


def prompt(**changes: Any) -> dict[str, Any]:
    """A prompt with two variables."""
    usual = {
        "id": "prv_translate_7",
        "name": "translate",
        "number": 7,
        "messages": [
            {
                "role": "system",
                "content": "Translate into {{target_lang}}. Answer with the translation alone.",
            },
            {"role": "user", "content": "{{text}}"},
        ],
        "variables": [
            {"name": "text", "type": "string", "max_length": 500},
            {"name": "target_lang", "type": "string", "enum": ["fr", "de"]},
        ],
        "output_schema": None,
        "parameters": {"temperature": 0},
        "route": "mrt_1",
        "cache_s": 0,
        "guard": {},
    }
    return {**usual, **changes}


def endpoint(**changes: Any) -> dict[str, Any]:
    """What callers of the publication reach: the prompt and one alias."""
    usual = {
        "id": ENDPOINT,
        "team": "shop",
        "api": "translate",
        "prompt": "prv_translate_7",
        "prompt_label": "production",
        "versions": ["prv_translate_7"],
        "models": ["mrt_1"],
        "envelope": True,
        "stream": True,
        "max_body": 10_000_000,
        "log_bodies": False,
        "guard": {},
    }
    return {**usual, **changes}


def snapshot(url: str, **files: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Everything that one call needs. `files` replaces what a test wants otherwise, by name with underscores."""
    usual: dict[str, list[dict[str, Any]]] = {
        "providers": [provider(url)],
        "provider_keys": [
            {"id": "pvk_1", "provider": "prv_1", "label": "main", "weight": 1, "value": "sk-vendor-1"}
        ],
        "models": [model()],
        "model_routes": [route()],
        "prompts": [prompt()],
        "routes": [
            {
                "id": ENDPOINT,
                "label": "shop/translate v1",
                "base_path": BASE_PATH,
                "host": "",
                "environment": "production",
                "api_version": "ver_1",
            }
        ],
        "endpoints": [endpoint()],
        "limits": [{"id": "plr_1", "calls": 1000, "period_s": 1, "burst": 1000}],
        "consumers": [{"id": "app_1", "label": "Planner"}],
        "grants": [{"id": SUBSCRIPTION, "consumer": "app_1", "routes": [ENDPOINT], "limit": "plr_1"}],
        "callers": [{"id": SUBSCRIPTION, "team": "team_1", "tokens": 0, "tokens_period_s": 60}],
        "keys": [
            {"id": "crd_1", "key_id": "AAAAAAAAAAAAAAAA", "grant": SUBSCRIPTION, "value_digest": digest(KEY)}
        ],
        "blocks": [],
        "budgets": [],
        "hops": [{"id": "gw_1", "value_digest": digest(HOP)}],
    }
    return {**usual, **files}


class RuntimeProcess:
    """Starts it, gives it snapshots, and reads what it writes."""

    def __init__(self, root: Path, *, redis_url: str = "") -> None:
        self.root = root / "runtime"
        self.root.mkdir()
        self.feed_file = self.root / "feed.log"
        self._era = self._fed = 0
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = {
            **os.environ,
            "GATEHOUSE_AI_SNAPSHOT": str(self.root),
            "GATEHOUSE_AI_FEED": str(self.feed_file),
            "GATEHOUSE_AI_SEQUENCE": str(self.root / "sequence"),
            "GATEHOUSE_AI_NETWORKS": "127.0.0.0/8",
            "GATEHOUSE_AI_REDIS_URL": redis_url,
        }
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self._control = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.root / "control.sock")),
            base_url="http://control",
            timeout=30,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self._control.close()
        self.stop()

    def stop(self) -> None:
        """Let it end."""
        self.process.terminate()
        self.process.wait(20)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen([sys.executable, "-m", "ai.runtime"], env=self._environment)
        deadline = time.monotonic() + 20
        while True:
            try:
                self._control.get("/state")
                return
            except httpx.TransportError:
                assert self.process.poll() is None, "the runtime ended"
                assert time.monotonic() < deadline, "the runtime does not start"
                time.sleep(0.02)

    def forget(self) -> None:
        """From now on ids are others and the feed begins anew: what was learnt about the old ones touches nobody."""
        self._era += 1
        self._fed = self.feed_file.stat().st_size if self.feed_file.exists() else 0

    def id(self, name: str) -> str:
        """The id by which the runtime knows what a snapshot calls `name`."""
        return f"{name}x{self._era}"

    def load(self, files: dict[str, list[dict[str, Any]]]) -> httpx.Response:
        """Write a snapshot and have it taken up."""
        place = {"environment": "production", "port": self._port, "host": "", "address": "127.0.0.1"}
        for name, items in {"listeners": [place], **files}.items():
            path = self.root / f"{name.replace('_', '-')}.json"
            path.write_text(_IDS.sub(lambda match: self.id(match[0]), json.dumps({"items": items})))
        return self._control.post("/load")

    def state(self) -> Any:
        """What it says is in force."""
        return self._control.get("/state").json()

    def call(self, body: Any, path: str = "", **options: Any) -> httpx.Response:
        """Call the prompt, or a path of its API, through the gateway in front."""
        return self.client.post(f"/-/{self.id(ENDPOINT)}/{path}", json=body, **self._through_gateway(options))

    def stream(self, body: Any, path: str = "", **options: Any) -> AbstractContextManager[httpx.Response]:
        """Likewise, reading the answer as it comes."""
        url = f"/-/{self.id(ENDPOINT)}/{path}"
        return self.client.stream("POST", url, json=body, **self._through_gateway(options))

    def _through_gateway(self, options: dict[str, Any]) -> dict[str, Any]:
        told = {"x-gatehouse-hop": HOP, "x-gatehouse-subscription": self.id(SUBSCRIPTION)}
        return {**options, "headers": {**told, **options.get("headers", {})}}

    def feed(self, least: int = 1) -> list[list[Any]]:
        """The lines of the feed, once there are `least` of them: a line is written when its call is over."""
        deadline = time.monotonic() + 20
        while True:
            lines = self.feed_file.read_bytes()[self._fed :].splitlines() if self.feed_file.exists() else []
            if len(lines) >= least:
                return [json.loads(line) for line in lines]
            assert time.monotonic() < deadline, f"{len(lines)} lines, not {least}"
            time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
