"""A small OpenID provider over real HTTP: discovery, a page that asks, tokens with a signed id token, its keys.

OpenID Connect Core 1.0, the code flow with PKCE (RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "gatehouse", "a secret of the provider"
KEY_ID = "key-1"


@dataclass
class Provider:
    """`person` is who sits at the provider's page; `overrides` spoil the discovery document."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def discovery(self) -> dict[str, Any]:
        places = {
            "authorization_endpoint": "/authorize",
            "token_endpoint": "/token",
            "userinfo_endpoint": "/userinfo",
            "jwks_uri": "/keys",
        }
        found = {name: self.url + path for name, path in places.items()}
        return {"issuer": self.url, **found, **self.overrides}

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def ask(self, query: dict[str, str]) -> str:
        """The provider's page: allow or cancel, both links back to the portal."""
        code = secrets.token_hex(8)
        self.codes[code] = query
        back = {"state": query["state"]}
        links = {"Allow": {**back, "code": code}, "Cancel": {**back, "error": "access_denied"}}
        shown = "".join(
            f'<a href="{query["redirect_uri"]}?{urlencode(values)}">{name}</a> '
            for name, values in links.items()
        )
        return f"<!doctype html><title>Provider</title><h1>Provider</h1>{shown}"

    def tokens(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What a code is worth, once, to the client that proves it asked for it."""
        query = self.codes.pop(form.get("code", ""), None)
        if query is None or (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return 400, {"error": "invalid_grant"}
        hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() != query["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, **self.person}
        signed = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": KEY_ID})
        return 200, {"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": signed}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers for the provider of its server."""

    server: ProviderServer

    def do_GET(self) -> None:
        provider, parts = self.server.provider, urlsplit(self.path)
        provider.asked.append(parts.path)
        answers: dict[str, Callable[[], None]] = {
            "/.well-known/openid-configuration": lambda: self._json(200, provider.discovery()),
            # As a company's provider does, it sends people on before it asks.
            "/authorize": lambda: self._redirect(f"/ask?{parts.query}"),
            "/ask": lambda: self._send(200, "text/html", provider.ask(dict(parse_qsl(parts.query))).encode()),
            "/keys": lambda: self._json(200, provider.keys()),
            "/userinfo": lambda: self._json(200, provider.person),
            "/moved": lambda: self._redirect("/keys"),
            "/favicon.ico": lambda: self._send(204, "image/x-icon", b""),
        }
        answers.get(parts.path, self._missing)()

    def do_POST(self) -> None:
        provider = self.server.provider
        provider.asked.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/token":
            self._json(*provider.tokens(dict(parse_qsl(body))))
        else:
            self._missing()

    def _missing(self) -> None:
        self._send(404, "text/plain", b"")

    def _json(self, status: int, content: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class ProviderServer(http.server.ThreadingHTTPServer):
    """On a loopback port of its own."""

    def __init__(self) -> None:
        self.provider = Provider()
        super().__init__(("127.0.0.1", 0), Handler)
        self.provider.url = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    with ProviderServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.provider
        finally:
            server.shutdown()
            thread.join()
