"""What is the same for every call: which key it carries, why it is refused, what upstream and caller are told.

The refusal is one word, worked out by a chain of tables that stops at the first that decides, and empty for a call that
is let in. The order is that of Envoy's filters: preflight, no or unknown key, no subscription, quota; the rate is
counted after them.
"""

from __future__ import annotations

from gateways.drivers.agents import problems
from gateways.drivers.agents.identity import SPOOFED_HEADERS
from gateways.drivers.nginx import tables
from gateways.drivers.nginx.tables import table
from gateways.engine.directives import Directive, Expression, directive
from gateways.engine.wire import ACCESS_LOG, NGINX_LOG_FIELDS

FLUSH_MS = 100
TRICK = Expression("$gatehouse_trick")
REFUSAL = Expression("$gatehouse_refusal")
PREFLIGHT = "preflight"

EXPOSED = "x-request-id, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
ALLOWED_HEADERS = (
    "authorization, x-api-key, content-type, accept, accept-language, idempotency-key, if-match, *"
)
ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def file() -> list[Directive]:
    """The directives that depend on no document."""
    return [*_known(), *_log(), *_key(), *_refusal(), _trick(), *_browsers(), *_upstream_side()]


def _known() -> list[Directive]:
    """What a location says of itself. nginx wants to know of a variable even where no location sets it."""
    names = ("route", "host", "failure")
    return [table(Expression("$pid"), Expression(f"$gatehouse_{name}"), {}) for name in names]


def _log() -> list[Directive]:
    line = Expression("\t".join(NGINX_LOG_FIELDS))
    return [directive("log_format", "gatehouse", "escape=none", line)]


def logged() -> Directive:
    """Calls are written down in the servers that take them; every line is on disk within `FLUSH_MS`."""
    return directive("access_log", ACCESS_LOG, "gatehouse", "buffer=64k", f"flush={FLUSH_MS}ms")


def _key() -> list[Directive]:
    """X-API-Key first, else Authorization, with Bearer or without as on Envoy; then the exact key and what it opens.

    What was found stands before what the caller sent, so that no key can look like a finding.
    """
    header, bearer = Expression("$http_x_api_key"), Expression("$gatehouse_bearer")
    exact = Expression(
        r"~^(?<gatehouse_exact>[0-9A-Za-z]+) (?<gatehouse_key_id>[0-9A-Za-z]+) (?<gatehouse_client>[^ ]+)"
        r" \k<gatehouse_exact>$"
    )
    token = Expression(r"~^(?:Bearer )?(?<gatehouse_token>[^ ]+)$")
    return [
        table(header, tables.KEY, {"": bearer}, default=header),
        table(Expression("$http_authorization"), bearer, {token: Expression("$gatehouse_token")}),
        table(
            Expression("$gatehouse_found $gatehouse_key"),
            tables.SUBSCRIPTION,
            {exact: Expression("$gatehouse_client")},
        ),
    ]


def _refusal() -> list[Directive]:
    keyless, preflight = Expression("$gatehouse_keyless"), Expression("$gatehouse_preflight")
    without, foreign = Expression("$gatehouse_without"), Expression("$gatehouse_foreign")
    used_up = Expression("$gatehouse_used_up")
    asked = Expression("$gatehouse_origin $http_access_control_request_method")
    return [
        table(Expression("$request_method"), REFUSAL, {"OPTIONS": preflight}, default=keyless),
        table(asked, preflight, {"~^[^ ]+ [A-Za-z]": PREFLIGHT}, default=keyless),
        table(tables.SUBSCRIPTION, keyless, {"": without}, default=foreign),
        table(
            Expression("$http_x_api_key$http_authorization"),
            without,
            {"": problems.NO_KEY.name},
            default=problems.UNKNOWN_KEY.name,
        ),
        table(tables.GRANTED, foreign, {"1": used_up}, default=problems.NO_SUBSCRIPTION.name),
        table(tables.UNTIL, used_up, {"": ""}, default=problems.QUOTA.name),
    ]


def _trick() -> Directive:
    """Paths that nginx and a server behind it could read in two ways are refused; the path is kept for the log.

    The first pattern takes every plain path in one pass. Escaped slashes, backslashes and zeros are refused, and dot
    segments with a parameter, which are plain segments to nginx and a step upwards to some servers.
    """
    plain = Expression(r"~^(?<gatehouse_path>[^%\\;?#]*+)(?:\?|$)")
    tricky = r"~*^(?<gatehouse_path>[^?]*?(?:%(?:2f|5c|00)|\\|#|/(?:\.|%2e){1,2}(?:;|%3b))[^?]*)"
    other = r"~^(?<gatehouse_path>[^?]*)"
    return table(Expression("$request_uri"), TRICK, {plain: "", tricky: "1", other: ""})


def _browsers() -> list[Directive]:
    answers = {"Methods": ALLOWED_METHODS, "Headers": ALLOWED_HEADERS, "Age": "600"}
    return [
        table(Expression("$gatehouse_origin"), Expression("$gatehouse_exposed"), {"": ""}, default=EXPOSED),
        *(
            table(REFUSAL, Expression(f"$gatehouse_preflight_{name.lower()}"), {PREFLIGHT: text})
            for name, text in answers.items()
        ),
        table(
            REFUSAL,
            Expression("$gatehouse_challenge"),
            {problem.name: problems.CHALLENGE for problem in (problems.NO_KEY, problems.UNKNOWN_KEY)},
        ),
        table(REFUSAL, Expression("$gatehouse_retry_after"), {problems.QUOTA.name: tables.UNTIL}),
    ]


def _upstream_side() -> list[Directive]:
    """What upstreams are told, and how calls reach them. A call is sent twice only if it never left."""
    removed = [directive("proxy_set_header", name, "") for name in SPOOFED_HEADERS]
    return [
        directive("server_tokens", "off"),
        directive("client_header_timeout", "15s"),
        directive("client_max_body_size", 0),
        directive("proxy_request_buffering", "off"),
        directive("proxy_buffering", "off"),
        directive("proxy_http_version", "1.1"),
        directive("proxy_next_upstream", "error"),
        directive("proxy_ssl_server_name", "on"),
        directive("proxy_ssl_verify", "on"),
        directive("proxy_ssl_verify_depth", 5),
        directive("proxy_ssl_protocols", "TLSv1.2", "TLSv1.3"),
        directive("proxy_hide_header", "X-Request-Id"),
        directive("proxy_set_header", "Host", Expression("$gatehouse_host")),
        directive("proxy_set_header", "Connection", ""),
        directive("proxy_set_header", "X-Request-Id", Expression("$request_id")),
        directive("proxy_set_header", "X-Forwarded-For", Expression("$proxy_add_x_forwarded_for")),
        directive("proxy_set_header", "X-Forwarded-Proto", Expression("$scheme")),
        directive("proxy_set_header", "X-Gatehouse-Subscription", tables.SUBSCRIPTION),
        directive("proxy_set_header", "X-Gatehouse-Application", tables.APPLICATION),
        directive("proxy_set_header", "X-Gatehouse-Limit", ""),
        directive("proxy_set_header", "X-Gatehouse-Hop", tables.PROOF),
        directive("proxy_set_header", "X-API-Key", ""),
        directive("proxy_set_header", "Authorization", ""),
        *removed,
        *said_to_callers(),
        directive("limit_req_status", 429),
        directive("limit_req_log_level", "info"),
    ]


def said_to_callers() -> list[Directive]:
    """The headers of every answer. A location with headers of its own repeats them: nginx inherits all or none."""
    return [
        directive("add_header", "X-Request-Id", Expression("$request_id"), "always"),
        directive("add_header", "Access-Control-Allow-Origin", Expression("$gatehouse_origin"), "always"),
        directive("add_header", "Access-Control-Expose-Headers", Expression("$gatehouse_exposed"), "always"),
    ]
