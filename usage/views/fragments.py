"""Pieces of usage that pages of lower apps embed by URL name."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from gateways.models import Gateway
from teams.access import HtmxHttpRequest, page
from teams.models import Verb
from usage.aws_queries import differences_on, is_counted_late
from usage.dashboards import calls_chart, named_differences
from usage.queries import (
    UsageScope,
    apis_of,
    applications_of,
    calls_today,
    completeness,
    credentials_of,
    last_seen,
    subscriptions_of,
    summary,
    timeseries,
    use_of,
)
from usage.quotas import quotas_of
from usage.ranges import window


@page(Verb.USAGE_VIEW)
def usage_spark(request: HtmxHttpRequest, kind: str, public_id: str) -> HttpResponse:
    """The last hour of an API, an application or a subscription, small."""
    sets: dict[str, Any] = {"api": apis_of, "application": applications_of, "subscription": subscriptions_of}
    target = get_object_or_404(sets[kind](request.actor), public_id=public_id)
    scope, shown = UsageScope({kind: target.public_id}), window("1h", timezone.now())
    points = timeseries(scope, shown)
    context = {"figures": summary(scope, shown), "chart": calls_chart(points), "target": target, "kind": kind}
    return render(request, "usage/usage_spark.html", context)


@page(Verb.USAGE_VIEW)
def usage_keys(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Calls today and last use of each key of a subscription."""
    subscription = get_object_or_404(subscriptions_of(request.actor), public_id=public_id)
    keys = list(subscription.credentials.all())
    ids = [key.key_id for key in keys]
    today = calls_today(ids, datetime.combine(timezone.now().date(), time(), UTC))
    seen = last_seen(ids)
    rows = [(key, today.get(key.key_id, 0), seen.get(key.key_id)) for key in keys]
    return render(request, "usage/usage_keys.html", {"rows": rows, "subscription": subscription})


@page(Verb.USAGE_VIEW)
def usage_key(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Calls today and last use of one key, in a line that follows while the key works."""
    credential = get_object_or_404(credentials_of(request.actor), public_id=public_id)
    context = {"key": credential, "use": use_of(credential.key_id), "still": "still" in request.GET}
    return render(request, "usage/usage_key.html", context)


@page(Verb.USAGE_VIEW)
def usage_quota(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """How much of each quota is left, and when it will be used up at this pace."""
    found = subscriptions_of(request.actor).select_related("plan_revision__plan")
    subscription = get_object_or_404(found, public_id=public_id)
    context = {
        "quotas": quotas_of(subscription),
        "subscription": subscription,
        "terms": subscription.plan_revision,
        "is_counted_late": is_counted_late(subscription),
    }
    return render(request, "usage/usage_quota.html", context)


@page(Verb.GATEWAY_VIEW)
def gateway_calls(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    """Up to when the calls of one gateway are counted, and what stands against it: that for who runs gateways alone."""
    gateway = get_object_or_404(Gateway.objects.visible_to(request.actor), slug=slug)
    runs_it = request.actor.everywhere(Verb.GATEWAY_MANAGE)
    context = {
        "gateway": gateway,
        "completeness": completeness([gateway.pk], window("24h", timezone.now())),
        "differences": named_differences(differences_on(gateway)) if runs_it else [],
        "runs_it": runs_it,
    }
    return render(request, "usage/gateway_calls.html", context)
