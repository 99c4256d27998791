#!/usr/bin/env python3
"""The golden path over REST: publish, find, ask, approve, call, see, use up, revoke.

Needs httpx and a running Gatehouse.

By default it walks the demo of `make run`. Elsewhere set

    GATEHOUSE_URL              the portal, such as https://portal.example.com
    GATEHOUSE_TOKEN            a token of somebody who publishes for a team (scopes: all)
    GATEHOUSE_CONSUMER_TOKEN   a token of somebody of another team (scopes: read, subscriptions:write)
    GATEHOUSE_GATEWAY          the short name of the gateway to publish on (edge)
    GATEHOUSE_UPSTREAM         an address that answers GET /orders (the demo's sample service)

Each step is checked against what is promised; the first difference ends the walk with exit status 1.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import httpx

STATE = Path(os.environ.get("GATEHOUSE_STATE", Path(__file__).resolve().parent.parent / "var"))
PORTAL = os.environ.get("GATEHOUSE_URL", f"http://localhost:{os.environ.get('PORTAL_PORT', '8000')}").rstrip(
    "/"
)
GATEWAY = os.environ.get("GATEHOUSE_GATEWAY", "edge")
UPSTREAM = os.environ.get(
    "GATEHOUSE_UPSTREAM", f"http://127.0.0.1:{os.environ.get('SAMPLE_ORDERS_PORT', '9201')}"
)
WAIT_S = 60.0
RUN = f"{int(time.time()):x}"

QUOTA = 3
"""Calls a day of the plan that the walk uses up."""

SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Golden orders", "version": "1.0.0", "description": "Walked by an example."},
    "paths": {
        "/orders": {
            "get": {
                "operationId": "listOrders",
                "summary": "List orders",
                "responses": {"200": {"description": "The orders"}},
            }
        }
    },
}


def main() -> None:
    """Walk the path."""
    publisher, consumer = (client(token) for token in tokens())
    limits = {"rate_calls": 5, "rate_period_s": 1, "burst": 5, "quota_day": 1000, "approval": "manual"}
    version = publish(publisher, f"Golden orders {RUN}", limits)
    application = register(consumer)
    subscription = subscribe(publisher, consumer, version, application)
    address = version["address"]
    credential = issue(consumer, subscription)
    calls = call(address, credential["key"])
    see(publisher, f"api={version['api_id']}", calls["all"])
    see(consumer, f"application={application['id']}", calls["known"])
    told(publisher, "request.made", application["name"])
    told(consumer, "request.approved", version["api_name"])
    use_up(publisher, consumer, application, address)
    revoke(consumer, credential, address)
    say("the whole path", f"{PORTAL} and {address} did what was promised")


def publish(publisher: httpx.Client, name: str, limits: dict[str, Any]) -> dict[str, Any]:
    """Document, upstream, plan, publication: live when the gateway proved it."""
    me = get(publisher, "/me")
    team = next(
        row["slug"] for row in me["teams"] if row["role"] in ("owner", "publisher") and not row["personal"]
    )
    api = post(publisher, "/apis", {"team": team, "name": name, "visibility": "internal"})
    path = f"/apis/{team}/{api['slug']}"
    post(publisher, f"{path}/versions", {}) if not get(publisher, f"{path}/versions")["results"] else None
    bad = publisher.put(f"{path}/versions/1/spec", json={"openapi": "3.1.0", "paths": {"/x": {"get": {}}}})
    expect(
        bad.status_code == 422 and bad.json()["errors"],
        "a bad document is refused with every error",
        bad.text,
    )
    checked(publisher.put(f"{path}/versions/1/spec", json={**SPEC, "info": {**SPEC["info"], "title": name}}))
    upstream = post(publisher, "/upstreams", {"team": team, "name": api["slug"]})
    binding = {"targets": [{"url": UPSTREAM}]}
    checked(publisher.put(f"/upstreams/{upstream['id']}/bindings/production", json=binding))
    checked(publisher.put(f"{path}/versions/1/upstream", json={"upstream": upstream["id"]}))
    plan = post(publisher, f"{path}/plans", {"name": "Bronze", **limits})
    post(publisher, f"{path}/plans/{plan['slug']}/publish", {})
    publication = post(
        publisher,
        "/publications",
        {"api": f"{team}/{api['slug']}", "major": 1, "gateway": GATEWAY, "environment": "production"},
    )
    until(
        lambda: enforcement(publisher, "publications", publication["id"]) == "live", "the publication is live"
    )
    say("published", f"{publication['address']} on {GATEWAY}")
    more = {"api_id": api["id"], "api_name": name, "team": team, "api": api["slug"], "plan": plan["slug"]}
    return {**publication, **more}


def register(consumer: httpx.Client) -> dict[str, Any]:
    """The consumer's application."""
    team = next(row["slug"] for row in get(consumer, "/me")["teams"] if not row["personal"])
    return dict(post(consumer, "/applications", {"team": team, "name": f"Golden planner {RUN}"}))


def ask(consumer: httpx.Client, version: dict[str, Any], application: dict[str, Any]) -> dict[str, Any]:
    """A request for access, with a reason."""
    asked = {
        "application": application["id"],
        "api": f"{version['team']}/{version['api']}",
        "version": 1,
        "environment": "production",
        "plan": version["plan"],
        "reason": "We plan delivery tours.",
        "accept_terms": True,
    }
    return dict(post(consumer, "/access-requests", asked))


def subscribe(
    publisher: httpx.Client, consumer: httpx.Client, version: dict[str, Any], application: dict[str, Any]
) -> dict[str, Any]:
    """Find it, ask with a reason, be approved by somebody else."""
    found = get(consumer, f"/catalogue?q={RUN}")["results"]
    expect([row["slug"] for row in found] == [version["api"]], "the catalogue finds it", str(found))
    request = ask(consumer, version, application)
    expect(request["state"] == "pending", "a manual plan waits for a decision", request["state"])
    own = consumer.post(f"/access-requests/{request['id']}/approve", json={})
    expect(own.status_code in (403, 404, 409), "nobody approves what they asked for", own.text)
    decided = post(publisher, f"/access-requests/{request['id']}/approve", {"note": "Welcome."})
    expect(decided["state"] == "approved", "the request is approved", decided["state"])
    say("approved", request["id"])
    return subscription_of(consumer, request)


def subscription_of(consumer: httpx.Client, request: dict[str, Any]) -> dict[str, Any]:
    """What an approved request became."""
    granted = get(consumer, f"/access-requests/{request['id']}")["subscription"]
    return dict(get(consumer, f"/subscriptions/{granted}"))


def issue(consumer: httpx.Client, subscription: dict[str, Any]) -> dict[str, Any]:
    """A key, shown once; live when the gateway proved it."""
    path = f"/subscriptions/{subscription['id']}/credentials"
    credential = post(consumer, path, {"name": "golden path"})
    again = get(consumer, f"/credentials/{credential['id']}")
    expect(credential["key"] not in json.dumps(again), "a key is shown once", str(again))
    until(lambda: enforcement(consumer, "credentials", credential["id"]) == "live", "the key is live")
    say("key", f"{credential['key'][:11]}… is live")
    return credential


def call(address: str, key: str) -> dict[str, int]:
    """Call through the gateway; how many calls reached the API's route, and how many of them with the key."""
    with httpx.Client(timeout=10) as caller:
        for name, headers, path, status in (
            ("no key", {}, "/orders", 401),
            ("an unknown key", {"X-API-Key": "x" * 68}, "/orders", 401),
            ("the key", {"X-API-Key": key}, "/orders", 200),
            ("the key as bearer", {"Authorization": f"Bearer {key}"}, "/orders", 200),
        ):
            answer = caller.get(f"{address}{path}", headers=headers)
            expect(
                answer.status_code == status,
                f"{name} answers {status}",
                f"{answer.status_code} {answer.text}",
            )
            if status >= 400:
                expect(
                    "problem+json" in answer.headers["content-type"],
                    f"{name} is told why",
                    str(answer.headers),
                )
        unknown = caller.get(f"{httpx.URL(address).copy_with(path='/nowhere/at/all')}")
        expect(unknown.status_code == 404, "an unknown path answers 404", str(unknown.status_code))
        burst = [caller.get(f"{address}/orders", headers={"X-API-Key": key}) for _ in range(20)]
    limited = [answer for answer in burst if answer.status_code == 429]
    expect(bool(limited), "over the rate answers 429", str([answer.status_code for answer in burst]))
    expect("x-ratelimit-limit" in limited[0].headers, "429 carries the limit", str(limited[0].headers))
    say("called", f"{4 + len(burst)} times, {len(limited)} over the rate")
    return {"all": 4 + len(burst), "known": 2 + len(burst)}


def see(portal: httpx.Client, whose: str, calls: int) -> None:
    """Every call is counted, once, for the API's team and for the application's."""

    def counted() -> bool:
        seen = get(portal, f"/usage/summary?{whose}&range=1h")["calls"]
        expect(seen <= calls, "no call is counted twice", f"{seen} of {calls}")
        return bool(seen == calls)

    until(counted, f"all {calls} calls are counted")
    say("seen", f"{calls} calls by {whose.partition('=')[0]}")


def told(portal: httpx.Client, name: str, about: str) -> None:
    """The notice of that kind has come, and says whom or what it is about."""
    titles = [row["title"] for row in get(portal, "/notices")["results"] if row["name"] == name]
    expect(any(about in title for title in titles), f"{name} is told", str(titles))
    say("told", f"{name}: {about}")


def use_up(publisher: httpx.Client, consumer: httpx.Client, application: dict[str, Any], first: str) -> None:
    """Another API, on a plan without approval and with hardly any quota: its key opens nothing else, and then
    not even that."""
    limits = {"rate_calls": 20, "rate_period_s": 1, "burst": 20, "quota_day": QUOTA, "approval": "automatic"}
    version = publish(publisher, f"Golden tasting {RUN}", limits)
    request = ask(consumer, version, application)
    expect(request["state"] == "approved", "an automatic plan needs no decision", request["state"])
    subscription = subscription_of(consumer, request)
    headers = {"X-API-Key": issue(consumer, subscription)["key"]}
    with httpx.Client(timeout=10, headers=headers) as caller:
        foreign = caller.get(f"{first}/orders")
        expect(foreign.status_code == 403, "the key of another API answers 403", str(foreign.status_code))
        answers = [caller.get(f"{version['address']}/orders").status_code for _ in range(QUOTA)]
        expect(answers == [200] * QUOTA, "calls within the quota answer 200", str(answers))
        path = f"/subscriptions/{subscription['id']}/quota"
        until(lambda: get(consumer, path)[0]["left"] == 0, "the quota is counted as used up")
        until(
            lambda: caller.get(f"{version['address']}/orders").status_code == 429,
            "a used-up quota answers 429",
        )
        refused = caller.get(f"{version['address']}/orders")
    expect("problem+json" in refused.headers["content-type"], "429 is told why", str(refused.headers))
    expect("retry-after" in refused.headers, "429 says until when", str(refused.headers))
    say("used up", f"{QUOTA} calls, then 429 until {refused.headers['retry-after']}")


def revoke(consumer: httpx.Client, credential: dict[str, Any], address: str) -> None:
    """Revoked is said when the gateway proved it, and then no call passes."""
    post(consumer, f"/credentials/{credential['id']}/revoke", {"reason": "The walk is over."})
    until(lambda: enforcement(consumer, "credentials", credential["id"]) == "removed", "the key is removed")
    answer = httpx.get(f"{address}/orders", headers={"X-API-Key": credential["key"]}, timeout=10)
    expect(answer.status_code == 401, "a removed key answers 401", str(answer.status_code))
    say("revoked", "and refused by the gateway")


def enforcement(portal: httpx.Client, kind: str, public_id: str) -> str:
    """The one state that all gateways agree on; "mixed" while they differ."""
    states = {row["state"] for row in get(portal, f"/{kind}/{public_id}/enforcement")["gateways"]}
    return states.pop() if len(states) == 1 else "mixed"


def tokens() -> tuple[str, str]:
    """The publisher's and the consumer's token."""
    if "GATEHOUSE_TOKEN" in os.environ:
        return os.environ["GATEHOUSE_TOKEN"], os.environ.get("GATEHOUSE_CONSUMER_TOKEN", "")
    path = STATE / "secrets" / "demo_tokens.json"
    if not path.exists():
        fail(
            "tokens",
            f"set GATEHOUSE_TOKEN and GATEHOUSE_CONSUMER_TOKEN, or start the demo ({path} is not there)",
        )
    found = json.loads(path.read_text())
    return found["alice"], found["dana"]


def client(token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{PORTAL}/api/v1", headers=headers, timeout=30)


def get(portal: httpx.Client, path: str) -> Any:
    return checked(portal.get(path)).json()


def post(portal: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    headers = {"Idempotency-Key": f"{RUN}-{time.monotonic_ns()}"}
    return checked(portal.post(path, json=body, headers=headers)).json()


def checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        fail(f"{answer.request.method} {answer.request.url.path}", f"{answer.status_code} {answer.text}")
    return answer


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for a condition, at most WAIT_S."""
    start = time.monotonic()
    while not holds():
        if time.monotonic() - start > WAIT_S:
            fail(what, f"not within {WAIT_S:.0f} s")
        time.sleep(0.1)


def expect(holds: bool, what: str, seen: str) -> None:
    if not holds:
        fail(what, f"but saw: {seen}")


def say(step: str, outcome: str) -> None:
    print(f"{step:>16}  {outcome}", flush=True)


def fail(what: str, why: str) -> NoReturn:
    print(f"FAILED: {what}: {why}", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
