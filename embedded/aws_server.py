"""The simulated AWS of the demo: MiniStack, in the environment that `scripts/doubles ministack` makes.

`.venv-ministack/bin/python -m embedded.aws_server`, with the environment of `settings`. Functions really run, as
processes of this user, so whoever may call it may run anything here. MiniStack takes who has no key for the account's
root, and answers every web page's preflight with yes: `Guard` stands before it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

PYTHON = Path(__file__).resolve().parent.parent / ".venv-ministack" / "bin" / "python"
REGION = "eu-central-1"
SERVICES = (
    *(
        "acm",
        "apigateway",
        "cloudformation",
        "cognito-idp",
        "events",
        "iam",
        "lambda",
        "logs",
        "monitoring",
        "s3",
    ),
    *("secretsmanager", "sqs", "states", "sts", "tagging"),
)
"""What Gatehouse and the functions behind its APIs speak to. MiniStack has more, some of which start containers."""

HEALTH = "/_ministack/health"
HOSTS = re.compile(r"(?:127\.0\.0\.1|localhost|[a-z0-9.-]+\.localhost)(?::\d+)?")
SAVED_AFTER_S = 1.0
INTERNAL = ("/_ministack", "/_localstack")
"""MiniStack's own switches, which ask for no key."""
MANAGES = "/@connections/"
"""Reaches into open connections: part of a stage's address, and yet for the account alone."""
REFUSAL = "The simulated AWS takes calls of Gatehouse alone."
SPEAKS_XML = re.compile(r"/(?:cloudformation|iam|s3|sts)/aws4_request")
"""In a signature: the services whose clients read no JSON."""

type Scope = MutableMapping[str, Any]
type App = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Principal:
    """An access key of the simulated account."""

    key: str
    secret: str


def kept_principal(path: Path) -> Principal | None:
    """Who Gatehouse is in the simulated account, as `embedded.aws_account` wrote it to `path`."""
    return Principal(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def is_there() -> bool:
    """Whether MiniStack is installed."""
    return PYTHON.with_name("ministack").exists()


def settings(state: Path, port: int, key: str) -> dict[str, str]:
    """Environment variables for MiniStack: everything it keeps below `state`, `key` the access key id of its root."""
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "SERVICES": ",".join(SERVICES),
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": key,
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "WARNING",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "TMPDIR": str(state / "tmp"),
        # Nothing but the one port, and no containers: at its start MiniStack removes those that it takes for its own.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state / 'no-docker'}",
    }


class Reads:
    """Requests as MiniStack reads them, which is imported only here: it is in an environment of its own."""

    def is_call(self, host: str, path: str) -> bool:
        """Whether it is a call of a published API, or of a function's own address."""
        from ministack import app

        return bool(app._parse_execute_api_url(host, path) or app._parse_lambda_url(host, path))

    def key(self, headers: dict[str, str], query: dict[str, list[str]]) -> str:
        """The id of the access key that signed it, or nothing."""
        from ministack.core.router import extract_access_key_id

        return str(extract_access_key_id(headers, query) or "")

    def knows(self, key: str) -> bool:
        """Whether the account has given this key out, so that a signature by it is checked."""
        from ministack.core.iam_evaluator import find_iam_access_key_account
        from ministack.services import sts

        return key in sts._sessions or bool(find_iam_access_key_account(key))


class Guard:
    """An ASGI application before MiniStack's, which `reads` requests as that does. Calls of published APIs pass; what
    works on the account passes with `key`, or with another key of the account, whose signature MiniStack then checks.
    Nothing of a web page does.
    """

    def __init__(self, app: App, key: str, reads: Reads) -> None:
        self._app, self._key, self._reads = app, key, reads

    async def __call__(
        self, scope: Scope, receive: Callable[..., Awaitable[Any]], send: Callable[..., Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan" or self._lets_in(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            kind, body = _refusal(_headers(scope).get("authorization", ""))
            head = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": head})
            await send({"type": "http.response.body", "body": body})

    def _lets_in(self, scope: Scope) -> bool:
        headers = _headers(scope)
        host, path = headers.get("host", ""), scope["path"]
        if not HOSTS.fullmatch(host):
            # A name of somebody else that leads here: a web page whose own address was moved to this machine.
            return False
        if path.startswith(INTERNAL):
            return bool(path == HEALTH)
        if self._reads.is_call(host, path) and MANAGES not in path:
            return True
        return "origin" not in headers and self._is_of_the_account(headers, scope["query_string"])

    def _is_of_the_account(self, headers: dict[str, str], query: bytes) -> bool:
        key = self._reads.key(headers, parse_qs(query.decode("latin-1"), keep_blank_values=True))
        return hmac.compare_digest(key.encode(), self._key.encode()) or self._reads.knows(key)


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _refusal(signature: str) -> tuple[bytes, bytes]:
    """The kind of a body, and the body."""
    if SPEAKS_XML.search(signature):
        error = f"<Error><Code>AccessDenied</Code><Message>{REFUSAL}</Message></Error>"
        return b"text/xml", f"<ErrorResponse>{error}</ErrorResponse>".encode()
    return b"application/json", json.dumps({"__type": "AccessDeniedException", "message": REFUSAL}).encode()


class Keeper:
    """An ASGI application around another: calls `save` soon after a request that may have changed something, so that a
    kill loses seconds. MiniStack itself saves at its end alone.
    """

    def __init__(self, app: App, save: Callable[[], None]) -> None:
        self._app, self._save = app, save
        self._due: asyncio.Task[None] | None = None

    async def __call__(
        self, scope: Scope, receive: Callable[..., Awaitable[Any]], send: Callable[..., Awaitable[None]]
    ) -> None:
        await self._app(scope, receive, send)
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"} and self._due is None:
            self._due = asyncio.create_task(self._save_soon())

    async def _save_soon(self) -> None:
        await asyncio.sleep(SAVED_AFTER_S)
        self._due = None
        self._save()


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Serve until told to stop; what functions left in their temporary directories is removed."""
    temporary = Path(environment["TMPDIR"])
    shutil.rmtree(temporary, ignore_errors=True)
    # It holds keys and environments of functions: for nobody else.
    temporary.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary.mkdir(mode=0o700)
    from ministack import app as ministack
    from ministack.core.persistence import save_all

    kept = Keeper(ministack.app, lambda: save_all(ministack._build_persistence_save_dict()))
    ministack.app = Guard(kept, environment["AWS_ACCESS_KEY_ID"], Reads())
    try:
        ministack.main()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
