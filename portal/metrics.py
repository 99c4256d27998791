"""Numbers for Prometheus: calls and tasks counted as they happen, the state of things read when asked.

docs/metrics.md lists them. Labels are names of routes, tasks and gateways, never ids of people's things.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from celery.signals import task_postrun, task_prerun
from celery.signals import worker_process_shutdown as child_ends
from django.conf import settings
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.registry import Collector

from audit.models import AuditEvent
from audit.signals import event_recorded
from gateways.models import Gateway
from portal.state_metrics import StateCollector
from teams.access import MONITOR

SPACE = "gatehouse"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"

CALLS = Counter(
    "http_requests", "Calls answered, by route name and class of status", ["route", "status"], namespace=SPACE
)
CALL_SECONDS = Histogram(
    "http_request_seconds",
    "From call to answer, by route name",
    ["route"],
    namespace=SPACE,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10),
)
TASKS = Counter("tasks", "Background tasks that ended, by outcome", ["task", "outcome"], namespace=SPACE)
TASK_SECONDS = Histogram(
    "task_seconds",
    "How long background tasks took",
    ["task"],
    namespace=SPACE,
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 300),
)
PUSHES = Counter("pushes", "Recorded pushes that ended, by outcome", ["gateway", "outcome"], namespace=SPACE)


class MetricsMiddleware:
    """Counts every call under the name of its route; unknown addresses are one name together."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = (match.url_name if match else None) or "unknown"
        CALLS.labels(route, f"{response.status_code // 100}xx").inc()
        CALL_SECONDS.labels(route).observe(time.perf_counter() - began)
        return response


# ---- tasks and pushes, in the worker ----


@task_prerun.connect
def begin_task(task: Any = None, **_: Any) -> None:
    task.request.gatehouse_began = time.perf_counter()


@task_postrun.connect
def end_task(task: Any = None, state: str = "", **_: Any) -> None:
    """Celery calls this after success, failure and retry alike."""
    began = getattr(task.request, "gatehouse_began", None)
    if began is None:
        return
    TASKS.labels(task.name, _OUTCOMES.get(state or "", "other")).inc()
    TASK_SECONDS.labels(task.name).observe(time.perf_counter() - began)


_OUTCOMES = {"SUCCESS": "success", "FAILURE": "failure", "RETRY": "retry", "IGNORED": "success"}


@receiver(event_recorded)
def count_push(event: AuditEvent, **_: Any) -> None:
    """A push that ended is an event; its outcome is the Deployment's state."""
    if event.name == "deployment.finished":
        gateway = Gateway.objects.filter(deployments__public_id=event.target_id).values_list(
            "slug", flat=True
        )
        PUSHES.labels(gateway.first() or "unknown", event.after.get("state", "")).inc()


@child_ends.connect
def forget_child(pid: int = 0, **_: Any) -> None:
    if MULTIPROC in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


# ---- handing them out ----


def render(*more: Collector) -> bytes:
    """All numbers of this role, of all its processes, and those of the collectors `more`."""
    registry = CollectorRegistry()
    if MULTIPROC in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_Own())
    for collector in more:
        registry.register(collector)
    return generate_latest(registry)


class _Own(Collector):
    """What this process counts, where it is the only one."""

    def collect(self) -> Iterator[Any]:
        yield from (metric for metric in REGISTRY.collect() if metric.name.startswith(f"{SPACE}_"))


def metrics(request: HttpRequest) -> HttpResponseBase:
    """The numbers of web and the state of things, for whoever has METRICS_TOKEN. Without one there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    if not may_read(request.headers.get("Authorization", "")):
        answer = {"title": "Not allowed", "status": 401, "detail": "Send METRICS_TOKEN as a bearer token."}
        return JsonResponse(answer, status=401, content_type="application/problem+json")
    return HttpResponse(render(StateCollector()), content_type=CONTENT_TYPE)


metrics.access_rule = MONITOR  # type: ignore[attr-defined]
metrics.access_methods = ("GET",)  # type: ignore[attr-defined]


def may_read(header: str) -> bool:
    """Whether an Authorization header carries METRICS_TOKEN; compared in constant time."""
    return hmac.compare_digest(header.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
