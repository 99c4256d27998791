"""What vendors do wrong, and what the caller sees of it."""

from __future__ import annotations

import gzip
import json
import threading
import time
from typing import Any

import httpx
import pytest

from tests.ai import vendor as vendors
from tests.ai.runtime_process import RuntimeProcess, endpoint, model, prompt, route, snapshot
from tests.ai.vendor import Reply, Vendor

VALUES = {"text": "Good morning", "target_lang": "fr"}
STREAM = {"headers": {"accept": "text/event-stream"}}


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """The named events of a stream; comments are left out."""
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(
            line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":")
        )
        if "data" in lines:
            found.append(
                (lines.get("event", ""), json.loads(lines["data"]) if lines["data"] != "[DONE]" else "[DONE]")
            )
    return found


def two_models(url: str, **changes: Any) -> dict[str, Any]:
    """A route with a second model to fall back to."""
    targets = [{"model": "mdl_1", "weight": 1, "rank": 0}, {"model": "mdl_2", "weight": 1, "rank": 1}]
    models = [model(), model("vendor/large", id="mdl_2", remote="large")]
    return snapshot(url, models=models, model_routes=[route(targets=targets, **changes)])


def test_a_stream_is_text_then_the_facts(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(vendors.stream("Bon", "jour"))
    runtime.load(snapshot(vendor.url))
    answer = runtime.call(VALUES, **STREAM)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer)
    assert [e for e in found if e[0] == "delta"] == [("delta", {"text": "Bon"}), ("delta", {"text": "jour"})]
    name, done = found[-1]
    assert name == "done"
    assert "output" not in done
    assert done["usage"]["total_tokens"] == 15
    assert done["cost"] == {
        "amount": "0.00002",
        "currency": "USD",
        "price_version": "2026-01-01",
        "estimated": False,
    }


def test_a_stream_that_breaks_off_ends_with_an_error_and_is_billed(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    vendor.answers(
        Reply(headers={"content-type": "text/event-stream"}, pieces=[vendors.chunk("Bon")], cut=True)
    )
    runtime.load(snapshot(vendor.url))
    found = events(runtime.call(VALUES, **STREAM))
    assert found[0] == ("delta", {"text": "Bon"})
    assert found[-1][0] == "error"
    assert found[-1][1]["code"] == "upstream_failed"
    (line,) = runtime.feed()
    assert line[9] == "upstream_failed"
    assert line[16][0][12] is True, "the count is estimated, and said to be"


def test_a_stream_without_its_end_is_no_complete_answer(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(vendors.stream("Bon", end=[]))
    runtime.load(snapshot(vendor.url))
    assert events(runtime.call(VALUES, **STREAM))[-1][0] == "error"


def test_a_stream_that_stalls_is_given_up(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(
        Reply(headers={"content-type": "text/event-stream"}, pieces=[vendors.chunk("Bon"), b""], gap_s=5)
    )
    runtime.load(snapshot(vendor.url, model_routes=[route(stream_idle_ms=300)]))
    name, problem = events(runtime.call(VALUES, **STREAM))[-1]
    assert (name, problem["code"]) == ("error", "upstream_timeout")


def test_text_may_be_split_anywhere_even_within_a_letter(runtime: RuntimeProcess, vendor: Vendor) -> None:
    whole = vendors.chunk("Grüße, 世界") + vendors.chunk(None, "stop") + vendors.usage_chunk() + vendors.DONE
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    vendor.answers(Reply(headers={"content-type": "text/event-stream"}, pieces=pieces))
    runtime.load(snapshot(vendor.url))
    assert events(runtime.call(VALUES, **STREAM))[0] == ("delta", {"text": "Grüße, 世界"})


def test_a_caller_who_reads_late_is_no_stall_of_the_model(runtime: RuntimeProcess, vendor: Vendor) -> None:
    """The time to wait for the model does not run while the line to the caller is full."""
    pieces = [vendors.chunk("x" * 60_000)] * 400
    end = [vendors.chunk(None, "stop"), vendors.usage_chunk(), vendors.DONE]
    vendor.answers(Reply(headers={"content-type": "text/event-stream"}, pieces=[*pieces, *end]))
    runtime.load(snapshot(vendor.url, model_routes=[route(stream_idle_ms=200)]))
    body = {"model": "fast", "stream": True, "messages": [{"role": "user", "content": "Talk."}]}
    with runtime.stream(body, "chat/completions") as answer:
        lines = answer.iter_lines()
        next(lines)
        time.sleep(1.0)
        last = [line for line in lines if line][-1]
    assert last == "data: [DONE]"


def test_an_event_that_is_no_json_is_an_error(runtime: RuntimeProcess, vendor: Vendor) -> None:
    pieces = [vendors.chunk("Bon"), b"data: {not json\n\n"]
    vendor.answers(Reply(headers={"content-type": "text/event-stream"}, pieces=pieces))
    runtime.load(snapshot(vendor.url))
    assert events(runtime.call(VALUES, **STREAM))[-1][0] == "error"


def test_a_compressed_answer_is_read_all_the_same(runtime: RuntimeProcess, vendor: Vendor) -> None:
    body = vendors.completion("Bonjour").pieces[0]
    vendor.answers(
        Reply(
            headers={"content-type": "application/json", "content-encoding": "gzip"},
            pieces=[gzip.compress(body)],
        )
    )
    runtime.load(snapshot(vendor.url))
    assert runtime.call(VALUES).json()["output"] == "Bonjour"
    assert vendor.asked[0].headers["accept-encoding"] == "identity"


def test_an_error_with_status_200_is_an_error(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(vendors.error(200, {"error": {"message": "overloaded", "code": 503}}))
    runtime.load(snapshot(vendor.url, model_routes=[route(attempts=1)]))
    answer = runtime.call(VALUES)
    assert answer.status_code == 502
    assert answer.headers["x-should-retry"] == "false", "a client would otherwise ask, and pay, three times"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_another_model_is_tried_before_the_first_byte(
    runtime: RuntimeProcess, vendor: Vendor, status: int
) -> None:
    vendor.answers(vendors.error(status, {"error": {"message": "no"}}), vendors.completion("Bonjour"))
    runtime.load(two_models(vendor.url))
    answer = runtime.call(VALUES).json()
    assert answer["model"] == {"served": "vendor/large", "route": "fast", "fallback": True, "attempts": 2}
    assert [asked.json["model"] for asked in vendor.asked] == ["small", "large"]
    (line,) = runtime.feed()
    assert [(attempt[2], attempt[5]) for attempt in line[16]] == [(status, 0), (200, 10)]


def test_no_other_model_is_tried_after_the_first_byte(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(
        Reply(headers={"content-type": "text/event-stream"}, pieces=[vendors.chunk("Bon")], cut=True),
        vendors.stream("never"),
    )
    runtime.load(two_models(vendor.url))
    assert events(runtime.call(VALUES, **STREAM))[-1][0] == "error"
    assert len(vendor.asked) == 1


def test_a_refusal_of_what_was_asked_is_told_and_not_tried_again(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    vendor.answers(vendors.error(400, {"error": {"message": "temperature is too high"}}))
    runtime.load(two_models(vendor.url))
    answer = runtime.call(VALUES)
    assert answer.status_code == 400
    assert "temperature is too high" in answer.json()["detail"]
    assert len(vendor.asked) == 1


def test_when_every_vendor_is_busy_the_caller_is_told_when_to_come_back(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    vendor.answers(vendors.error(429, {"error": {"message": "slow down"}}, **{"retry-after": "7"}))
    runtime.load(snapshot(vendor.url))
    answer = runtime.call(VALUES)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert len(vendor.asked) == 1, "the only key rests now"


def test_a_slow_vendor_is_given_up(runtime: RuntimeProcess, vendor: Vendor) -> None:
    hold = threading.Event()
    vendor.answers(Reply(hold=hold, pieces=vendors.completion("late").pieces))
    runtime.load(snapshot(vendor.url, model_routes=[route(try_timeout_ms=200, attempts=1)]))
    answer = runtime.call(VALUES)
    hold.set()
    assert (answer.status_code, answer.json()["code"]) == (504, "upstream_timeout")


def test_a_vendor_that_is_not_there_is_an_error_without_its_address(runtime: RuntimeProcess) -> None:
    runtime.load(snapshot("http://127.0.0.1:9"))
    answer = runtime.call(VALUES)
    assert answer.status_code == 502
    assert "127.0.0.1" not in answer.text


def test_a_model_that_fails_again_and_again_is_left_out(runtime: RuntimeProcess, vendor: Vendor) -> None:
    vendor.answers(vendors.error(500, {"error": {"message": "no"}}))
    runtime.load(snapshot(vendor.url, model_routes=[route(attempts=1, breaker_failures=2, breaker_s=60)]))
    assert [runtime.call(VALUES).status_code for _ in range(3)] == [502, 502, 503]
    assert len(vendor.asked) == 2


def test_a_key_that_is_refused_rests_and_another_is_used(runtime: RuntimeProcess, vendor: Vendor) -> None:
    keys = [
        {"id": f"pvk_{n}", "provider": "prv_1", "label": f"{n}", "weight": 1, "value": f"sk-vendor-{n}"}
        for n in (1, 2)
    ]
    vendor.answers(vendors.error(401, {"error": {"message": "bad key"}}), vendors.completion("Bonjour"))
    runtime.load(snapshot(vendor.url, provider_keys=keys))
    assert runtime.call(VALUES).json()["output"] == "Bonjour"
    used = [asked.headers["authorization"] for asked in vendor.asked]
    assert len(set(used)) == 2
    runtime.call(VALUES)
    assert vendor.asked[-1].headers["authorization"] == used[1], "the refused one rests"


def test_ten_megabytes_go_through_and_more_do_not(runtime: RuntimeProcess, vendor: Vendor) -> None:
    variables = [{"name": "text", "type": "string", "max_length": 20_000_000}]
    big = prompt(variables=variables, messages=[{"role": "user", "content": "{{text}}"}])
    runtime.load(snapshot(vendor.url, prompts=[big], endpoints=[endpoint(max_body=10_000_100)]))
    assert runtime.call({"text": "x" * 10_000_000}).status_code == 200
    assert len(vendor.asked[0].body) > 10_000_000
    answer = runtime.call({"text": "x" * 10_000_200})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_caller_who_leaves_pays_for_what_was_made(runtime: RuntimeProcess, vendor: Vendor) -> None:
    pieces = [
        *(vendors.chunk(f"word {n} ") for n in range(20)),
        vendors.chunk(None, "stop"),
        vendors.usage_chunk(10, 40),
    ]
    vendor.answers(
        Reply(headers={"content-type": "text/event-stream"}, pieces=[*pieces, vendors.DONE], gap_s=0.03)
    )
    runtime.load(snapshot(vendor.url))
    with runtime.stream(VALUES, **STREAM) as answer:
        next(answer.iter_bytes())
    (line,) = runtime.feed()
    assert (line[8], line[9]) == (499, "caller_left")
    assert line[16][0][5:7] == [10, 40], "read on to the count at the end"
