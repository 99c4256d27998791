"""What Envoy answers by itself, as `application/problem+json`: the texts are those of every gateway."""

from __future__ import annotations

from gateways.drivers.agents import problems
from gateways.drivers.agents.problems import Problem, problem_type
from gateways.drivers.envoy.filters import DATE_END, LIMIT_HEADER
from gateways.drivers.envoy.resources import Json

_CHALLENGE = {"header": {"key": "www-authenticate", "value": problems.CHALLENGE}}


def local_replies() -> Json:
    """The `local_reply_config` of a listener: the first mapper whose filter fits answers."""
    return {
        "mappers": [
            _quota(),
            _mapper(_status(429), problems.RATE),
            _mapper(_all(_status(401), _no_key()), problems.NO_KEY, _CHALLENGE),
            _mapper(_status(401), problems.UNKNOWN_KEY, _CHALLENGE),
            *(
                _mapper(_status(problem.status), problem)
                for problem in (
                    problems.NO_SUBSCRIPTION,
                    problems.UNKNOWN_PATH,
                    problems.UPSTREAM_DOWN,
                    problems.UPSTREAM_TIMEOUT,
                )
            ),
        ],
        "body_format": _body(
            problems.REFUSED, "%RESPONSE_CODE%", problems.REFUSED_TITLE, "%LOCAL_REPLY_BODY%"
        ),
    }


def _quota() -> Json:
    """A blocked subscription carries the HTTP date at which the block ends where others carry their limit."""
    blocked = {"header_filter": {"header": {"name": LIMIT_HEADER, "string_match": {"suffix": DATE_END}}}}
    until = {"header": {"key": "retry-after", "value": f"%REQ({LIMIT_HEADER})%"}}
    mapper = _mapper(_all(_status(403), blocked), problems.QUOTA, until)
    return {**mapper, "status_code": problems.QUOTA.status}


def _mapper(accepts: Json, problem: Problem, *headers: Json) -> Json:
    body = _body(problem.name, problem.status, problem.title, problem.detail)
    mapper: Json = {"filter": accepts, "body_format_override": body}
    return {**mapper, "headers_to_add": list(headers)} if headers else mapper


def _body(name: str, status: int | str, title: str, detail: str) -> Json:
    problem = {
        "type": problem_type(name),
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "%REQ(x-request-id)%",
    }
    return {"json_format": problem, "content_type": "application/problem+json"}


def _status(code: int) -> Json:
    value = {"default_value": code, "runtime_key": f"gatehouse.local_reply.{code}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _all(*accepts: Json) -> Json:
    return {"and_filter": {"filters": list(accepts)}}


def _no_key() -> Json:
    return _all(_absent("x-api-key"), _absent("authorization"))


def _absent(header: str) -> Json:
    return {"header_filter": {"header": {"name": header, "present_match": False}}}
