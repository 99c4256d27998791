"""What the `ui` tags and the components say, and that they never let markup through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import engines
from django.utils import timezone
from django_cotton.compiler_regex import CottonCompiler

from audit.models import TonedChoices
from portal.templatetags import ui

HOSTILE = "\"><script>alert('1')</script>"


def drawn(source: str, **context: Any) -> str:
    """The text of a template written here, components included."""
    compiled = CottonCompiler().process("{% load ui %}" + source)
    return str(engines["django"].from_string(compiled).render(context))


class Lamp:
    class State(TonedChoices):
        ON = "on", "live", "On now"
        IDLE = "idle", "hold", "API idle"

    def __init__(self, state: str) -> None:
        self.state = state


def test_a_pill_reads_label_and_tone_from_the_choices() -> None:
    assert drawn("{% pill lamp %}", lamp=Lamp("on")) == '<span class="pill" data-tone="live">on now</span>'
    assert drawn("{% pill state %}", state=Lamp.State.ON) == drawn("{% pill lamp %}", lamp=Lamp("on"))


def test_a_pill_keeps_an_abbreviation_and_takes_a_longer_label() -> None:
    assert ">API idle<" in drawn("{% pill lamp %}", lamp=Lamp("idle"))
    assert 'data-tone="hold">idle, 21 h left<' in drawn(
        "{% pill lamp label=words %}", lamp=Lamp("idle"), words="idle, 21 h left"
    )


def test_an_unknown_state_is_an_error_and_no_empty_pill() -> None:
    with pytest.raises(ValueError, match="gone"):
        drawn("{% pill lamp %}", lamp=Lamp("gone"))


@pytest.mark.parametrize(
    ("states", "label", "tone", "moving"),
    [
        ([], "not on a gateway", "off", False),
        (["live"], "live on 1 gateway", "live", False),
        (["live"] * 3, "live on all 3 gateways", "live", False),
        (["live", "live", "pushing"], "live on 2 of 3 gateways", "push", True),
        (["removed", "removing"], "removed from 1 of 2 gateways", "push", True),
        (["removed"] * 2, "removed from all 2 gateways", "off", False),
        (["live", "failed", "pushing"], "failed on 1 of 3 gateways", "fail", True),
        (["live", "held_back"], "held back on 1 of 2 gateways", "hold", False),
        (["live", "drifted"], "changed outside on 1 of 2 gateways", "fail", False),
    ],
)
def test_enforcement_is_said_in_one_sentence(states: list[str], label: str, tone: str, moving: bool) -> None:
    assert ui.enforcement([{"state": state} for state in states]) == ui.Enforcement(label, tone, moving)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ui.thousands(1204), "1,204"),
        (ui.compact(980), "980"),
        (ui.compact(12_400), "12.4 k"),
        (ui.compact(2_000_000), "2.0 M"),
        (ui.milliseconds(0.4), "0.4 ms"),
        (ui.milliseconds(48), "48 ms"),
        (ui.milliseconds(1240), "1.24 s"),
        (ui.milliseconds(125_000), "2 min 5 s"),
        (ui.seconds(timedelta(milliseconds=410)), "410 ms"),
        (ui.percent(0.003), "0.3 %"),
        (ui.percent(0.71), "71 %"),
        (ui.percent(0), "0 %"),
        (ui.money(84_000_000_000, "EUR"), "€ 84.00"),
        (ui.money(1_500_000, "USD"), "$ 0.00150"),
        (ui.money(10_200, "USD"), "$ 0.000010"),
        (ui.money(1, "USD"), "$ 0.000000001"),
        (ui.chart_value(1204, {}), "1,204"),
        (ui.chart_value(1_500_000, {"currency": "USD"}), "$ 0.00150"),
        (ui.thousands(None), "–"),
    ],
)
def test_amounts_are_written_one_way(text: str, expected: str) -> None:
    assert text == expected


def test_a_moment_keeps_utc_in_attribute_and_title() -> None:
    moment = datetime(2026, 3, 3, 12, 3, 6, 412_000, tzinfo=UTC)
    assert str(ui.when(moment, "exact")) == (
        '<time datetime="2026-03-03T12:03:06.412Z" data-form="exact" title="2026-03-03 12:03:06 UTC">'
        "12:03:06.412</time>"
    )


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(0), "now"),
        (timedelta(minutes=-3, seconds=-5), "3 min ago"),
        (timedelta(hours=21, seconds=30), "in 21 h"),
    ],
)
def test_a_moment_near_now_is_said_relatively(distance: timedelta, words: str) -> None:
    assert f">{words}<" in str(ui.when(timezone.now() + distance))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.9", "curl/8.9"),
        ("", "unknown"),
    ],
)
def test_a_browser_is_named_in_words(header: str, words: str) -> None:
    assert ui.browser(header) == words


COMPONENTS = [
    '<c-page-head title="{{ x }}"><c-slot name="facts">{{ x }}</c-slot></c-page-head>',
    '<c-card title="{{ x }}">{{ x }}</c-card>',
    '<c-card :title="x"><c-slot name="aside">{{ x }}</c-slot></c-card>',
    '<c-fact label="{{ x }}" value="{{ x }}" note="{{ x }}" />',
    "{% pill label=x tone=x %}",
    '<c-proof :segments="segments" />',
    '<c-proof-table :segments="segments" />',
    '<c-code id="k" copy="{{ x }}">{{ x }}</c-code>',
    '<c-samples id="s" :samples="samples" />',
    '<c-empty title="{{ x }}">{{ x }}</c-empty>',
    '<c-tab href="{{ x }}">{{ x }}</c-tab>',
    '<c-dialog id="d" title="{{ x }}">{{ x }}</c-dialog>',
    '<c-steps :steps="steps" />',
    '<c-chart id="c" :data="chart" title="{{ x }}" />',
    '<c-note tone="{{ x }}">{{ x }}</c-note>',
]


@pytest.mark.parametrize("source", COMPONENTS)
def test_no_component_lets_markup_through(source: str) -> None:
    text = drawn(
        source,
        x=HOSTILE,
        segments=[
            {
                "gateway": HOSTILE,
                "state": "live",
                "label": HOSTILE,
                "tone": "live",
                "note": HOSTILE,
                "took": 1,
            }
        ],
        samples=[{"key": "curl", "label": HOSTILE, "code": HOSTILE}],
        steps=[{"label": HOSTILE, "tone": "push", "took": 1, "detail": HOSTILE}],
        chart={
            "times": ["2026-03-03T12:00:00Z"],
            "unit": HOSTILE,
            "series": [{"name": HOSTILE, "tone": "live", "values": [1]}],
        },
    )
    assert "<c-" not in text, "the component was not drawn"
    assert "<script>alert" not in text
    assert HOSTILE not in text


def test_a_chart_carries_its_numbers_as_a_table() -> None:
    chart = {
        "times": ["2026-03-03T12:00:00Z", "2026-03-03T12:01:00Z"],
        "series": [{"name": "2xx", "tone": "live", "values": [3, None]}],
    }
    text = drawn('<c-chart id="c" :data="chart" title="Calls" />', chart=chart)
    assert text.index(">–<") < text.index(">3<"), "newest first, a gap is no zero"
