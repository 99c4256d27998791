"""Made-up numbers for the style page: every component in every state it can be in. Nothing here is real."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms

NOW = datetime.now(UTC).replace(microsecond=412_000)


class SampleForm(forms.Form):
    """One field of each kind that the pages use."""

    name = forms.CharField(max_length=80, help_text="What the application is called on every page.")
    address = forms.EmailField(label="E-mail address", required=False)
    environment = forms.ChoiceField(choices=[("sandbox", "Sandbox"), ("production", "Production")])
    approval = forms.ChoiceField(
        choices=[("auto", "Automatic"), ("manual", "By a person")], widget=forms.RadioSelect, label="Approval"
    )
    document = forms.FileField(
        required=False, label="OpenAPI document", help_text="JSON or YAML, at most 12 MB."
    )
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="The approver reads this first."
    )
    terms = forms.BooleanField(label="I accept the terms of this plan")


def segment(gateway: str, state: str, label: str, tone: str, **more: Any) -> dict[str, Any]:
    return {
        "gateway": gateway,
        "state": state,
        "label": label,
        "tone": tone,
        "confirmed_at": None,
        "took": None,
        **more,
    }


LIVE = segment("edge-eu · node 1", "live", "live", "live", confirmed_at=NOW, took=0.41)
PUSHING = segment(
    "aws-prod", "pushing", "pushing", "push", took=11, note="waits on UpdateUsagePlan, 1 per 20 s"
)
HELD = segment("edge-us", "held_back", "held back", "hold", note="3 routes would go that no one removed")
FAILED = segment("edge-ap", "failed", "failed", "fail", note="refused: duplicate route", took=2.2)
REMOVED = segment("edge-us", "removed", "removed", "off", confirmed_at=NOW, took=0.3)

STRIPS = [
    [LIVE, {**LIVE, "gateway": "edge-eu · node 2"}, PUSHING],
    [LIVE, LIVE, LIVE],
    [LIVE, FAILED, HELD],
    [REMOVED, segment("aws-prod", "removing", "removing", "push")],
    [REMOVED],
]

STEPS = [
    {"label": "Queued", "tone": "live", "took": 0.02, "detail": ""},
    {"label": "Rendered", "tone": "live", "took": 0.11, "detail": "14 objects, 3 changed"},
    {
        "label": "Sending to edge-eu",
        "tone": "push",
        "took": 1.3,
        "detail": "the gateway keeps serving version 41",
    },
    {"label": "Accepted", "tone": "off", "took": None, "detail": ""},
    {"label": "Serving version 42", "tone": "off", "took": None, "detail": ""},
]
FAILED_STEPS = [
    *STEPS[:2],
    {
        "label": "Refused by edge-eu",
        "tone": "fail",
        "took": 0.4,
        "detail": "route “orders-v2”: prefix /shop/orders is taken. Choose another base path, then publish again.",
    },
]

SAMPLES = [
    {
        "key": "curl",
        "label": "curl",
        "code": 'curl -H "X-API-Key: $KEY" \\\n  http://localhost:8080/shop/orders/v2/orders?status=open',
    },
    {
        "key": "python",
        "label": "Python",
        "code": 'import httpx\n\nhttpx.get(\n    "http://localhost:8080/shop/orders/v2/orders",\n'
        '    params={"status": "open"},\n'
        '    headers={"X-API-Key": key},\n)',
    },
    {
        "key": "javascript",
        "label": "JavaScript",
        "code": 'await fetch("http://localhost:8080/shop/orders/v2/orders?status=open", {\n'
        '  headers: { "X-API-Key": key },\n});',
    },
]


def wave(size: float, turn: float, points: int = 60) -> list[int]:
    return [
        round(size * (1 + 0.45 * math.sin(n / 7 + turn) + 0.18 * math.sin(n / 2.3 + turn)))
        for n in range(points)
    ]


def times(points: int = 60) -> list[str]:
    start = NOW.replace(second=0, microsecond=0) - timedelta(minutes=points)
    return [(start + timedelta(minutes=n)).isoformat() for n in range(points)]


CALLS = {
    "times": times(),
    "unit": "calls",
    "series": [
        {"name": "2xx", "tone": "live", "values": wave(210, 0)},
        {"name": "4xx", "tone": "hold", "values": wave(16, 1)},
        {"name": "5xx", "tone": "fail", "values": [n if n > 5 else 0 for n in wave(4, 2)]},
    ],
}
LATENCY = {
    "times": times(),
    "unit": "ms",
    "series": [
        {"name": "p50", "tone": "accent", "values": wave(22, 0)},
        {"name": "p95", "tone": "push", "values": wave(48, 0.6)},
        {"name": "p99", "tone": "neutral", "values": wave(120, 1.1)},
    ],
}
LAST_HOUR = {
    "times": times(),
    "unit": "calls",
    "series": [{"name": "calls a minute", "tone": "accent", "values": wave(20, 0)}],
}


def samples() -> dict[str, Any]:
    """The context of the style page."""
    bad = SampleForm({"name": "", "address": "dana@", "approval": "auto", "environment": "sandbox"})
    bad.is_valid()
    return {
        "now": NOW,
        "before": NOW - timedelta(minutes=3),
        "tomorrow": NOW + timedelta(hours=21),
        "strips": STRIPS,
        "segments": STRIPS[0],
        "steps": STEPS,
        "failed_steps": FAILED_STEPS,
        "code_samples": SAMPLES,
        "calls": CALLS,
        "latency": LATENCY,
        "last_hour": LAST_HOUR,
        "form": SampleForm(),
        "bad_form": bad,
        "hostile": '"><script>alert(1)</script>',
    }
