"""What nginx answers by itself, as `application/problem+json`: the texts are those of every gateway."""

from __future__ import annotations

from gateways.drivers.agents import problems
from gateways.drivers.agents.problems import Problem, problem_type
from gateways.drivers.nginx import tables
from gateways.drivers.nginx.calls import PREFLIGHT, REFUSAL, TRICK, said_to_callers
from gateways.engine.directives import Directive, Expression, block, directive
from gateways.engine.document import canonical_json

REFUSE = 460
"""A status of our own between a location and the answer; no caller sees it."""

TRICKED = 461
_REFUSED_AT = "/-/refused"
"""No base path begins with a dash."""

_OWN_STATUSES = (400, 403, 405, 408, 411, 413, 414, 416, 421, 431, 494, 500, 501, 505)
_TRICK_DETAIL = "The path holds an escaped slash, a backslash or a dot segment with a parameter."
_REFUSED_DETAIL = "The gateway cannot take this call as it was sent."


def pages() -> list[Directive]:
    """Which answer stands in for which status, of those that nginx finds itself."""
    return [
        directive("error_page", REFUSE, "=", "@refused"),
        directive("error_page", TRICKED, "=", "@tricked"),
        directive("error_page", 429, "=", "@rate"),
        directive("error_page", 404, "=", "@unknown"),
        directive("error_page", 502, 503, "=", "@down"),
        directive("error_page", 504, "=", "@slow"),
        directive("error_page", *_OWN_STATUSES, _REFUSED_AT),
        block("if", Expression("($gatehouse_trick)"), inside=[directive("return", TRICKED)]),
    ]


def locations() -> list[Directive]:
    """The answers of one server."""
    return [
        _refused(),
        _answer("@rate", problems.RATE, "rate", *_rate_headers()),
        _answer("@down", problems.UPSTREAM_DOWN, "down"),
        _answer("@slow", problems.UPSTREAM_TIMEOUT, "slow"),
        _answer("@unknown", problems.UNKNOWN_PATH, "", directive("access_log", "off")),
        _location(
            "@tricked",
            directive("access_log", "off"),
            _text(400, _body(problems.REFUSED, 400, problems.REFUSED_TITLE, _TRICK_DETAIL)),
        ),
        _own_words(),
        block("location", "/", inside=[directive("return", 404)]),
    ]


def _refused() -> Directive:
    """One location for all refusals before the limit, so that a call that is let in passes one condition."""
    kinds = (problems.NO_KEY, problems.UNKNOWN_KEY, problems.NO_SUBSCRIPTION, problems.QUOTA)
    headers = {
        "WWW-Authenticate": "$gatehouse_challenge",
        "Retry-After": "$gatehouse_retry_after",
        "Access-Control-Allow-Methods": "$gatehouse_preflight_methods",
        "Access-Control-Allow-Headers": "$gatehouse_preflight_headers",
        "Access-Control-Max-Age": "$gatehouse_preflight_age",
    }
    return _location(
        "@refused",
        *said_to_callers(),
        *(directive("add_header", name, Expression(value), "always") for name, value in headers.items()),
        *(_when(problem.name, _text(problem.status, _body_of(problem))) for problem in kinds),
        _when(PREFLIGHT, directive("return", 200, "")),
        directive("return", 403),
    )


def _when(word: str, answer: Directive) -> Directive:
    return block("if", Expression(f"({REFUSAL}"), "=", f"{word})", inside=[answer])


def _rate_headers() -> list[Directive]:
    values = {
        "X-RateLimit-Limit": tables.LIMIT,
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": tables.RESET,
        "Retry-After": tables.RESET,
    }
    return [*said_to_callers(), *(directive("add_header", name, v, "always") for name, v in values.items())]


def _answer(name: str, problem: Problem, failure: str, *more: Directive) -> Directive:
    noted = [directive("set", Expression("$gatehouse_failure"), failure)] if failure else []
    return _location(name, *more, *noted, _text(problem.status, _body_of(problem)))


def _own_words() -> Directive:
    """What nginx refuses before it knows where a call goes, with the status that it found."""
    body = _body(problems.REFUSED, "$status", problems.REFUSED_TITLE, _REFUSED_DETAIL)
    inside = [directive("internal"), *_typed(), directive("access_log", "off"), _text(200, body)]
    return block("location", "=", _REFUSED_AT, inside=inside)


def _location(name: str, *inside: Directive) -> Directive:
    return block("location", name, inside=[*_typed(), *inside])


def _typed() -> list[Directive]:
    return [directive("default_type", "application/problem+json")]


def _text(status: int, body: Expression) -> Directive:
    return directive("return", status, body)


def _body_of(problem: Problem) -> Expression:
    return _body(problem.name, problem.status, problem.title, problem.detail)


def _body(name: str, status: int | str, title: str, detail: str) -> Expression:
    problem = {
        "type": problem_type(name),
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "$request_id",
    }
    return Expression(canonical_json(problem).replace('"$status"', "$status"))


__all__ = ["REFUSE", "TRICK", "locations", "pages"]
