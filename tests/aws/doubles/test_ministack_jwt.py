"""JWT authorizers of HTTP APIs on MiniStack: they read the issuer's keys, check signature, audience, scope and age."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.aws.doubles.functions import ECHO
from tests.aws.doubles.http_api import add_route, make_alias, make_api
from tests.aws.doubles.servers import Double

pytestmark = pytest.mark.xdist_group("ministack")
AUDIENCE = "portal-app"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody who signs tokens and publishes the key for it at `url`."""

    url: str
    key: rsa.RSAPrivateKey

    def token(self, *, key: rsa.RSAPrivateKey | None = None, **claims: Any) -> str:
        """A token that is good unless `claims` or `key` say otherwise."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "iat": now - 10,
            "exp": now + 60,
            "scope": "orders",
            **claims,
        }
        return jwt.encode(said, key or self.key, algorithm="RS256", headers={"kid": "one"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": "one", "use": "sig", "alg": "RS256"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {"jwks_uri": f"{url}/keys"} if "well-known" in self.path else {"keys": [public]}
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002  as in the base class

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Issuer(url, key)
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def api(ministack: Double, issuer: Issuer) -> str:
    """An API whose one route asks for a token with the scope "orders"."""
    api = make_api(ministack)
    authorizer = ministack.client("apigatewayv2").create_authorizer(
        ApiId=api,
        Name="people",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": [AUDIENCE]},
    )["AuthorizerId"]
    given = {"AuthorizationType": "JWT", "AuthorizerId": authorizer, "AuthorizationScopes": ["orders"]}
    add_route(ministack, api, "GET /orders", make_alias(ministack, ECHO), **given)
    return api


def test_a_good_token_is_let_in_and_its_claims_are_handed_on(
    ministack: Double, api: str, issuer: Issuer
) -> None:
    headers = {"authorization": f"Bearer {issuer.token(sub='dana')}"}
    answer = ministack.call(api, "$default", "/orders", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["event"]["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] == "dana"


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": "another-app"}, 401),
        ({"iss": "https://elsewhere.example"}, 401),
        ({"exp": 1}, 401),
        ({"scope": "weather"}, 403),
    ],
)
def test_another_token_is_refused(
    ministack: Double, api: str, issuer: Issuer, claims: dict[str, Any], status: int
) -> None:
    headers = {"authorization": f"Bearer {issuer.token(**claims)}"}
    assert ministack.call(api, "$default", "/orders", headers=headers).status_code == status


def test_without_a_token_and_with_a_forged_one_nobody_gets_in(
    ministack: Double, api: str, issuer: Issuer
) -> None:
    forged = issuer.token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    for headers in ({}, {"authorization": "Bearer x.y.z"}, {"authorization": f"Bearer {forged}"}):
        assert ministack.call(api, "$default", "/orders", headers=headers).status_code == 401
